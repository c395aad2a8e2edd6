"""Learning from stored readings: what each day shows, when it holds, and that looking again changes nothing."""

import hashlib
import random
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.meter_learning import LEARNING_RULE, MeterLearner, closed_ms, last_closed
from analytics.meter_profiles import InForce, stored_profiles
from analytics.sql_files import sql_text
from core.directory import Pile
from core.session_number import session_halves
from tests.analytics.register_rows import RegisterFacts, register_pile
from tests.analytics.stored_facts import DAY, HOUR, MINUTE, SECOND, T0, Facts, pile, trade_no

pytestmark = pytest.mark.server
EVERYTHING = ("quantum", "rated_power", "register", "digits")
ZONE = "Asia/Shanghai"
MIDNIGHT = T0 - 8 * HOUR
KWH = 10_000


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


def learning(**changes: Any) -> Pile:
    """A YKC charger of which nobody configured anything."""
    return pile(**{"learns": EVERYTHING, "rated_power_w": 180_000, **changes})


def charge(
    facts: Facts,
    start_ms: int,
    number: int,
    *,
    power_w: int = 60_000,
    minutes: int = 20,
    quantum: int = 1,
    base: int = 0,
) -> list[dict[str, Any]]:
    """A charge whose counter shows whole quanta; it began at `base`, and power is never quite the same."""
    noise = random.Random(number)
    energy = base
    rows = []
    for elapsed in range(0, minutes * MINUTE + 1, 30_000):
        row = facts.reading(
            start_ms + elapsed,
            trade_no=trade_no(number),
            energy_e4kwh=energy // quantum * quantum,
            charge_minutes=elapsed // MINUTE,
            seq=elapsed // 30_000,
            current_da=power_w // 40,
        )
        rows.append(row)
        energy += power_w * 30_000 // 360_000 + noise.randrange(-9, 10)
    return rows


def days_of(facts: Facts, days: int, per_day: int = 6, **how: Any) -> list[dict[str, Any]]:
    """`per_day` charges a day from 08:00 on, one an hour."""
    return [
        row
        for day in range(days)
        for place in range(per_day)
        for row in charge(facts, T0 + day * DAY + place * HOUR, 1 + day * per_day + place, **how)
    ]


def rows_of(database: Client) -> list[tuple[Any, ...]]:
    return list(
        database.execute(
            "SELECT connector, valid_from_ms, register_kind, quantum_e4kwh, pmax_w, register_digits, profile_id"
            " FROM meter_profiles ORDER BY ALL"
        )
    )


def values_at(database: Client, at_ms: int, pile_id: int = 4) -> tuple[str, int, int, int]:
    meter = InForce(stored_profiles(database, [pile_id])[pile_id, 1]).at(at_ms)
    return meter.register_kind, meter.quantum_e4kwh, meter.pmax_w, meter.register_digits


def test_a_day_is_learned_an_hour_after_its_midnight_and_holds_from_then_on(database: Client) -> None:
    facts = Facts(database, learning())
    facts.insert("readings", days_of(facts, 8, quantum=KWH))
    learner = MeterLearner(database, facts.directory)
    closed = MIDNIGHT + DAY + HOUR
    assert learner.learn_closed_days(closed - 1) == 0
    assert learner.due_ms(closed - 1) == closed
    assert learner.learn_closed_days(closed) == 1
    assert learner.due_ms(closed) == closed + DAY
    assert values_at(database, closed - 1) == ("", 0, 0, 0)
    assert values_at(database, closed) == ("", KWH, 0, 0)
    # register kind after ten sessions, Pmax after seven days and a thousand readings; in between nothing is new
    assert learner.learn_closed_days(MIDNIGHT + 9 * DAY) == 2
    assert values_at(database, closed + DAY) == ("session", KWH, 0, 0)
    assert values_at(database, closed + 6 * DAY) == ("session", KWH, 66_000, 0)
    assert learner.learn_closed_days(MIDNIGHT + 60 * DAY) == 0
    ((reasons, first, last, sessions),) = database.execute(
        "SELECT reasons, learned_from_day, learned_to_day, sessions FROM meter_profiles"
        " ORDER BY valid_from_ms DESC LIMIT 1"
    )
    assert (first, last, sessions) == (date(2023, 11, 15), date(2023, 11, 21), 42)
    assert [reason.split()[:2] for reason in reasons] == [["register", "session:"], ["quantum", "1"], ["power", "60"]]


def test_neither_order_nor_repetition_nor_a_second_look_changes_what_is_learned(database: Client) -> None:
    facts = Facts(database, learning())
    rows = days_of(facts, 9, quantum=100)
    rows[20]["current_da"] = rows[500]["current_da"] = 2_000  # 80 kW, more than 1 of 1000 readings until the eighth day
    until_ms = MIDNIGHT + 10 * DAY
    facts.insert("readings", [dict(row) for row in rows])
    learner = MeterLearner(database, facts.directory, clock=lambda: 5)
    assert learner.learn_closed_days(until_ms, [4]) == 4
    expected = rows_of(database)
    for again in (None, [4], [4, 5]):
        assert learner.learn_closed_days(until_ms, again) == 0
    facts.insert("readings", [{**row, "segment_offset": 9} for row in rows[::4]])
    facts.insert("readings", [{**row, "segment_offset": 9} for row in (rows[20], rows[500])])
    assert learner.learn_closed_days(until_ms, [4]) == 0, "the same frames once more"
    assert rows_of(database) == expected

    # the days in any order: what holds at each moment is what follows from all of them
    for table in ("readings", "meter_days", "meter_profiles"):
        database.execute(f"TRUNCATE TABLE {table}")
    random.Random(1).shuffle(rows)
    for part in (rows[::2], rows[1::2]):
        facts.insert("readings", [dict(row) for row in part])
        learner.learn_closed_days(until_ms, [4])
    in_force = InForce(stored_profiles(database, [4])[4, 1])
    for _connector, from_ms, *values, profile_id in expected:
        assert in_force.at(from_ms - 1).profile_id != profile_id
        assert in_force.at(from_ms).profile_id == profile_id
        assert values_at(database, from_ms) == tuple(values)


@pytest.mark.parametrize(("few", "many"), [(100, KWH), (KWH, 100)])
def test_of_two_rows_of_one_moment_the_later_made_one_holds(database: Client, few: int, many: int) -> None:
    facts = Facts(database, learning())
    learner = MeterLearner(database, facts.directory, clock=lambda: 5)
    for number, minutes, quantum in ((1, 12, few), (2, 600, many)):
        rows = charge(facts, T0 + number * HOUR, number, minutes=minutes, quantum=quantum, power_w=117_000)
        facts.insert("readings", rows)
        assert learner.learn_closed_days(MIDNIGHT + 2 * DAY, [4]) == 1
        assert values_at(database, MIDNIGHT + 2 * DAY)[1] == quantum


def test_what_was_learned_measures_later_sessions_and_touches_no_bill(database: Client) -> None:
    facts = Facts(database, learning())
    facts.insert("readings", days_of(facts, 3, quantum=KWH))
    learner = MeterLearner(database, facts.directory)
    biller = Biller(database, facts.directory, clock=lambda: T0 + 40 * DAY)
    learner.learn_closed_days(MIDNIGHT + 4 * DAY, [4])
    biller.settle([4], T0 + 10 * DAY)
    measured = (
        "SELECT trade_no, start_ms, meter_profile_id, quantum_source, pmax_source, register_source, quantum_e4kwh,"
        " high_e4kwh - low_e4kwh FROM sessions ORDER BY start_ms"
    )
    sessions = database.execute(measured)
    numbers = [row[-1] for row in rows_of(database)]
    # 6 sessions of the first day have no row; those of the second are measured by its quantum, of the third by its kind
    assert [one[2] for one in sessions] == [0] * 6 + [numbers[0]] * 6 + [numbers[1]] * 6
    assert {one[4] for one in sessions} == {"default"}
    assert [one[5] for one in sessions] == ["default"] * 12 + ["learned"] * 6
    assert {one[3:4] + one[6:7] for one in sessions[6:]} == {("learned", KWH)}
    assert all(one[-1] >= 2 * KWH for one in sessions[6:])
    old = {"old": tuple(one[0] for one in sessions[:-1])}  # the last one now has a next one, and a newer revision
    of_old = "SELECT * FROM bill_revisions WHERE trade_no IN %(old)s ORDER BY ALL"
    bills = database.execute(of_old, old)
    assert len(bills) == 17

    # a week of 200 kW and a finer meter: later sessions only
    later = [
        row
        for day in range(4, 14)
        for place in range(6)
        for row in charge(facts, T0 + day * DAY + place * HOUR, 900 + day * 6 + place, power_w=200_000, quantum=100)
    ]
    facts.insert("readings", later)
    assert learner.learn_closed_days(MIDNIGHT + 15 * DAY, [4]) >= 2
    biller.settle([4], T0 + 30 * DAY)
    after = database.execute(measured)
    assert after[:18] == sessions
    assert database.execute(of_old, old) == bills
    assert after[-1][4] == "learned" and after[-1][6] == 100
    # more than was ever thought possible, but power and register say so both
    assert {one[4] for one in after[18:24]} == {"session"}


def test_a_model_that_says_everything_is_not_looked_at(database: Client) -> None:
    facts = Facts(database, pile(), pile(5, learns=EVERYTHING))
    facts.insert("readings", days_of(facts, 8))
    count = "SELECT value FROM system.events WHERE event = 'Query'"
    ((before,),) = database.execute(count)
    learner = MeterLearner(database, Facts(database, pile()).directory)
    ((between,),) = database.execute(count)
    assert learner.learn_closed_days(MIDNIGHT + 9 * DAY) == 0
    assert learner.learn_closed_days(MIDNIGHT + 9 * DAY, [4]) == 0
    ((after,),) = database.execute(count)
    assert (after - between) == 1 < (between - before)
    assert MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 9 * DAY) == 0, "it has no readings"
    assert database.execute("SELECT count() FROM meter_days") == [(0,)]


def test_only_what_the_model_leaves_open_is_learned(database: Client) -> None:
    facts = Facts(database, learning(learns=("quantum",)))
    facts.insert("readings", days_of(facts, 8, quantum=100))
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 9 * DAY)
    assert [row[2:6] for row in rows_of(database)] == [("", 100, 0, 0)]


def test_a_counter_that_goes_on_from_charge_to_charge_is_no_session_counter(database: Client) -> None:
    facts = Facts(database, learning())
    rows = [
        row
        for place in range(14)
        for row in charge(facts, T0 + place * HOUR, 1 + place, base=468_710_000 + 200_000 * place, quantum=100)
    ]
    facts.insert("readings", rows)
    assert MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 2 * DAY) == 1
    assert values_at(database, MIDNIGHT + 2 * DAY) == ("lifetime", 100, 0, 0)


@pytest.mark.parametrize(("boots", "kind"), [((), "lifetime"), ((7,), "lifetime"), ((4, 9, 15), "boot")])
def test_the_register_of_a_status_goes_on_or_restarts_at_boot(
    database: Client, boots: tuple[int, ...], kind: str
) -> None:
    facts = RegisterFacts(database, register_pile(learns=EVERYTHING))
    before, rows = 500 * KWH, []
    for place in range(20):
        before = 0 if place in boots else before + 200_000
        rows += facts.charge(T0 + place * HOUR, 20, number=f"SN-{place}", before=before)
        rows += facts.repeats(T0 + place * HOUR + 21 * MINUTE, T0 + place * HOUR + 50 * MINUTE, T0 + place * HOUR, 20,
                              number=f"SN-{place}", before=before)  # fmt: skip
    facts.insert("readings", rows)
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 3 * DAY)
    assert values_at(database, MIDNIGHT + 3 * DAY, 5)[:2] == (kind, 100)


@pytest.mark.parametrize(("begin", "digits"), [(999_990, 6), (9_995, 4), (1_000_000, 6), (1_999_990, 0), (999_000, 0)])
def test_a_rollover_shows_the_digits(database: Client, begin: int, digits: int) -> None:
    """Within the second of two charges or between them; where there is none the register goes on or falls from afar."""
    facts = RegisterFacts(database, register_pile(learns=EVERYTHING))
    modulus = 10 ** (digits + 4) if digits else 10**18
    rows = facts.charge(T0, 5, number="SN-1", before=begin * KWH - 50_000)
    rows += facts.charge(T0 + HOUR, 20, number="SN-2", before=begin * KWH)
    rows = [{**status, "register_e4kwh": status["register_e4kwh"] % modulus} for status in rows]
    if not digits:
        rows += facts.charge(T0 + 2 * HOUR, 20, number="SN-3", before=100)
    facts.insert("readings", rows)
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 2 * DAY)
    assert values_at(database, MIDNIGHT + 2 * DAY, 5)[3] == digits
    between = digits != 0 and begin == 10**digits
    assert database.execute("SELECT restarted, continued FROM meter_days") == [(int(not digits), int(not between))]


def test_an_absolute_register_that_is_zero_until_the_charge_starts_goes_on(database: Client) -> None:
    facts = RegisterFacts(database, register_pile(learns=EVERYTHING))
    rows = []
    for place in range(14):
        rows += facts.charge(T0 + place * HOUR, 20, number=f"SN-{place}", before=(500 + 20 * place) * KWH)
        rows += [{**status, "register_e4kwh": 0} for status in rows[-81:-78]]
    facts.insert("readings", rows)
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 2 * DAY)
    assert values_at(database, MIDNIGHT + 2 * DAY, 5)[:2] == ("lifetime", 100)


def test_what_an_idle_charger_repeats_is_no_reading_of_a_charge(database: Client) -> None:
    facts = RegisterFacts(database, register_pile(learns=EVERYTHING))
    learner = MeterLearner(database, facts.directory)
    for day in range(4):
        start_ms = T0 + day * DAY
        own: dict[str, Any] = {"number": f"SN-{day}", "before": (500 + 30 * day) * KWH}
        repeats = facts.repeats(start_ms + 31 * MINUTE, start_ms + 9 * HOUR, start_ms, 30, **own)
        facts.insert("readings", [*facts.charge(start_ms, 30, **own), *repeats])
        learner.learn_closed_days(start_ms + DAY)
    seen = "SELECT sum(readings), sum(arraySum(power_readings)), sum(continued) FROM meter_days"
    assert database.execute(seen) == [(484, 484, 3)]


def test_a_charge_over_midnight_is_one(database: Client) -> None:
    facts = RegisterFacts(database, register_pile(learns=EVERYTHING))
    for night in range(1, 6):
        rows = facts.charge(
            MIDNIGHT + night * DAY - 10 * MINUTE, 20, number=f"SN-{night}", before=(500 + 20 * night) * KWH
        )
        facts.insert("readings", rows)
    learner = MeterLearner(database, facts.directory)
    for night in range(1, 8):
        learner.learn_closed_days(MIDNIGHT + night * DAY + HOUR)
    ((days, sessions, continued, restarted),) = database.execute(
        "SELECT uniqExact(day), sum(sessions), sum(continued), sum(restarted) FROM meter_days"
    )
    assert (days, sessions, continued, restarted) == (6, 10, 4, 0)


def test_zeros_and_spikes_teach_nothing(database: Client) -> None:
    facts = Facts(database, learning())
    rows = days_of(facts, 8, quantum=KWH)
    for place, row in enumerate(rows):
        if place % 41 == 20:
            row["energy_e4kwh"] = 0
        elif place % 41 == 30:
            row["energy_e4kwh"] = 468_713_700 + place
            row["current_da"] = 65_000
    facts.insert("readings", rows)
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 9 * DAY)
    kind, quantum, _pmax_w, digits = values_at(database, MIDNIGHT + 9 * DAY)
    assert (kind, quantum, digits) == ("session", KWH, 0)


def test_power_that_the_register_does_not_bear_out_is_not_learned(database: Client) -> None:
    facts = Facts(database, learning())
    rows = days_of(facts, 8)
    facts.insert("readings", [{**row, "current_da": row["current_da"] * 10} for row in rows])
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 9 * DAY)
    assert values_at(database, MIDNIGHT + 9 * DAY)[2] == 0
    # an alternating current is told for one phase of three: the register alone speaks
    facts = Facts(database, learning(current_kind="ac", pile_id=6))
    facts.insert("readings", [{**row, "pile_id": 6, "current_da": row["current_da"] // 3} for row in rows])
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 9 * DAY)
    assert values_at(database, MIDNIGHT + 9 * DAY, 6)[2] in range(66_000, 68_000)


def test_each_connector_learns_by_itself(database: Client) -> None:
    facts = Facts(database, learning())
    rows = days_of(facts, 2)
    facts.insert("readings", [*rows, *({**row, "connector": 2} for row in days_of(facts, 2, quantum=KWH))])
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 20 * DAY)
    profiles = stored_profiles(database, [4])
    one, two = (InForce(profiles[4, connector]).at(MIDNIGHT + 20 * DAY) for connector in (1, 2))
    assert (one.register_kind, one.quantum_e4kwh) == ("session", 1)
    assert (two.register_kind, two.quantum_e4kwh) == ("session", KWH)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia"])
def test_days_close_by_the_clock_of_the_station(zone: str) -> None:
    at_ms = int(datetime(2026, 3, 8, tzinfo=UTC).timestamp()) * SECOND
    for hour in range(0, 24 * 400, 7):
        moment = at_ms + hour * HOUR
        day = last_closed(moment, zone)
        assert closed_ms(day, zone) <= moment
        assert closed_ms(date.fromordinal(day.toordinal() + 1), zone) > moment


def test_days_of_two_zones_close_at_their_own_midnight(database: Client) -> None:
    west = learning(pile_id=6, zone="Europe/Berlin")
    facts = Facts(database, learning(), west)
    rows = days_of(facts, 1, quantum=KWH)
    facts.insert("readings", [*rows, *({**row, "pile_id": 6} for row in rows)])
    learner = MeterLearner(database, facts.directory)
    closed = MIDNIGHT + DAY + HOUR
    assert [learner.learn_closed_days(closed), learner.due_ms(closed)] == [1, closed + 7 * HOUR]
    assert [learner.learn_closed_days(closed + 7 * HOUR), learner.due_ms(closed + 7 * HOUR)] == [1, closed + DAY]


@pytest.mark.parametrize(("times", "per"), [(1, 1_000), (1, 100), (1, 10), (10, 1), (100, 1), (1_000, 1)])
def test_a_charge_in_another_unit_teaches_nothing(database: Client, times: int, per: int) -> None:
    """Its own day teaches nothing, and honest days what the meter is, in whatever order they come."""
    facts = Facts(database, learning())
    strange = [
        {**row, "energy_e4kwh": row["energy_e4kwh"] * times // per}
        for row in charge(facts, T0, 1, minutes=120, quantum=KWH)
    ]
    honest = [row for day in (1, 2) for row in charge(facts, T0 + day * DAY, 1 + day, minutes=60, quantum=KWH)]
    learner = MeterLearner(database, facts.directory, clock=lambda: 5)
    found = []
    for parts in ((strange, honest), (honest, strange), ((*honest[::2], *strange), (*honest[1::2], *strange))):
        for part in parts:
            facts.insert("readings", [dict(row) for row in part])
            learner.learn_closed_days(MIDNIGHT + 4 * DAY, [4])
        assert learner.learn_closed_days(MIDNIGHT + 4 * DAY, [4]) == 0
        in_force = InForce(stored_profiles(database, [4])[4, 1])
        found.append([in_force.at(MIDNIGHT + day * DAY + HOUR) for day in (1, 2, 3)])
        for table in ("readings", "meter_days", "meter_profiles"):
            database.execute(f"TRUNCATE TABLE {table}")
    first, second, third = found[0]
    assert (first.quantum_e4kwh, second.quantum_e4kwh, third.quantum_e4kwh) == (0, KWH, KWH)
    assert (third.pmax_w, third.register_digits) == (0, 0)
    assert found[1:] == [found[0]] * 2


def test_power_of_one_phase_of_three_is_no_other_unit(database: Client) -> None:
    facts = Facts(database, learning(current_kind="ac"))
    rows = [{**row, "current_da": row["current_da"] // 3} for row in days_of(facts, 2, power_w=22_000, quantum=KWH)]
    strange = charge(facts, T0 + 2 * DAY, 99, power_w=7_000, minutes=200, quantum=KWH)
    facts.insert("readings", [*rows, *({**row, "energy_e4kwh": row["energy_e4kwh"] * 10 // 1_000} for row in strange)])
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 4 * DAY)
    assert values_at(database, MIDNIGHT + 4 * DAY)[:2] == ("session", KWH)


def test_a_register_in_another_unit_neither_restarted_nor_rolled_over(database: Client) -> None:
    facts = RegisterFacts(database, register_pile(learns=EVERYTHING))
    rows = []
    for place in range(16):
        own = facts.charge(T0 + place * HOUR, 20, number=f"SN-{place}", before=(9_000 + 20 * place) * KWH)
        per = 1_000 if place in (3, 7, 11) else 1
        rows += [{**status, "register_e4kwh": status["register_e4kwh"] // per} for status in own]
    facts.insert("readings", rows)
    MeterLearner(database, facts.directory).learn_closed_days(MIDNIGHT + 2 * DAY)
    assert values_at(database, MIDNIGHT + 2 * DAY, 5) == ("", 100, 0, 0), "nine pairs are too few to tell the kind"
    assert database.execute("SELECT restarted, continued FROM meter_days") == [(0, 9)]


def test_readings_that_name_no_session_are_looked_at_once(database: Client) -> None:
    facts = Facts(database, learning())
    high, low = session_halves("0" * 32)
    facts.insert("readings", [{**facts.reading(T0), "trade_hi": high, "trade_lo": low}])
    learner = MeterLearner(database, facts.directory)
    for _ in range(2):
        assert learner.learn_closed_days(MIDNIGHT + 2 * DAY) == 0
    assert database.execute("SELECT readings, sessions, differences FROM meter_days") == [(1, 0, 0)]


RULE_AND_QUESTION = (1, "40ea6f5501605649")


def test_the_rule_has_another_number_when_what_it_asks_changes() -> None:
    """Else days that were looked at before would never be looked at by it: raise LEARNING_RULE, and note the digest."""
    asked = re.sub(r"--[^\n]*|\s+", " ", sql_text("meter_days"))
    asked = " ".join(asked.split())
    assert (LEARNING_RULE, hashlib.sha256(asked.encode()).hexdigest()[:16]) == RULE_AND_QUESTION


def test_days_of_an_older_rule_are_looked_at_again_once(database: Client) -> None:
    facts = Facts(database, learning(learns=("quantum",)))
    facts.insert("readings", days_of(facts, 3, quantum=100))
    learner = MeterLearner(database, facts.directory)
    until_ms = MIDNIGHT + 4 * DAY
    assert learner.learn_closed_days(until_ms) == 1
    newer = rows_of(database)
    evidence = "SELECT * EXCEPT (computed_ms) FROM meter_days ORDER BY ALL"
    looked_at = database.execute(evidence)
    # what a version left that took the steps for whole kWh: as many readings, and a row of profiles that says so
    database.execute("CREATE TABLE older AS meter_days")
    whole = "arrayWithConstant(4, differences) AS divisible"
    database.execute(f"INSERT INTO older SELECT * REPLACE (0 AS rule, {whole}) FROM meter_days")
    profile = (
        "INSERT INTO meter_profiles SELECT * REPLACE (10000 AS quantum_e4kwh, 7 AS profile_id) FROM meter_profiles"
    )
    database.execute(profile)
    for statement in ("TRUNCATE TABLE meter_days", "INSERT INTO meter_days SELECT * FROM older", "DROP TABLE older"):
        database.execute(statement)
    database.execute("ALTER TABLE meter_profiles DELETE WHERE profile_id != 7 SETTINGS mutations_sync = 2")
    assert values_at(database, until_ms) == ("", KWH, 0, 0)

    assert learner.learn_closed_days(until_ms) == 1
    assert values_at(database, until_ms) == ("", 100, 0, 0)
    assert [row for row in rows_of(database) if row[-1] != 7] == newer
    assert [row for row in database.execute(evidence) if row[-1] == LEARNING_RULE] == looked_at
    # an older version that runs beside it writes later rows, which count for nothing
    later = f"SELECT * REPLACE (0 AS rule, {whole}, computed_ms + 1 AS computed_ms) FROM meter_days WHERE rule > 0"
    database.execute(f"INSERT INTO meter_days {later}")
    assert learner.learn_closed_days(until_ms) == 0
    facts.insert("readings", charge(facts, T0 + 2 * DAY + 10 * HOUR, 99, quantum=100))
    assert learner.learn_closed_days(until_ms) == 0
    assert database.execute("SELECT count() FROM meter_days WHERE rule > 0") == [(4,)]
