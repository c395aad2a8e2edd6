"""The biller over a real ClickHouse: what becomes of stored facts, and when."""

from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from analytics.biller import Biller
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Clock, Facts, pile, trade_no

pytestmark = pytest.mark.server


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


@pytest.fixture
def facts(database: Client) -> Facts:
    return Facts(database)


@pytest.fixture
def clock() -> Clock:
    return Clock(T0 + HOUR)


@pytest.fixture
def biller(database: Client, facts: Facts, clock: Clock) -> Biller:
    return Biller(database, facts.directory, clock=clock)


def rows(client: Client, table: str, trade: str | None = None) -> list[dict[str, Any]]:
    found, columns = client.execute(
        f"SELECT * FROM {table} WHERE trade_no = %(trade)s ORDER BY revision",
        {"trade": trade or trade_no()},
        with_column_types=True,
    )
    return [dict(zip([name for name, _kind in columns], row, strict=True)) for row in found]


def one(client: Client, table: str, trade: str | None = None) -> dict[str, Any]:
    found = rows(client, table, trade)
    assert len(found) == 1, f"{len(found)} rows in {table}"
    return found[0]


def test_clean_session_is_billed_once(database: Client, facts: Facts, biller: Biller) -> None:
    facts.insert(
        "readings",
        [*facts.charging(T0, 20), facts.idle(T0 + 20 * MINUTE + 5 * SECOND), facts.idle(T0 + 22 * MINUTE, 0)],
    )
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    report = biller.run_once()
    assert (report.session_revisions, report.bill_revisions) == (1, 1)
    bill = one(database, "bill_revisions")
    assert bill["status"] == "final"
    assert bill["codes_raw"] == bill["codes"] == []
    assert bill["final_energy_e4kwh"] == bill["pile_energy_e4kwh"] == 200_000
    # 08:00-08:20 is flat: 20 kWh x 0.70 + 0.40 yuan
    assert (bill["amount_fen"], bill["electricity_fen"], bill["service_fen"]) == (2_200, 1_400, 800)
    assert bill["class_energy_e4kwh"] == [0, 0, 200_000, 0]
    assert bill["held"] == 0
    session = one(database, "session_revisions")
    assert session["life"] == "ended"
    assert session["unplugged_ms"] == T0 + 22 * MINUTE
    again = biller.run_once()
    assert (again.changes, again.session_revisions) == (0, 0)


def test_charge_under_way_has_no_bill_and_one_revision(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    readings = facts.charging(T0, 20)
    facts.insert("readings", readings[:40])
    clock.now_ms = T0 + 10 * MINUTE
    assert biller.run_once().session_revisions == 1
    assert one(database, "session_revisions")["life"] == "open"
    facts.insert("readings", readings[40:60])
    clock.now_ms = T0 + 15 * MINUTE
    report = biller.run_once()
    assert (report.open_sessions, report.session_revisions, report.sessions_evaluated) == (1, 0, 0)
    assert rows(database, "bill_revisions") == []
    # another process finds the same open session and adds nothing either
    assert Biller(database, facts.directory, clock=clock).run_once().session_revisions == 0
    facts.insert("readings", [*readings[60:], facts.idle(T0 + 20 * MINUTE + 2 * SECOND)])
    clock.now_ms = T0 + 20 * MINUTE + 10 * SECOND
    assert biller.run_once().bill_revisions == 1
    bill = one(database, "bill_revisions")
    assert (bill["status"], bill["revision"], bill["platform_energy_e4kwh"]) == ("provisional", 2, 200_000)


def test_bill_that_never_comes_from_a_charger_online(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    end = T0 + 20 * MINUTE
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(end + SECOND), facts.idle(end + MINUTE, 0)])
    facts.heard(T0, T0 + 2 * HOUR)
    states = []
    for minutes in (1, 14, 16, 29, 31, 60):
        clock.now_ms = end + minutes * MINUTE
        biller.run_once()
        bill = rows(database, "bill_revisions")[-1]
        states.append((rows(database, "session_revisions")[-1]["bill_state"], bill["status"], bill["codes"]))
    assert states == [
        ("waiting", "provisional", []),
        ("waiting", "provisional", []),
        ("overdue", "provisional", []),
        ("overdue", "provisional", []),
        ("lost", "final", [1]),
        ("lost", "final", [1]),
    ]
    assert len(rows(database, "bill_revisions")) == 3
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20, receive_ms=clock.now_ms)])
    biller.run_once()
    bill = rows(database, "bill_revisions")[-1]
    assert (bill["codes"], bill["final_rule"], bill["final_energy_e4kwh"]) == ([], 1, 200_000)


def test_charger_silent_in_the_charge_and_back_without_a_bill(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    end = T0 + 20 * MINUTE
    facts.insert("readings", facts.charging(T0, 20))
    facts.heard(T0, end)
    clock.now_ms = end + 29 * MINUTE
    biller.run_once()
    assert one(database, "session_revisions")["life"] == "open"
    clock.now_ms = end + 31 * MINUTE
    biller.run_once()
    assert rows(database, "session_revisions")[-1]["life"] == "ended_offline"
    bill = one(database, "bill_revisions")
    assert (bill["codes"], bill["status"], bill["held"], bill["quality"]) == ([2], "final", 1, "ESTIMATED")
    clock.now_ms = end + 2 * HOUR
    assert biller.run_once().session_revisions == 0, "waiting longer changes no figure"
    back = end + 3 * HOUR
    facts.insert("readings", [facts.idle(back, 0)])
    facts.heard(back, back + HOUR)
    clock.now_ms = back + 5 * MINUTE
    biller.run_once()
    assert rows(database, "bill_revisions")[-1]["codes"] == []
    clock.now_ms = back + 20 * MINUTE
    biller.run_once()
    clock.now_ms = back + 31 * MINUTE
    biller.run_once()
    assert rows(database, "bill_revisions")[-1]["codes"] == [1]


def test_no_charger_is_late_while_the_loader_is_behind(database: Client, facts: Facts, clock: Clock) -> None:
    end = T0 + 20 * MINUTE
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(end + SECOND, 0)])
    facts.heard(T0, end + MINUTE)
    clock.now_ms = end + 5 * HOUR
    biller = Biller(database, facts.directory, clock=clock, loaded_until=lambda: end + 2 * MINUTE)
    biller.run_once()
    assert one(database, "session_revisions")["bill_state"] == "waiting"


def test_outage_of_the_platform_counts_against_nobody(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    end = T0 + 20 * MINUTE
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(end + SECOND, 0)])
    facts.heard(T0, end + 10 * MINUTE)
    facts.insert(
        "platform_outages", [{"node": "a", "from_ms": end + 10 * MINUTE, "to_ms": end + HOUR, "cause": "stopped"}]
    )
    facts.heard(end + HOUR, end + HOUR + 30 * MINUTE)
    clock.now_ms = end + HOUR + MINUTE
    biller.run_once()
    assert one(database, "session_revisions")["bill_state"] == "waiting"
    clock.now_ms = end + HOUR + 21 * MINUTE
    biller.run_once()
    assert rows(database, "session_revisions")[-1]["bill_state"] == "lost"


def test_late_reading_appends_one_revision_and_a_repeated_upload_none(
    database: Client, facts: Facts, biller: Biller
) -> None:
    readings = facts.charging(T0, 20)
    late = readings.pop(40)
    facts.insert("readings", [*readings, facts.idle(T0 + 20 * MINUTE + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    biller.run_once()
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20, receive_ms=T0 + 30 * MINUTE)])
    report = biller.run_once()
    assert (report.sessions_evaluated, report.session_revisions) == (1, 0)
    facts.insert("readings", [late])
    assert biller.run_once().session_revisions == 1
    assert [row["readings"] for row in rows(database, "session_revisions")] == [80, 81]
    assert len(rows(database, "bill_revisions")) == 2


def test_different_bill_under_the_same_number_is_a_finding_and_the_first_stands(
    database: Client, facts: Facts, biller: Biller
) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(T0 + 20 * MINUTE + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    biller.run_once()
    facts.insert(
        "pile_bill_uploads",
        [facts.bill(T0, 20, energy_e4kwh=1, content_digest=2, receive_ms=T0 + HOUR)],
    )
    biller.run_once()
    bill = rows(database, "bill_revisions")[-1]
    assert (bill["causes"], bill["pile_energy_e4kwh"], bill["final_energy_e4kwh"]) == (
        ["DUPLICATE_BILL"],
        200_000,
        200_000,
    )


def test_long_occupancy_is_decided_at_the_unplug_and_moves_no_money(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    end = T0 + 20 * MINUTE
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(end + SECOND)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    biller.run_once()
    facts.insert("readings", [facts.idle(end + minutes * MINUTE) for minutes in range(5, 60, 5)])
    clock.now_ms = end + HOUR
    assert biller.run_once().session_revisions == 0
    facts.insert("readings", [facts.idle(end + 57 * MINUTE, 0)])
    biller.run_once()
    before, after = rows(database, "bill_revisions")
    assert (before["codes"], after["codes"]) == ([], [6])
    money = ("final_energy_e4kwh", "amount_fen", "electricity_fen", "service_fen", "slot_energy_e4kwh", "held")
    assert [before[name] for name in money] == [after[name] for name in money]


def test_occupancy_ends_with_the_next_charge_on_the_same_plug(database: Client, facts: Facts, biller: Biller) -> None:
    end = T0 + 20 * MINUTE
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(end + SECOND), facts.idle(end + 5 * MINUTE)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    biller.run_once()
    assert one(database, "session_revisions")["occupancy_decided"] == 0
    facts.insert("readings", facts.charging(end + 10 * MINUTE, 5, trade=trade_no(2)))
    biller.run_once()
    last = rows(database, "session_revisions")[-1]
    assert (last["occupancy_decided"], last["next_start_ms"], last["unplugged_ms"]) == (1, end + 10 * MINUTE, 0)
    assert rows(database, "bill_revisions")[-1]["codes"] == []


def test_plugged_for_a_day_without_an_unplug(database: Client, facts: Facts, biller: Biller, clock: Clock) -> None:
    end = T0 + 20 * MINUTE
    facts.insert("readings", [*facts.charging(T0, 20), *(facts.idle(end + m * MINUTE) for m in range(1, 1500, 5))])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    clock.now_ms = end + 23 * HOUR
    biller.run_once()
    assert rows(database, "bill_revisions")[-1]["codes"] == []
    clock.now_ms = end + 24 * HOUR
    biller.run_once()
    assert rows(database, "bill_revisions")[-1]["codes"] == [6]


def test_acknowledged_tariff_prices_the_slots_and_a_late_ack_reprices(
    database: Client, facts: Facts, biller: Biller
) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(T0 + 20 * MINUTE + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    biller.run_once()
    ack = {
        "operator_id": 2,
        "pile_id": 4,
        "event_ms": T0 - HOUR,
        "model_no": "0008",
        "tariff_version_id": 8,
        "source": "tariff_check",
    }
    facts.insert("tariff_acks", [ack])
    assert biller.run_once().session_revisions == 1
    before, after = rows(database, "bill_revisions")
    assert (before["amount_fen"], before["causes"]) == (2_200, [])
    # 20 kWh x 0.99999 and x 0.33333 yuan
    assert (after["electricity_e5yuan"], after["service_e5yuan"]) == (1_999_980, 666_660)
    assert (after["amount_fen"], after["electricity_fen"], after["service_fen"]) == (2_667, 2_000, 667)
    assert (after["tariff_stale"], after["causes"]) == (1, ["TARIFF_STALE"])


def test_clock_offset_that_arrives_later_gives_code_3(database: Client, facts: Facts, biller: Biller) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(T0 + 20 * MINUTE + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    biller.run_once()
    offset = {"operator_id": 2, "pile_id": 4, "event_ms": T0 + MINUTE, "pile_ms": 0, "offset_ms": -600_000}
    facts.insert("clock_offsets", [{**offset, "source": "record"}])
    biller.run_once()
    assert rows(database, "bill_revisions")[-1]["codes"] == [], "a record may be sent long after its time"
    facts.insert("clock_offsets", [{**offset, "source": "time_sync_reply"}])
    biller.run_once()
    bill = rows(database, "bill_revisions")[-1]
    assert (bill["codes"], bill["held"]) == ([3], 1)


def test_bill_without_any_reading_is_held(database: Client, facts: Facts, biller: Biller) -> None:
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    biller.run_once()
    bill = one(database, "bill_revisions")
    assert (bill["final_energy_e4kwh"], bill["amount_fen"], bill["held"], bill["codes_raw"]) == (200_000, 2_200, 1, [])


def test_failed_start_is_no_anomaly(database: Client, facts: Facts, biller: Biller) -> None:
    start = [facts.reading(T0 + second * SECOND, current_da=0) for second in (0, 10)]
    facts.insert("readings", [*start, facts.idle(T0 + 12 * SECOND)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 0, end_ms=T0 + 12 * SECOND)])
    biller.run_once()
    bill = one(database, "bill_revisions")
    assert one(database, "session_revisions")["life"] == "failed_start"
    assert (bill["final_energy_e4kwh"], bill["amount_fen"], bill["held"]) == (0, 0, 0)
    assert (bill["codes_raw"], bill["causes"]) == ([], ["START_FAILED"])


def test_failed_start_without_a_bill_is_not_missed(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    start = [facts.reading(T0 + second * SECOND, current_da=0) for second in (0, 10)]
    facts.insert("readings", [*start, facts.idle(T0 + 12 * SECOND)])
    facts.heard(T0, T0 + HOUR)
    clock.now_ms = T0 + HOUR
    biller.run_once()
    assert one(database, "session_revisions")["bill_state"] == "not_expected"
    assert one(database, "bill_revisions")["codes"] == []


def test_sessions_of_an_unknown_pile_wait_until_it_is_known(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    facts.insert("readings", [*facts.charging(T0, 5, pile_id=9), facts.idle(T0 + 5 * MINUTE + SECOND, 0, pile_id=9)])
    assert biller.run_once().session_revisions == 0
    assert biller.unknown_piles == {9}
    facts.directory.add(pile(9))
    clock.now_ms += 2 * MINUTE
    assert biller.run_once().session_revisions == 1
    assert biller.unknown_piles == frozenset()


def test_pass_that_broke_off_is_completed_by_the_next_process(
    database: Client, facts: Facts, biller: Biller, clock: Clock
) -> None:
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(T0 + 20 * MINUTE + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    biller.run_once()
    expected = one(database, "bill_revisions")
    for table in ("session_codes", "bill_revisions"):
        database.execute(f"TRUNCATE TABLE {table}")
    report = Biller(database, facts.directory, clock=clock).run_once()
    assert report.session_revisions == 0
    assert one(database, "bill_revisions") == expected
    assert len(rows(database, "session_codes")) == 1


def test_wrong_clock_does_not_move_a_bill_to_another_period(database: Client, facts: Facts, biller: Biller) -> None:
    received = T0 + 30 * MINUTE
    long_ago = {"start_ms": 946_684_800_000, "end_ms": 946_684_800_000 + 20 * MINUTE}
    facts.insert("pile_bill_uploads", [{**facts.bill(T0, 20, receive_ms=received), **long_ago}])
    biller.run_once()
    assert str(one(database, "bill_revisions")["local_day"]) == "2023-11-15"
    ahead = {"start_ms": T0 + 40 * 24 * HOUR, "end_ms": T0 + 40 * 24 * HOUR + MINUTE}
    facts.insert("pile_bill_uploads", [{**facts.bill(T0, 20, trade=trade_no(2), receive_ms=received), **ahead}])
    biller.run_once()
    bill = one(database, "bill_revisions", trade_no(2))
    assert str(bill["local_day"]) == "2023-11-15"
    assert 3 in bill["codes"]


def test_pass_that_fails_loses_nothing(database: Client, facts: Facts, biller: Biller) -> None:
    biller.run_once()
    facts.insert("readings", [*facts.charging(T0, 20), facts.idle(T0 + 20 * MINUTE + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    database.execute("RENAME TABLE session_codes TO session_codes_away")
    try:
        with pytest.raises(ServerException):
            biller.run_once()
    finally:
        database.execute("RENAME TABLE session_codes_away TO session_codes")
    assert rows(database, "bill_revisions") == []
    biller.run_once()
    assert one(database, "bill_revisions")["amount_fen"] == 2_200


def test_failed_start_that_only_the_charger_tells_of(database: Client, facts: Facts, biller: Biller) -> None:
    facts.insert("pile_bill_uploads", [facts.bill(T0, 0, end_ms=T0 + 12 * SECOND, receive_ms=T0 + 14 * SECOND)])
    biller.run_once()
    bill = one(database, "bill_revisions")
    assert (bill["final_energy_e4kwh"], bill["amount_fen"], bill["held"], bill["codes"]) == (0, 0, 0, [])
