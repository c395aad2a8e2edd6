"""Whether the connectors of a model stop charging when their link is lost."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark; nobody said so of any model until now."""
    op.add_column("pile_models", sa.Column("stops_offline", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Take the mark away."""
    op.drop_column("pile_models", "stops_offline")
