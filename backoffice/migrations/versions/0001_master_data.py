"""Master data: operators, stations, models, piles, connectors, owners and tariffs, and what unknown piles fall to."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FLAT = 2


def upgrade() -> None:
    """Make the tables and the records that an unknown pile of a replay belongs to."""
    op.create_table(
        "operators",
        sa.Column("operator_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("settle_first", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["operators.operator_id"], name=op.f("fk_operators_parent_id")),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_operators")),
        sa.UniqueConstraint("key", name=op.f("uq_operators_key")),
    )
    op.create_table(
        "pile_models",
        sa.Column("pile_model_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("vendor", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("current_kind", sa.String(length=2), nullable=False),
        sa.Column("connectors", sa.Integer(), nullable=False),
        sa.Column("rated_power_w", sa.Integer(), nullable=False),
        sa.Column("register_kind", sa.String(length=16), nullable=False),
        sa.Column("quantum_e4kwh", sa.Integer(), nullable=False),
        sa.Column("register_digits", sa.Integer(), nullable=False),
        sa.CheckConstraint("current_kind IN ('dc', 'ac')", name=op.f("ck_pile_models_current_kind")),
        sa.CheckConstraint("protocol IN ('ykc', 'aaf5')", name=op.f("ck_pile_models_protocol")),
        sa.CheckConstraint(
            "register_kind IN ('lifetime', 'session', 'boot')", name=op.f("ck_pile_models_register_kind")
        ),
        sa.CheckConstraint(
            "rated_power_w > 0 AND quantum_e4kwh > 0 AND connectors > 0", name=op.f("ck_pile_models_positive")
        ),
        sa.PrimaryKeyConstraint("pile_model_id", name=op.f("pk_pile_models")),
        sa.UniqueConstraint("key", name=op.f("uq_pile_models_key")),
    )
    op.create_table(
        "tariffs",
        sa.Column("tariff_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("tariff_id", name=op.f("pk_tariffs")),
        sa.UniqueConstraint("key", name=op.f("uq_tariffs_key")),
    )
    op.create_table(
        "stations",
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("operator_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=False),
        sa.Column("longitude", sa.Double(), nullable=False),
        sa.Column("profile", sa.String(length=16), nullable=False),
        sa.Column("occupancy_grace_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("profile IN ('public', 'depot')", name=op.f("ck_stations_profile")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.operator_id"], name=op.f("fk_stations_operator_id")),
        sa.PrimaryKeyConstraint("station_id", name=op.f("pk_stations")),
        sa.UniqueConstraint("key", name=op.f("uq_stations_key")),
    )
    op.create_table(
        "tariff_versions",
        sa.Column("tariff_version_id", sa.Integer(), nullable=False),
        sa.Column("tariff_id", sa.Integer(), nullable=False),
        sa.Column("model_no", sa.String(length=4), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("slot_classes", sa.JSON(), nullable=False),
        sa.Column("electricity_price_e5yuan", sa.JSON(), nullable=False),
        sa.Column("service_price_e5yuan", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["tariff_id"], ["tariffs.tariff_id"], name=op.f("fk_tariff_versions_tariff_id")),
        sa.PrimaryKeyConstraint("tariff_version_id", name=op.f("pk_tariff_versions")),
        sa.UniqueConstraint("model_no", name=op.f("uq_tariff_versions_model_no")),
        sa.UniqueConstraint("tariff_id", "from_ms", name=op.f("uq_tariff_versions_tariff_id_from_ms")),
    )
    op.create_table(
        "piles",
        sa.Column("pile_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("pile_model_id", sa.Integer(), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("commissioned_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["pile_model_id"], ["pile_models.pile_model_id"], name=op.f("fk_piles_pile_model_id")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.station_id"], name=op.f("fk_piles_station_id")),
        sa.PrimaryKeyConstraint("pile_id", name=op.f("pk_piles")),
        sa.UniqueConstraint("code", name=op.f("uq_piles_code")),
    )
    op.create_index(op.f("ix_piles_station_id"), "piles", ["station_id"], unique=False)
    op.create_table(
        "station_tariffs",
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tariff_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["stations.station_id"], name=op.f("fk_station_tariffs_station_id")),
        sa.ForeignKeyConstraint(["tariff_id"], ["tariffs.tariff_id"], name=op.f("fk_station_tariffs_tariff_id")),
        sa.PrimaryKeyConstraint("station_id", "from_ms", name=op.f("pk_station_tariffs")),
    )
    op.create_table(
        "connectors",
        sa.Column("pile_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rated_power_w", sa.Integer(), nullable=False),
        sa.CheckConstraint("number BETWEEN 1 AND 99", name=op.f("ck_connectors_number")),
        sa.ForeignKeyConstraint(["pile_id"], ["piles.pile_id"], name=op.f("fk_connectors_pile_id")),
        sa.PrimaryKeyConstraint("pile_id", "number", name=op.f("pk_connectors")),
    )
    op.create_table(
        "pile_ownerships",
        sa.Column("pile_id", sa.Integer(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=True),
        sa.Column("operator_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("to_ms IS NULL OR to_ms > from_ms", name=op.f("ck_pile_ownerships_order")),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.operator_id"], name=op.f("fk_pile_ownerships_operator_id")
        ),
        sa.ForeignKeyConstraint(["pile_id"], ["piles.pile_id"], name=op.f("fk_pile_ownerships_pile_id")),
        sa.PrimaryKeyConstraint("pile_id", "from_ms", name=op.f("pk_pile_ownerships")),
    )
    _insert_unassigned()


def downgrade() -> None:
    """Drop everything."""
    op.drop_table("pile_ownerships")
    op.drop_table("connectors")
    op.drop_table("station_tariffs")
    op.drop_index(op.f("ix_piles_station_id"), table_name="piles")
    op.drop_table("piles")
    op.drop_table("tariff_versions")
    op.drop_table("stations")
    op.drop_table("tariffs")
    op.drop_table("pile_models")
    op.drop_table("operators")


def _insert_unassigned() -> None:
    """Numbers are left to the database: each is the first of its table, on PostgreSQL through the sequence."""
    _insert("operators", key="unassigned", name="未分配", name_en="Unassigned", settle_first=False)
    _insert(
        "stations",
        key="unassigned",
        operator_id=1,
        name="未分配",
        name_en="Unassigned",
        aliases=[],
        zone="Asia/Shanghai",
        latitude=0.0,
        longitude=0.0,
        profile="public",
        occupancy_grace_ms=-1,
    )
    _insert(
        "pile_models",
        key="unknown",
        vendor="unknown",
        name="unknown",
        protocol="ykc",
        current_kind="dc",
        connectors=1,
        rated_power_w=180_000,
        register_kind="session",
        quantum_e4kwh=1,
        register_digits=0,
    )
    _insert("tariffs", key="default", name="默认电价")
    _insert(
        "tariff_versions",
        tariff_id=1,
        # Other platforms count from 0001: a charger that holds one of theirs must not seem to hold this one.
        model_no="9001",
        from_ms=0,
        slot_classes=[FLAT] * 48,
        electricity_price_e5yuan=[80_000] * 4,
        service_price_e5yuan=[40_000] * 4,
    )
    _insert("station_tariffs", station_id=1, from_ms=0, tariff_id=1)


def _insert(table: str, **values: object) -> None:
    columns = [sa.column(name, sa.JSON() if isinstance(value, list) else None) for name, value in values.items()]
    op.bulk_insert(sa.table(table, *columns), [values])
