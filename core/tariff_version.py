"""A version of a tariff: four rate classes, a class for each half-hour of the day, two prices per class."""

import msgspec

SHARP, PEAK, FLAT, VALLEY = range(4)
CLASS_NAMES = ("sharp", "peak", "flat", "valley")
SLOTS_PER_DAY = 48


class TariffVersion(msgspec.Struct, frozen=True):
    """One version; it never changes once a charger may hold it.

    `slot_classes`: 48 rate classes (0 sharp, 1 peak, 2 flat, 3 valley), slot i covers local minutes 30i..30i+29.
    Prices are integers in 1e-5 yuan per kWh, one per class.
    """

    tariff_version_id: int
    tariff_id: int
    model_no: str
    from_ms: int
    slot_classes: tuple[int, ...]
    electricity_price_e5yuan: tuple[int, int, int, int]
    service_price_e5yuan: tuple[int, int, int, int]
