"""Each anomaly code fires where its rule says so, not a hair before, and names its reason and cause."""

from typing import Any, NamedTuple

import pytest
from clickhouse_driver import Client

from tests.analytics.session_revision_rows import MINUTE, T0, clean_row, compute, insert_rows, insert_tariff, trade_no

END = T0 + 30 * MINUTE
HOUR = 60 * MINUTE
NO_BILL: dict[str, Any] = {
    "has_bill": 0,
    "bill_receive_ms": 0,
    "bill_start_ms": 0,
    "bill_end_ms": 0,
    "bill_energy_e4kwh": 0,
    "bill_class_energy_e4kwh": [],
    "bill_class_mask": 15,
}


class Case(NamedTuple):
    """A session and what must be said of it. `hits`: (code, reading, reason) that must be among the stored ones."""

    name: str
    changes: dict[str, Any]
    raw: list[int]
    corrected: list[int]
    causes: tuple[str, ...] = ()
    hits: tuple[tuple[int, str, str], ...] = ()


def energy(total: int, **more: Any) -> dict[str, Any]:
    """A bill over `total` with parts that fit."""
    return {"bill_energy_e4kwh": total, "bill_class_energy_e4kwh": [0, 0, total, 0], **more}


def measured(best: int, width: int = 1, **more: Any) -> dict[str, Any]:
    """A platform figure."""
    return {
        "best_e4kwh": best,
        "low_e4kwh": best - width,
        "high_e4kwh": best + width,
        "naive_energy_e4kwh": best,
        **more,
    }


def times(start: int, end: int, **more: Any) -> dict[str, Any]:
    """Times of the bill."""
    return {"bill_start_ms": start, "bill_end_ms": end, "bill_receive_ms": end + 1_000, **more}


CASES = [
    Case("clean", {}, [], []),
    # 1 and 2
    Case("waiting", {**NO_BILL, "bill_state": "waiting"}, [], []),
    Case("overdue", {**NO_BILL, "bill_state": "overdue"}, [], []),
    Case("lost", {**NO_BILL, "bill_state": "lost"}, [1], [1], (), ((1, "raw", "NO_BILL"),)),
    Case("lost after silence", {**NO_BILL, "bill_state": "lost", "life": "ended_offline"}, [1], [1], ("OFFLINE",)),
    Case("lost offline", {**NO_BILL, "bill_state": "lost_offline"}, [2], [2], ("OFFLINE",)),
    Case(
        "nothing expected", {**NO_BILL, "bill_state": "not_expected", "life": "failed_start"}, [], [], ("START_FAILED",)
    ),
    Case(
        "lost stands alone",
        {**NO_BILL, "bill_state": "lost", "unplugged_ms": END + HOUR, "plugged_until_ms": END + HOUR - 15_000},
        [1],
        [1],
    ),
    # 3
    Case("no start time", times(0, END), [3], [3], (), ((3, "corrected", "TIME_MISSING"),)),
    Case("no end time", {"bill_end_ms": 0}, [3], [3]),
    Case(
        "end before start",
        times(END, T0),
        [3, 5, 9],
        [3, 5, 9],
        (),
        ((3, "raw", "END_BEFORE_START"), (5, "raw", "NEGATIVE")),
    ),
    Case(
        "end = start without energy",
        times(T0, T0, **energy(0), **measured(0), power_over_1kw_ms=0, naive_span_ms=0),
        [],
        [],
    ),
    Case("end 3 min ahead", {"bill_receive_ms": END - 3 * MINUTE}, [], []),
    Case("end in the future", {"bill_receive_ms": END - 3 * MINUTE - 1}, [3], [3], (), ((3, "raw", "END_IN_FUTURE"),)),
    Case("3 min before the order", {"order_created_ms": T0 + 3 * MINUTE}, [], []),
    Case(
        "before the order", {"order_created_ms": T0 + 3 * MINUTE + 1}, [3], [3], (), ((3, "raw", "START_BEFORE_ORDER"),)
    ),
    Case("4 min 04 after the order", {"order_created_ms": T0 - 244_000}, [], []),
    Case("60 min after the order", {"order_created_ms": T0 - HOUR}, [], []),
    Case(
        "long after the order",
        {"order_created_ms": T0 - HOUR - 1},
        [3],
        [3],
        (),
        ((3, "raw", "START_LONG_AFTER_ORDER"),),
    ),
    Case("commissioned at the start", {"commissioned_ms": T0}, [], []),
    Case("before commissioning", {"commissioned_ms": T0 + 1}, [3], [3], (), ((3, "raw", "BEFORE_COMMISSIONING"),)),
    Case("clock 180 s off", {"clock_offset_ms": -180_000}, [], []),
    Case("clock off", {"clock_offset_ms": -180_001}, [3], [3], (), ((3, "raw", "CLOCK_OFF"),)),
    Case(
        "clock stepped",
        {"clock_offset_ms": 200_000, "clock_step_ms": 200_000},
        [3],
        [3],
        ("CLOCK_STEP",),
        ((3, "raw", "CLOCK_STEP"),),
    ),
    Case("bill shifted 10 min back", times(T0 - 600_000, END - 600_000), [3], [3], (), ((3, "raw", "CLOCK_SHIFT"),)),
    Case("bill shifted 3 min", times(T0 - 180_000, END - 180_000), [], []),
    Case("no bill, clock off", {**NO_BILL, "bill_state": "waiting", "clock_offset_ms": 999_999}, [], []),
    # 4
    Case("all that can flow", energy(660_001, **measured(660_001)), [], []),
    Case(
        "more than can flow",
        energy(660_002, **measured(660_002)),
        [4, 5],
        [4, 5],
        (),
        ((4, "raw", "OVER_PHYSICAL_LIMIT"), (5, "raw", "TOO_SHORT")),
    ),
    Case("400 kWh", energy(4_000_000, **measured(4_000_000), pmax_w=900_000), [], []),
    Case(
        "above 400 kWh",
        energy(4_000_001, **measured(4_000_001), pmax_w=900_000),
        [4],
        [4],
        (),
        ((4, "raw", "OVER_MAXIMUM"),),
    ),
    Case(
        "above 120 kWh ac",
        energy(1_200_001, **measured(1_200_001), pmax_w=900_000, current_kind="ac"),
        [4],
        [4],
        (),
        ((4, "raw", "OVER_MAXIMUM"),),
    ),
    Case("parts 0.01 off", {"bill_class_energy_e4kwh": [0, 0, 199_900, 0]}, [], []),
    Case("parts off", {"bill_class_energy_e4kwh": [0, 0, 199_899, 0]}, [4], [4], (), ((4, "raw", "PARTS_DIFFER"),)),
    Case("part outside", {"bill_class_energy_e4kwh": [0, 1, 199_999, 0]}, [4], [4], (), ((4, "raw", "PART_OUTSIDE"),)),
    Case("0.1 kWh under power", energy(1_000, **measured(1_000)), [], []),
    Case("too little", energy(999, **measured(999)), [4], [4], (), ((4, "raw", "TOO_LITTLE"),)),
    Case("too little but short", energy(999, **measured(999), power_over_1kw_ms=5 * MINUTE - 1), [], []),
    # 5
    Case("18 h", times(T0, T0 + 18 * HOUR, naive_span_ms=18 * HOUR), [], []),
    Case("too long", times(T0, T0 + 18 * HOUR + 1, naive_span_ms=18 * HOUR), [5], [5], (), ((5, "raw", "TOO_LONG"),)),
    Case("18 h ac", times(T0, T0 + 18 * HOUR + 1, naive_span_ms=18 * HOUR, current_kind="ac"), [], []),
    Case("36 h ac", times(T0, T0 + 36 * HOUR + 1, naive_span_ms=36 * HOUR, current_kind="ac"), [5], [5]),
    Case("no duration", times(T0, T0, naive_span_ms=0), [5], [5], (), ((5, "corrected", "NO_DURATION"),)),
    # 6
    Case("stood 30 min", {"unplugged_ms": END + 30 * MINUTE, "plugged_until_ms": END + 30 * MINUTE - 10}, [], []),
    Case(
        "stood longer",
        {"unplugged_ms": END + 30 * MINUTE + 1, "plugged_until_ms": END + 30 * MINUTE},
        [6],
        [6],
        (),
        ((6, "corrected", "UNPLUGGED_LATE"),),
    ),
    Case(
        "unplug not observed",
        {"unplugged_ms": END + HOUR, "plugged_until_ms": END + 10 * MINUTE},
        [],
        [],
    ),
    Case("at least", {"unplugged_ms": 0, "plugged_until_ms": END + HOUR}, [6], [6], (), ((6, "raw", "AT_LEAST"),)),
    Case("not decided", {"occupancy_decided": 0, "unplugged_ms": 0, "plugged_until_ms": END + HOUR}, [], []),
    Case("depot", {"occupancy_grace_ms": -1, "unplugged_ms": 0, "plugged_until_ms": END + HOUR}, [], []),
    Case("fault while plugged", {"fault_after_end": 1, "unplugged_ms": 0, "plugged_until_ms": END + HOUR}, [], []),
    Case(
        "balancing",
        {"occupancy_from_ms": END + 40 * MINUTE, "unplugged_ms": END + HOUR, "plugged_until_ms": END + HOUR},
        [],
        [],
    ),
    # 8
    Case("0.2 kWh = 1 % off", {"naive_energy_e4kwh": 198_000}, [], []),
    Case(
        "naive off, most of it before the first reading",
        {"naive_energy_e4kwh": 197_999, "begin_missed_e4kwh": 1_001},
        [8],
        [],
        ("LATE_BASELINE",),
        ((8, "raw", "NAIVE_DIFFERENCE"),),
    ),
    Case(
        "naive off, most of it later",
        {"naive_energy_e4kwh": 197_999, "begin_missed_e4kwh": 1_000},
        [8],
        [],
        ("RS485_LOSS",),
    ),
    Case(
        "naive off, zero baseline",
        {"naive_energy_e4kwh": 900_000, "flags": ["ZERO_READ", "ZERO_BASELINE"]},
        [8],
        [],
        ("ZERO_BASELINE",),
    ),
    Case("naive off, spike", {"naive_energy_e4kwh": 900_000, "flags": ["SPIKE"]}, [8], [], ("REGISTER_JUMP",)),
    Case("naive off, reset", {"naive_energy_e4kwh": 900, "flags": ["RESET"]}, [8], [], ("REGISTER_RESET",)),
    Case("naive off, zeros", {"naive_energy_e4kwh": 0, "flags": ["ZERO_READ"]}, [8], [], ("RS485_LOSS",)),
    Case("naive off, frozen", {"naive_energy_e4kwh": 900, "flags": ["FROZEN"]}, [8], [], ("FROZEN",)),
    Case("naive off, tail", {"naive_energy_e4kwh": 100_000, "flags": ["TAIL_GAP"]}, [8], [], ("OFFLINE",)),
    Case(
        "naive off, deaf",
        {"naive_energy_e4kwh": 100_000, "flags": ["TAIL_GAP"], "outage_ms": 1},
        [8],
        [],
        ("PLATFORM_OUTAGE",),
    ),
    Case(
        "inside the tolerance above",
        energy(201_991, **{**measured(199_972), "naive_energy_e4kwh": 199_971}),
        [8],
        [],
        ("RESOLUTION",),
    ),
    Case("bill above", energy(230_000, **measured(200_000)), [8], [8], (), ((8, "corrected", "BILL_ABOVE"),)),
    Case("bill below", energy(170_000, **measured(200_000)), [8], [8], (), ((8, "corrected", "BILL_BELOW"),)),
    Case("bill a tenth", energy(20_000, **measured(200_000)), [8], [8], ("SCALE",)),
    Case(
        "bill off, figure questionable",
        energy(230_000, **measured(200_000, quality="QUESTIONABLE", flags=["JUMP"])),
        [8],
        [],
        ("REGISTER_JUMP",),
    ),
    Case(
        "no readings",
        {**measured(0, quality="MISSING", high_e4kwh=660_000), "charging_readings": 0, "naive_span_ms": 0},
        [],
        [],
    ),
    Case(
        "a record that begins at zero",
        energy(
            12_500_000,
            **measured(200_000, register_kind="lifetime", register_start_e4kwh=12_300_000),
            bill_meter_end_e4kwh=12_500_000,
        ),
        [4, 5, 8],
        [],
        ("ZERO_BASELINE",),
        ((4, "raw", "OVER_PHYSICAL_LIMIT"), (5, "raw", "TOO_SHORT")),
    ),
    Case(
        "a record that begins at zero, but of another charge",
        energy(
            12_500_000,
            **measured(200_000, register_kind="lifetime", register_start_e4kwh=12_200_000),
            bill_meter_end_e4kwh=12_500_000,
        ),
        [4, 5, 8],
        [4, 5, 8],
    ),
    Case(
        "a record that begins at zero, measured by a counter",
        energy(12_500_000, **measured(200_000), bill_meter_end_e4kwh=12_500_000),
        [4, 5, 8],
        [],
        ("ZERO_BASELINE",),
    ),
    Case(
        "a record that begins at zero, and nothing to hold it against",
        energy(12_500_000, **measured(200_000, quality="QUESTIONABLE"), bill_meter_end_e4kwh=12_500_000),
        [4, 5, 8],
        [4, 5],
        ("RESOLUTION",),
    ),
    Case("losses told apart", {"bill_loss_energy_e4kwh": 210_000}, [], []),
    Case(
        "losses in the energy",
        energy(210_000, **measured(200_000), bill_loss_energy_e4kwh=200_000),
        [8],
        [],
        ("LOSS_RATIO",),
    ),
    Case(
        "losses that explain nothing",
        energy(230_000, **measured(200_000), bill_loss_energy_e4kwh=220_000),
        [8],
        [8],
    ),
    Case("unit changed", {"naive_energy_e4kwh": 2_000_000, "flags": ["SCALE"]}, [8], [], ("SCALE",)),
    Case("rested for minutes", {"naive_energy_e4kwh": 150_000, "flags": ["STANDSTILL"]}, [8], [], ("FROZEN",)),
    # 7
    Case("overlap of a minute", {"overlaps": [(4, 1, "x", 60_000, "connector")]}, [], []),
    Case(
        "overlap",
        {"overlaps": [(4, 1, "x", 60_000, "connector"), (4, 1, "y", 60_001, "connector")]},
        [7],
        [7],
        (),
        ((7, "corrected", "SAME_CONNECTOR"),),
    ),
    Case("vehicle elsewhere for 5 min", {"overlaps": [(5, 1, "x", 300_000, "vin")]}, [], []),
    Case("vehicle elsewhere", {"overlaps": [(5, 1, "x", 300_001, "vin")]}, [7], [7], (), ((7, "raw", "SAME_VEHICLE"),)),
    Case("both guns", {"overlaps": [(4, 2, "x", 999_000, "dual_gun")]}, [], []),
    Case("card elsewhere", {"overlaps": [(5, 1, "x", 999_000, "card")]}, [], []),
    Case("overlap by a clock", {"overlaps": [(4, 1, "x", 60_001, "connector_clock")]}, [7], [], ("CLOCK_STEP",)),
    Case(
        "overlap of a minute, more by a clock",
        {"overlaps": [(4, 1, "x", 90_000, "connector_clock"), (4, 1, "x", 60_000, "connector")]},
        [7],
        [],
        ("CLOCK_STEP",),
    ),
    Case(
        "overlap without a record",
        {**NO_BILL, "bill_state": "lost", "overlaps": [(4, 1, "x", 99_000, "vin")]},
        [1],
        [1],
    ),
    Case(
        "record of a charge under another number",
        {**energy(0), "life": "other_number", "overlaps": [(4, 1, "x", 99_000, "connector")]},
        [],
        [],
    ),
    # 9
    Case("180 s longer", {"naive_span_ms": 27 * MINUTE}, [], []),
    Case("longer", {"naive_span_ms": 27 * MINUTE - 1}, [9], [9], (), ((9, "corrected", "BILL_LONGER"),)),
    Case("longer, not seen", {"naive_span_ms": 20 * MINUTE, "unobserved_end_ms": 10 * MINUTE}, [9], [], ("OFFLINE",)),
    Case(
        "longer, platform deaf", {"naive_span_ms": 20 * MINUTE, "outage_ms": 10 * MINUTE}, [9], [], ("PLATFORM_OUTAGE",)
    ),
    Case("shorter", {"naive_span_ms": 40 * MINUTE}, [9], [9], (), ((9, "raw", "BILL_SHORTER"),)),
    # 11
    Case("no energy", energy(0), [11], [11], (), ((11, "corrected", "NO_ENERGY"),)),
    Case("no energy, 0.5 kWh", energy(0, **measured(5_001), power_over_1kw_ms=0), [11], [11]),
    Case("no energy, less than 0.5 kWh", energy(0, **measured(5_000), power_over_1kw_ms=0), [], []),
    Case("no energy, 60 s of power", energy(0, **measured(10), power_over_1kw_ms=MINUTE), [11], [11]),
    Case(
        "no energy, a whole-kWh meter that shows none",
        energy(0, **measured(0, 10_000), quantum_e4kwh=10_000, power_energy_e4kwh=10_526),
        [],
        [],
    ),
    Case(
        "no energy, a whole kWh by power",
        energy(0, **measured(0, 10_000), quantum_e4kwh=10_000, power_energy_e4kwh=10_527),
        [11],
        [11],
    ),
    Case("no energy, 59 s of power", energy(0, **measured(10), power_over_1kw_ms=MINUTE - 1), [], []),
    Case(
        "no end register",
        energy(230_000, bill_meter_start_e4kwh=5, **measured(200_000)),
        [11],
        [11],
        (),
        ((11, "raw", "NO_END_REGISTER"), (11, "corrected", "NO_END_REGISTER")),
    ),
    Case("no end register, energy as measured", {"bill_meter_start_e4kwh": 5}, [11], [], ("RS485_LOSS",)),
    Case(
        "end register rolled over to 0",
        {"bill_meter_start_e4kwh": 9_999_800_000, "register_digits": 6},
        [11],
        [],
        ("ROLLOVER",),
    ),
    Case(
        "end register of a meter that began at 0",
        {"bill_meter_start_e4kwh": 5, "flags": ["RESET"], "naive_span_ms": 40 * MINUTE},
        [11],
        [9],
        ("REGISTER_RESET",),
    ),
    Case("no registers at all", {"bill_meter_start_e4kwh": 0}, [], []),
    Case("11 stands alone", energy(0, clock_offset_ms=999_999, naive_span_ms=0), [11], [11]),
    # combinations and standing causes
    Case(
        "8,9,6",
        {
            "naive_energy_e4kwh": 1,
            "naive_span_ms": 0,
            "unplugged_ms": 0,
            "plugged_until_ms": END + HOUR,
            "unobserved_start_ms": 30 * MINUTE,
        },
        [8, 9, 6],
        [6],
        ("LATE_BASELINE", "OFFLINE"),
    ),
    Case("two bills", {"different_bills": 1}, [], [], ("DUPLICATE_BILL",)),
    Case("other tariff", {"tariff_stale": 1}, [], [], ("TARIFF_STALE",)),
]


class Found(NamedTuple):
    """What ClickHouse said of one case."""

    raw: list[int]
    corrected: list[int]
    causes: list[str]
    hits: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def found(module_database: Client) -> dict[str, Found]:
    """The codes of all cases, computed as one batch."""
    insert_tariff(module_database)
    insert_rows(module_database, [clean_row(number, **case.changes) for number, case in enumerate(CASES)])
    compute(module_database)
    rows = module_database.execute("SELECT trade_no, codes_raw, codes, causes, hits FROM session_codes")
    by_trade = {row[0]: Found(*row[1:]) for row in rows}
    return {case.name: by_trade[trade_no(number)] for number, case in enumerate(CASES)}


@pytest.mark.server
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_codes_of_a_session(found: dict[str, Found], case: Case) -> None:
    result = found[case.name]
    assert (result.raw, result.corrected) == (case.raw, case.corrected), result.hits
    assert result.causes == sorted(case.causes)
    named = {(hit[0], hit[1], hit[2]) for hit in result.hits}
    assert set(case.hits) <= named
    assert {hit[0] for hit in result.hits if hit[1] == "raw"} == set(case.raw)


@pytest.mark.server
def test_names_of_cases_differ() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.server
def test_computing_a_batch_again_adds_nothing(module_database: Client, found: dict[str, Found]) -> None:
    compute(module_database)
    ((codes,),) = module_database.execute("SELECT count() FROM session_codes")
    ((bills,),) = module_database.execute("SELECT count() FROM bill_revisions")
    without_bill = sum(case.changes.get("life") == "other_number" for case in CASES)
    assert codes == bills + without_bill == len(found)
