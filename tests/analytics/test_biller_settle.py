"""Deciding a capture's sessions as if a week had passed, and the golden case of a charger that fell silent."""

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.meter_profiles import PMAX_PERCENT
from tests.analytics.stored_facts import DAY, HOUR, MINUTE, SECOND, T0, Facts, pile, trade_no

pytestmark = pytest.mark.server


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


WEEK = 7 * DAY
END = T0 + 20 * MINUTE


@pytest.fixture
def facts(database: Client) -> Facts:
    return Facts(database)


def settled(database: Client, facts: Facts, last_ms: int) -> tuple[str, list[int], str, int]:
    """Life of the session, corrected codes, status and hold of its bill after `settle`."""
    biller = Biller(database, facts.directory, clock=lambda: last_ms + WEEK)
    biller.settle([4], last_ms + WEEK)
    assert biller.settle([4], last_ms + WEEK).session_revisions == 0
    # a platform that starts later sees the same facts as new ones, and leaves what was decided
    for days in (0, 1, 30):
        live = Biller(database, facts.directory, clock=lambda: last_ms + MINUTE + days * DAY)  # noqa: B023
        report = live.run_once()
        assert (report.sessions_evaluated, report.session_revisions) == (1, 0)
        database.execute("TRUNCATE TABLE biller_progress")
    ((life,),) = database.execute("SELECT life FROM sessions")
    ((codes, status, held),) = database.execute("SELECT codes, status, held FROM bills")
    return life, codes, str(status), held


def test_charger_that_was_online_stays_so_without_sending_the_bill(database: Client, facts: Facts) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(END + SECOND, 0)])
    assert settled(database, facts, END + SECOND) == ("ended", [1], "final", 0)


def test_charger_that_fell_silent_in_the_charge_stays_silent(database: Client, facts: Facts) -> None:
    facts.insert("readings", facts.charging(T0, 20))
    facts.heard(T0, END)
    assert settled(database, facts, END) == ("ended_offline", [2], "final", 1)


def test_connector_that_fell_silent_while_its_charger_was_heard(database: Client, facts: Facts) -> None:
    facts.insert("readings", facts.charging(T0, 20))
    facts.heard(T0, END + HOUR)
    assert settled(database, facts, END + HOUR) == ("ended_offline", [1], "final", 1)


def test_charger_away_long_before_the_end_of_the_capture_stays_away(database: Client, facts: Facts) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(END + SECOND, 0)])
    biller = Biller(database, facts.directory, clock=lambda: END + WEEK)
    biller.settle([4], END + WEEK, observed_until_ms={4: END + HOUR})
    assert database.execute("SELECT codes FROM bills") == [([2],)]


def test_car_that_was_plugged_stays_plugged(database: Client, facts: Facts) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(END + SECOND)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    assert settled(database, facts, END + 2 * SECOND) == ("ended", [6], "final", 0)


def test_settle_leaves_other_piles_alone(database: Client, facts: Facts) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(END + SECOND, 0)])
    biller = Biller(database, facts.directory, clock=lambda: END + WEEK)
    assert biller.settle([5], END + WEEK).sessions_evaluated == 0
    assert biller.settle([], END + WEEK).sessions_evaluated == 0


def test_energy_of_a_charge_that_ended_in_a_silence(database: Client, facts: Facts) -> None:
    """Golden case G1 as a session counter: 36.36 kWh proven, 422 s in which more may have flowed, code 1, held."""
    start = T0
    count = 1_617 * SECOND // 15_000
    readings = [
        facts.reading(
            start + n * 15_000, energy_e4kwh=363_600 * n // count, seq=n, charge_minutes=n // 4, current_da=2_025
        )
        for n in range(count + 1)
    ]
    last = readings[-1]["event_ms"]
    back = last + 422 * SECOND
    facts.insert(
        "readings",
        [*readings, facts.idle(back, 0, state=1), facts.idle(back + MINUTE, 0)],
    )
    assert settled(database, facts, back + MINUTE) == ("ended_offline", [1], "final", 1)
    ((low, best, high, quality, end_low, end_high),) = database.execute(
        "SELECT low_e4kwh, best_e4kwh, high_e4kwh, quality, end_low_ms, end_high_ms FROM sessions"
    )
    assert (best, quality) == (363_600, "ESTIMATED")
    assert (end_low, end_high) == (last, back)
    limit = 132_000 * 422_000 // 360_000
    assert low <= best <= high
    assert best + limit <= high <= best + limit + 2 * 132_000 * 30_000 // 360_000
    ((final, causes),) = database.execute("SELECT final_energy_e4kwh, causes FROM bills")
    assert (final, causes) == (363_600, ["OFFLINE"])


def test_trade_number_used_by_two_connectors_gives_two_sessions(database: Client, facts: Facts) -> None:
    for connector in (1, 2):
        readings = facts.charging(T0, 20, connector=connector)
        facts.insert("readings", [*readings, facts.idle(END + SECOND, 0, connector=connector)])
        facts.insert("pile_bill_uploads", [facts.bill(T0, 20, connector=connector, content_digest=connector)])
    Biller(database, facts.directory, clock=lambda: END + HOUR).settle([4], END + WEEK)
    found = database.execute(
        "SELECT connector, final_energy_e4kwh FROM bills WHERE trade_no = %(t)s", {"t": trade_no()}
    )
    assert sorted(found) == [(1, 200_000), (2, 200_000)]


def test_live_facts_after_a_capture_decide_again(database: Client, facts: Facts) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(END + SECOND)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    Biller(database, facts.directory, clock=lambda: END).settle([4], END + WEEK)
    assert database.execute("SELECT codes FROM bills") == [([6],)]
    facts.insert("readings", [facts.idle(END + 5 * MINUTE, 0)])
    Biller(database, facts.directory, clock=lambda: END + HOUR).run_once()
    assert database.execute("SELECT codes FROM bills") == [([],)]


def learned(database: Client, number: int, *, pmax_w: int, quantum_e4kwh: int = 1) -> None:
    """A row that holds for sessions from before T0 on."""
    row = (number, 4, 1, T0 - HOUR, "session", quantum_e4kwh, pmax_w, T0 + number)
    names = "profile_id, pile_id, connector, valid_from_ms, register_kind, quantum_e4kwh, pmax_w, computed_ms"
    database.execute(f"INSERT INTO meter_profiles ({names}) VALUES", [row])


def by_which_row(database: Client) -> tuple[int, int, int]:
    """Revision, row of the meter and quantum of what stands."""
    ((revision, number, quantum),) = database.execute("SELECT revision, meter_profile_id, quantum_e4kwh FROM sessions")
    return revision, number, quantum


@pytest.mark.parametrize("first", [0, 76])
def test_what_is_learned_later_touches_no_bill_of_a_live_platform(database: Client, first: int) -> None:
    facts = Facts(database, pile(learns=("quantum", "rated_power"), rated_power_w=180_000))
    if first:
        learned(database, first, pmax_w=66_000)
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(END + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    facts.heard(T0, END + HOUR)
    Biller(database, facts.directory, clock=lambda: END + HOUR).run_once()
    stood = by_which_row(database)
    assert stood[1] == first
    learned(database, 77, pmax_w=66_000, quantum_e4kwh=10_000)
    database.execute("TRUNCATE TABLE biller_progress")
    again = Biller(database, facts.directory, clock=lambda: END + 2 * DAY)
    assert (again.run_once().sessions_evaluated, by_which_row(database)) == (1, stood)
    # a replay decides by what is in force by now
    again.settle([4], END + WEEK)
    assert by_which_row(database)[1:] == (77, 10_000)


def test_a_charge_that_is_not_billed_yet_goes_by_the_row_in_force(database: Client) -> None:
    facts = Facts(database, pile(learns=("quantum", "rated_power"), rated_power_w=180_000))
    facts.insert("readings", facts.charging(T0, 20))
    Biller(database, facts.directory, clock=lambda: END + SECOND).run_once()
    assert by_which_row(database)[1] == 0
    learned(database, 77, pmax_w=66_000)
    facts.insert("readings", [facts.idle(END + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    database.execute("TRUNCATE TABLE biller_progress")
    Biller(database, facts.directory, clock=lambda: END + HOUR).run_once()
    assert by_which_row(database)[1] == 77


def test_a_short_charge_of_more_power_than_the_week_before_is_billed(database: Client) -> None:
    facts = Facts(database, pile(learns=("quantum", "rated_power"), rated_power_w=180_000))
    learned(database, 77, pmax_w=60_000 * PMAX_PERCENT // 100)
    facts.insert("readings", [*facts.charging(T0, 4, power_w=150_000), facts.idle(T0 + 4 * MINUTE + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 4, power_w=150_000)])
    facts.heard(T0, END + HOUR)
    Biller(database, facts.directory, clock=lambda: END + HOUR).run_once()
    found = database.execute("SELECT final_energy_e4kwh, toString(quality), held, codes_raw, codes FROM bills")
    assert found == [(100_000, "VALID", 0, [], [])]
