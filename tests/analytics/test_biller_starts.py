"""A charge that was ordered or goes on: nothing is billed before it is known what became of it."""

from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.bill_lines import bill_lines
from analytics.biller import Biller
from analytics.questions import PLATFORM_SCOPE
from core.start_commands import START_COMMANDS
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Clock, Facts, trade_no

pytestmark = pytest.mark.server
END = T0 + 20 * MINUTE


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


@pytest.fixture
def facts(database: Client) -> Facts:
    return Facts(database)


@pytest.fixture
def clock() -> Clock:
    return Clock(T0)


@pytest.fixture
def biller(database: Client, facts: Facts, clock: Clock) -> Biller:
    return Biller(database, facts.directory, clock=clock)


def order(outcome: str = "ok", command: str = "remote_start") -> dict[str, Any]:
    """A start by the platform five seconds before the charge."""
    row = {"operator_id": 2, "pile_id": 4, "connector": 1, "command": command, "trade_no": trade_no()}
    return {**row, "sent_ms": T0 - 5 * SECOND, "answered_ms": T0 - 4 * SECOND, "outcome": outcome}


def lives(database: Client) -> list[str]:
    return [life for (life,) in database.execute("SELECT life FROM session_revisions ORDER BY revision")]


def bills(database: Client) -> list[tuple[Any, ...]]:
    return list(
        database.execute(
            "SELECT toString(status), final_energy_e4kwh, amount_fen, held, codes, causes"
            " FROM bill_revisions ORDER BY revision"
        )
    )


def test_ordered_charge_has_no_bill_until_the_charger_tells(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    facts.insert("commands", [order()])
    facts.insert("readings", [facts.idle(T0 - SECOND)])
    facts.heard(T0 - MINUTE, T0 + HOUR)
    for clock.now_ms in (T0, T0 + 29 * MINUTE):
        biller.run_once()
        assert Biller(database, facts.directory, clock=clock).run_once().session_revisions == 0
    assert (lives(database), bills(database)) == (["open"], [])
    assert database.execute("SELECT start_ms, local_day FROM sessions")[0][0] == T0 - 5 * SECOND
    # the first reading that charges tells when the charge began, the next ones nothing new
    facts.insert("readings", facts.charging(T0, 20)[:40])
    clock.now_ms = T0 + 10 * MINUTE
    assert biller.run_once().session_revisions == 1
    assert database.execute("SELECT start_ms, life FROM sessions") == [(T0, "open")]
    facts.insert("readings", facts.charging(T0, 20)[40:])
    assert biller.run_once().sessions_evaluated == 0
    facts.insert("readings", [facts.idle(END + SECOND)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    clock.now_ms = END + MINUTE
    biller.run_once()
    assert bills(database) == [("final", 200_000, 2_200, 0, [], [])]


@pytest.mark.parametrize(
    ("outcome", "idle", "heard", "life", "bill"),
    [
        # seen to stand idle, or it never said yes: the start failed
        ("ok", True, True, "failed_start", ("final", 0, 0, 0, [], ["START_FAILED"])),
        ("refused", False, True, "failed_start", ("final", 0, 0, 0, [], ["START_FAILED"])),
        # it said yes and nothing more: whatever it took is not known
        ("ok", False, True, "ended", ("final", None, None, 1, [1], [])),
        ("ok", False, False, "ended_offline", ("final", None, None, 1, [2], ["OFFLINE"])),
    ],
)
def test_ordered_charge_that_never_shows(
    database: Client, facts: Facts, clock: Clock, biller: Biller,
    outcome: str, idle: bool, heard: bool, life: str, bill: tuple[Any, ...],
) -> None:  # fmt: skip
    facts.insert("commands", [order(outcome)])
    if idle:
        facts.insert("readings", [facts.idle(T0 + minutes * MINUTE) for minutes in range(0, 60, 5)])
    facts.heard(T0 - MINUTE, T0 + HOUR if heard else T0)
    for clock.now_ms in (T0, T0 + 29 * MINUTE):
        biller.run_once()
        assert (lives(database), bills(database)) == (["open"], [])
    clock.now_ms = T0 + 31 * MINUTE
    biller.run_once()
    assert (lives(database), bills(database)) == (["open", life], [bill])
    clock.now_ms = T0 + 80 * HOUR
    assert biller.run_once().session_revisions == 0


@pytest.mark.parametrize("command", START_COMMANDS)
def test_every_start_that_was_acknowledged_is_a_session(
    database: Client, facts: Facts, clock: Clock, biller: Biller, command: str
) -> None:
    facts.insert("commands", [order(command=command)])
    facts.heard(T0 - MINUTE, T0 + HOUR)
    biller.run_once()
    assert lives(database) == ["open"]
    clock.now_ms = T0 + 31 * MINUTE
    biller.run_once()
    assert (lives(database), bills(database)) == (["open", "ended"], [("final", None, None, 1, [1], [])])


def test_starting_connector_has_no_bill(database: Client, facts: Facts, biller: Biller, clock: Clock) -> None:
    """It names the charge before it charges."""
    facts.insert("commands", [order()])
    facts.insert("readings", [facts.reading(T0 - 2 * SECOND, state=2, current_da=0)])
    biller.run_once()
    assert (lives(database), bills(database)) == (["open"], [])


def test_charge_that_goes_on_after_a_final_bill_is_not_held(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    readings = facts.charging(T0, 60)
    facts.insert("readings", readings[:81])
    facts.heard(T0, END)
    clock.now_ms = END + 31 * MINUTE
    biller.run_once()
    assert bills(database)[0][:4] == ("final", 200_000, 2_200, 1)
    facts.insert("readings", readings[-10:])
    clock.now_ms = readings[-1]["event_ms"] + SECOND
    biller.run_once()
    assert lives(database) == ["ended_offline", "open"]
    assert bills(database)[1:] == [("provisional", None, None, 0, [], [])]
    (line,) = bill_lines(database, PLATFORM_SCOPE, [trade_no()])
    assert (line["held"], line["end"], line["codes"], line["codes_raw"]) == (False, None, [], [])
    assert {line[f"{name}_kwh"] for name in ("pile_energy", "platform_energy", "low", "high", "final_energy")} == {None}
    assert line["final_amount_yuan"] is None


def test_running_charge_without_any_bill_is_written_with_nulls(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    facts.insert("readings", facts.charging(T0, 20)[:40])
    clock.now_ms = T0 + 10 * MINUTE
    biller.run_once()
    assert bills(database) == []
    (line,) = bill_lines(database, PLATFORM_SCOPE, [trade_no()])
    assert (line["start"], line["held"], line["quality"]) == ("2023-11-15T08:00:00+08:00", False, "MISSING")
    # what the platform measured when it saw the charge first is no measure of it now
    assert [line[name] for name in ("platform_energy_kwh", "low_kwh", "high_kwh", "final_energy_kwh")] == [None] * 4


def test_an_answer_that_nobody_asked_for_makes_no_session(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    facts.insert("commands", [order("unasked")])
    facts.heard(T0 - MINUTE, T0 + HOUR)
    for clock.now_ms in (T0, T0 + HOUR):
        assert biller.run_once().sessions_evaluated == 0
    assert (lives(database), bills(database)) == ([], [])
    # readings make one; the answer tells when it was started, not that a record is owed for it
    facts.insert("readings", facts.charging(T0, 20)[:1])
    facts.insert("readings", [facts.idle(T0 + MINUTE)])
    clock.now_ms = T0 + 2 * HOUR
    biller.run_once()
    ((start_command_ms, acked, bill_state),) = database.execute(
        "SELECT start_command_ms, start_acked, bill_state FROM sessions"
    )
    assert (start_command_ms, acked, bill_state) == (T0 - 5 * SECOND, 0, "not_expected")


def test_a_record_with_energy_and_no_begin_is_no_failed_start(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    facts.insert("pile_bill_uploads", [{**facts.bill(T0, 20), "start_ms": 0}])
    clock.now_ms = T0 + HOUR
    biller.run_once()
    assert lives(database) == ["ended"]
    ((status, energy, amount_fen, held, codes, causes),) = bills(database)
    assert (status, energy, held, codes) == ("final", 200_000, 1, [3])
    assert amount_fen > 0
    assert "START_FAILED" not in causes
