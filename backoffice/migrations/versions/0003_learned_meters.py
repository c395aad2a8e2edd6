"""What of a model's meter nobody configured, so that it is learned from the readings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UNKNOWN_MODELS = ("unknown", "unknown-aaf5")
EVERYTHING = ["quantum", "rated_power", "register", "digits"]


def upgrade() -> None:
    """Add the mark. Of a charger that nobody planned nothing is known; models of a file keep what it said of them."""
    op.add_column("pile_models", sa.Column("learns", sa.JSON(), nullable=False, server_default="[]"))
    models = sa.table("pile_models", sa.column("key"), sa.column("learns", sa.JSON()))
    op.execute(models.update().where(models.c.key.in_(UNKNOWN_MODELS)).values(learns=EVERYTHING))


def downgrade() -> None:
    """Take the mark away; the values assumed until then stay."""
    op.drop_column("pile_models", "learns")
