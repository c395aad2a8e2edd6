"""The tables of the master data. Moments are UTC epoch milliseconds, powers watts, prices 1e-5 yuan per kWh.

Each kind of record has a natural key (`key`, or the code on the wire) by which people and files name it, and a number
by which facts name it.
"""

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, MetaData, String, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

UNASSIGNED_KEY = "unassigned"
NOT_WATCHED_MS = -1


class Base(DeclarativeBase):
    """Root of the tables; constraints have fixed names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {list[str]: JSON, list[int]: JSON}


class Operator(Base):
    """Who runs stations and earns from them; a sub-operator has a parent. Number 1 is `unassigned`."""

    __tablename__ = "operators"

    operator_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("operators.operator_id"))
    name: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    settle_first: Mapped[bool] = mapped_column(default=False)

    parent: Mapped["Operator | None"] = relationship(remote_side=[operator_id])


class Station(Base):
    """A place with chargers. `zone` is an IANA name: tariffs and daily reports are cut in its local time."""

    __tablename__ = "stations"

    station_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.operator_id"))
    name: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    aliases: Mapped[list[str]]
    zone: Mapped[str] = mapped_column(String(64))
    latitude: Mapped[float]
    longitude: Mapped[float]
    profile: Mapped[str] = mapped_column(String(16))
    occupancy_grace_ms: Mapped[int] = mapped_column(BigInteger)

    operator: Mapped[Operator] = relationship()
    tariffs: Mapped[list["StationTariff"]] = relationship(
        back_populates="station", order_by="StationTariff.from_ms", cascade="all, delete-orphan"
    )

    __table_args__ = (CheckConstraint("profile IN ('public', 'depot')", name="profile"),)


class PileModel(Base):
    """A type of charger: what its maker says of its power, and what its meter's register is like.

    `learns`: which of these values nobody gave (`core.directory.Pile.learns`); they are then only assumed here.
    `stops_offline`: its connectors stop charging when their link is lost.
    """

    __tablename__ = "pile_models"

    pile_model_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    vendor: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    protocol: Mapped[str] = mapped_column(String(16))
    current_kind: Mapped[str] = mapped_column(String(2))
    connectors: Mapped[int]
    rated_power_w: Mapped[int]
    register_kind: Mapped[str] = mapped_column(String(16))
    quantum_e4kwh: Mapped[int]
    register_digits: Mapped[int]
    learns: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    stops_offline: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (
        CheckConstraint("protocol IN ('ykc', 'aaf5')", name="protocol"),
        CheckConstraint("current_kind IN ('dc', 'ac')", name="current_kind"),
        CheckConstraint("register_kind IN ('lifetime', 'session', 'boot')", name="register_kind"),
        CheckConstraint("rated_power_w > 0 AND quantum_e4kwh > 0 AND connectors > 0", name="positive"),
    )


class Pile(Base):
    """One charger. `code` is its id on the wire (YKC: 14 digits; AAF5: up to 32 characters).

    `gun_letters`: each gun logs in by itself as the code with a letter behind it (aaf5.md section 6).
    """

    __tablename__ = "piles"

    pile_id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.station_id"), index=True)
    pile_model_id: Mapped[int] = mapped_column(ForeignKey("pile_models.pile_model_id"))
    protocol: Mapped[str] = mapped_column(String(16))
    commissioned_ms: Mapped[int] = mapped_column(BigInteger)
    is_test: Mapped[bool] = mapped_column(default=False)
    gun_letters: Mapped[bool] = mapped_column(default=False, server_default=false())

    station: Mapped[Station] = relationship()
    model: Mapped[PileModel] = relationship()
    connectors: Mapped[list["Connector"]] = relationship(
        back_populates="pile", order_by="Connector.number", cascade="all, delete-orphan"
    )
    owners: Mapped[list["PileOwnership"]] = relationship(
        back_populates="pile", order_by="PileOwnership.from_ms", cascade="all, delete-orphan"
    )


class Connector(Base):
    """One gun of a charger, numbered from 1."""

    __tablename__ = "connectors"

    pile_id: Mapped[int] = mapped_column(ForeignKey("piles.pile_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    rated_power_w: Mapped[int]

    pile: Mapped[Pile] = relationship(back_populates="connectors")

    __table_args__ = (CheckConstraint("number BETWEEN 1 AND 99", name="number"),)


class PileOwnership(Base):
    """An operator owns a charger from a moment until before another (null: still)."""

    __tablename__ = "pile_ownerships"

    pile_id: Mapped[int] = mapped_column(ForeignKey("piles.pile_id"), primary_key=True)
    from_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    to_ms: Mapped[int | None] = mapped_column(BigInteger)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.operator_id"))

    pile: Mapped[Pile] = relationship(back_populates="owners")
    operator: Mapped[Operator] = relationship()

    __table_args__ = (CheckConstraint("to_ms IS NULL OR to_ms > from_ms", name="order"),)


class Tariff(Base):
    """A price list; what it says at a moment is the version valid then."""

    __tablename__ = "tariffs"

    tariff_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))

    versions: Mapped[list["TariffVersion"]] = relationship(
        back_populates="tariff", order_by="TariffVersion.from_ms", cascade="all, delete-orphan"
    )


class TariffVersion(Base):
    """Prices from a moment on. Never changed: a charger may hold it under its `model_no`, unique among all versions.

    `slot_classes`: 48 half-hours of the local day, 0 sharp, 1 peak, 2 flat, 3 valley. Prices by class in that order.
    """

    __tablename__ = "tariff_versions"

    tariff_version_id: Mapped[int] = mapped_column(primary_key=True)
    tariff_id: Mapped[int] = mapped_column(ForeignKey("tariffs.tariff_id"))
    model_no: Mapped[str] = mapped_column(String(4), unique=True)
    from_ms: Mapped[int] = mapped_column(BigInteger)
    slot_classes: Mapped[list[int]]
    electricity_price_e5yuan: Mapped[list[int]]
    service_price_e5yuan: Mapped[list[int]]

    tariff: Mapped[Tariff] = relationship(back_populates="versions")

    __table_args__ = (UniqueConstraint("tariff_id", "from_ms"),)


class StationTariff(Base):
    """A station charges by a tariff from a moment until the next assignment begins."""

    __tablename__ = "station_tariffs"

    station_id: Mapped[int] = mapped_column(ForeignKey("stations.station_id"), primary_key=True)
    from_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tariff_id: Mapped[int] = mapped_column(ForeignKey("tariffs.tariff_id"))

    station: Mapped[Station] = relationship(back_populates="tariffs")
    tariff: Mapped[Tariff] = relationship()
