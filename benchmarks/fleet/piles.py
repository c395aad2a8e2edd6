"""What the simulator knows of each charger it plays."""

from typing import Final

import msgspec

from benchmarks.fleet.errors import FleetError
from core.tariff_version import TariffVersion

PILE_CODE_DIGITS: Final = 14
YKC: Final = "ykc"
AAF5: Final = "aaf5"

DEFAULT_TARIFF: Final = TariffVersion(
    tariff_version_id=0,
    tariff_id=0,
    model_no="0001",
    from_ms=0,
    # valley at night, peak before noon and in the evening, sharp between: the shape of a southern Chinese tariff
    slot_classes=tuple(
        3 if hour < 8 else 0 if hour in (11, 15, 16) else 1 if hour in (10, 14, 17, 18) else 2
        for hour in range(24)
        for _half in range(2)
    ),
    electricity_price_e5yuan=(129_000, 105_000, 68_000, 31_000),
    service_price_e5yuan=(60_000, 60_000, 60_000, 50_000),
)


class SimPile(msgspec.Struct, frozen=True):
    """One charger of the fleet. `tariffs` are its station's versions in the order of `from_ms`, for the history.

    `gun_letters`: each gun of an AAF5 charger has a connection of its own, and a letter behind the charger's code.
    """

    code: str
    current_kind: str
    connectors: int
    rated_power_w: int
    quantum_e4kwh: int = 1
    zone: str = "Asia/Shanghai"
    vendor: str = "simulated"
    model: str = "simulated"
    station: str = ""
    depot: bool = False
    tariffs: tuple[TariffVersion, ...] = (DEFAULT_TARIFF,)
    protocol: str = YKC
    gun_letters: bool = False

    @property
    def is_dc(self) -> bool:
        """Whether it charges with direct current, and so talks to the vehicle's battery management."""
        return self.current_kind == "dc"

    def tariff_at(self, event_ms: int) -> TariffVersion:
        """The version valid by date at that moment; the first one before all of them."""
        valid = [version for version in self.tariffs if version.from_ms <= event_ms]
        return valid[-1] if valid else self.tariffs[0]

    def gun_no(self, connector: int) -> str:
        """The connector as the two BCD digits of YKC."""
        return f"{connector:02d}"

    def wire_code(self, connector: int) -> str:
        """The id by which a gun of an AAF5 charger goes on the wire (aaf5.md section 6)."""
        return f"{self.code}{chr(ord('A') + connector - 1)}" if self.gun_letters else self.code

    def plain_gun_no(self, connector: int) -> int:
        """The connector as AAF5 numbers it: 0 on a charger that has only one."""
        return connector if self.connectors > 1 else 0


def simple_aaf5_fleet(piles: int, *, first_code: int = 44_010_600_010_001) -> tuple[SimPile, ...]:
    """AAF5 chargers without a file: two guns with letters, two without, one with a letter, one without; again."""
    if not 1 <= piles <= 1_000_000:
        raise FleetError(f"a fleet of {piles} chargers: 1 to 1,000,000 are allowed")
    return tuple(
        SimPile(
            code=f"{first_code + i:014d}",
            current_kind="ac" if i % 4 == 3 else "dc",
            connectors=2 if i % 4 < 2 else 1,
            rated_power_w=7_000 if i % 4 == 3 else 120_000,
            quantum_e4kwh=100,
            protocol=AAF5,
            gun_letters=i % 2 == 0,
        )
        for i in range(piles)
    )


def simple_fleet(piles: int, *, first_code: int = 32_010_600_010_001) -> tuple[SimPile, ...]:
    """A fleet without a file: three DC chargers with two connectors, then an AC one, again and again."""
    if not 1 <= piles <= 1_000_000:
        raise FleetError(f"a fleet of {piles} chargers: 1 to 1,000,000 are allowed")
    return tuple(
        SimPile(code=f"{first_code + i:014d}", current_kind="ac", connectors=1, rated_power_w=7_000)
        if i % 4 == 3
        else SimPile(
            code=f"{first_code + i:014d}",
            current_kind="dc",
            connectors=2,
            rated_power_w=(60_000, 120_000, 180_000)[i % 3],
        )
        for i in range(piles)
    )
