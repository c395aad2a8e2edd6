"""Chargers of the AAF5 family: guns that log in with a letter, and what an unknown charger of theirs counts as."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MODEL_KEY = "unknown-aaf5"


def upgrade() -> None:
    """Add the mark and the model. The register is absolute and has two decimals (aaf5.md section 4)."""
    op.add_column("piles", sa.Column("gun_letters", sa.Boolean(), nullable=False, server_default=sa.false()))
    values = {
        "key": MODEL_KEY,
        "vendor": "unknown",
        "name": "unknown",
        "protocol": "aaf5",
        "current_kind": "dc",
        "connectors": 1,
        "rated_power_w": 180_000,
        "register_kind": "lifetime",
        "quantum_e4kwh": 100,
        "register_digits": 0,
    }
    models = sa.table("pile_models", *(sa.column(name) for name in values))
    # a downgrade leaves the model, and whoever comes up again finds it
    known = sa.select(models.c.key).where(models.c.key == MODEL_KEY)
    if op.get_bind().execute(known).first() is None:
        op.bulk_insert(models, [values])


def downgrade() -> None:
    """Take the mark away; the model stays, since chargers may be of it."""
    op.drop_column("piles", "gun_letters")
