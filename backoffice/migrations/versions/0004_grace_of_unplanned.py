"""How long a vehicle may stay plugged at a charger that nobody planned: as long as at any public station."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PUBLIC_GRACE_MS = 30 * 60_000  # anomaly-codes.md, code 6: the default of the public profile
NOT_WATCHED_MS = -1


def upgrade() -> None:
    """The station `unassigned` is a public one, but nobody watched there."""
    _change(NOT_WATCHED_MS, PUBLIC_GRACE_MS)


def downgrade() -> None:
    """Nobody watches again."""
    _change(PUBLIC_GRACE_MS, NOT_WATCHED_MS)


def _change(old_ms: int, new_ms: int) -> None:
    stations = sa.table("stations", sa.column("key"), sa.column("occupancy_grace_ms"))
    op.execute(
        stations.update()
        .where(stations.c.key == "unassigned", stations.c.occupancy_grace_ms == old_ms)
        .values(occupancy_grace_ms=new_ms)
    )
