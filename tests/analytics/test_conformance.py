"""The conformance checker over a real ClickHouse: which frames belong to a session, and what is stored of the check."""

from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.conformance import ConformanceChecker, GroupBy, scores
from analytics.conformance_backlog import Backlog, SessionNews
from analytics.conformance_evidence import firmware_and_make
from analytics.questions import PLATFORM_SCOPE, Scope, ask
from core.directory import PileDirectory
from tests.analytics.stored_facts import HOUR, MINUTE, PILE_CODE, SECOND, T0, Clock, Facts, pile, trade_no
from tests.analytics.stored_steps import store_aaf5_burst, store_aaf5_session, store_session, ykc_frame

pytestmark = pytest.mark.server

MAKE = {"station_id": 3, "vendor": "Wallbox Works", "model": "W120", "protocol": "ykc"}


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


@pytest.fixture
def facts(database: Client) -> Facts:
    facts = Facts(database)
    database.execute("INSERT INTO dim_piles (pile_id, pile, station_id, vendor, model, protocol) VALUES", [
        {"pile_id": 4, "pile": PILE_CODE, **MAKE}
    ])  # fmt: skip
    database.execute(
        "INSERT INTO charger_identities (operator_id, pile_id, event_ms, firmware, segment_offset) VALUES",
        [(2, 4, T0 - HOUR, "1.06", 1), (2, 4, T0 + 9 * HOUR, "1.07", 2)],
    )
    return facts


def checked(facts: Facts, **biller: Any) -> ConformanceChecker:
    """A checker after a pass of the biller and a first one of its own."""
    Biller(facts.client, facts.directory, clock=Clock(T0 + 2 * HOUR), **biller).run_once()
    checker = ConformanceChecker(facts.client, facts.directory)
    checker.run_once()
    return checker


def rows(client: Client, table: str) -> list[dict[str, Any]]:
    found, columns = client.execute(
        f"SELECT * FROM {table} ORDER BY check_id, event_ms"
        if table != "conformance"
        else "SELECT * FROM conformance ORDER BY pile_id, trade_no",
        with_column_types=True,
    )
    return [dict(zip([name for name, _kind in columns], row, strict=True)) for row in found]


def test_a_clean_session_has_a_full_score_and_no_deviation(database: Client, facts: Facts) -> None:
    store_session(facts)
    checked(facts)
    (check,) = rows(database, "conformance")
    assert rows(database, "session_deviations") == []
    assert check["flow"] == "remote_start"
    assert check["steps_kept"] == check["steps_expected"] == 12
    assert check["step_order"] == "1 2 3 4 5 6 7"
    assert (check["vendor"], check["model"], check["firmware"]) == ("Wallbox Works", "W120", "1.06")
    assert str(check["local_day"]) == "2023-11-15"


def test_a_skipped_step_is_a_row_with_its_frames(database: Client, facts: Facts) -> None:
    store_session(facts, without=("bms_handshake",))
    checked(facts)
    (deviation,) = rows(database, "session_deviations")
    assert (deviation["step"], deviation["kind"], deviation["party"]) == ("bms_handshake", "missing", "charger")
    shown = database.execute(
        "SELECT frame_type FROM frames WHERE (segment_id, segment_offset) IN %(keys)s ORDER BY frame_type",
        {"keys": tuple(deviation["evidence"])},
    )
    assert shown == [(0x17,), (0x33,)]
    (check,) = rows(database, "conformance")
    assert (check["pattern"], check["deviations"]) == ("SKIP(2)", 1)


def test_equal_inputs_append_nothing_and_a_late_frame_appends_a_check(database: Client, facts: Facts) -> None:
    store_session(facts, without=("charge_end",))
    checker = checked(facts)
    assert checker.run_once().written == 0
    assert ConformanceChecker(database, facts.directory).run_once().written == 0
    facts.insert("frames", [ykc_frame(facts, T0 + 10 * MINUTE + SECOND, "charge_end")])
    report = ConformanceChecker(database, facts.directory).run_once()
    assert (report.checked, report.written) == (1, 1)
    (check,) = rows(database, "conformance")
    assert check["deviations"] == 0
    answer = ask(database, "conformance_deviations", PLATFORM_SCOPE, trade_no=trade_no(), pile="", limit=9, **DAYS)
    assert answer.rows == []


DAYS = {"from_day": "1970-01-01", "to_day": "2149-01-01"}


def test_a_session_whose_record_is_waited_for_is_not_checked(database: Client, facts: Facts) -> None:
    store_session(facts, without=("record",))
    Biller(database, facts.directory, clock=Clock(T0 + 20 * MINUTE)).run_once()
    assert ConformanceChecker(database, facts.directory).run_once().checked == 0
    Biller(database, facts.directory, clock=Clock(T0 + 2 * HOUR)).run_once()
    ConformanceChecker(database, facts.directory).run_once()
    assert [(row["step"], row["kind"]) for row in rows(database, "session_deviations")] == [("record", "missing")]


def test_a_request_at_the_charger_belongs_to_the_session_that_its_answer_names(database: Client, facts: Facts) -> None:
    store_session(facts, without=("remote_start", "remote_start_reply", "remote_stop", "remote_stop_reply"))
    facts.insert(
        "frames",
        [
            ykc_frame(facts, T0 - 30 * SECOND, "start_request", seq=5, start_mode=1),
            ykc_frame(facts, T0 - 10 * SECOND, "start_request", seq=6, start_mode=1),
            ykc_frame(facts, T0 - 9 * SECOND, "start_reply", seq=6, auth=1),
        ],
    )
    checked(facts)
    (check,) = rows(database, "conformance")
    assert check["flow"] == "local_start"
    assert check["deviations"] == check["platform_deviations"] == 0


def test_readings_that_stay_away_while_the_charger_is_heard_are_a_deviation(database: Client, facts: Facts) -> None:
    store_session(facts)
    database.execute(
        "ALTER TABLE readings DELETE WHERE event_ms > %(from)s AND event_ms < %(to)s SETTINGS mutations_sync = 2",
        {"from": T0 + 2 * MINUTE, "to": T0 + 5 * MINUTE},
    )
    checked(facts)
    (deviation,) = rows(database, "session_deviations")
    assert (deviation["step"], deviation["kind"], deviation["observed_ms"]) == ("realtime", "late", 3 * MINUTE)
    # the same silence of a charger that could not be heard at all is not its order of steps
    database.execute("TRUNCATE TABLE presence")
    facts.heard(T0 - 5 * MINUTE, T0 + 2 * MINUTE)
    facts.heard(T0 + 5 * MINUTE, T0 + 30 * MINUTE)
    database.execute("ALTER TABLE frames DELETE WHERE frame_type IN (0x23, 0x25) AND receive_ms > %(from)s"
                     " AND receive_ms < %(to)s SETTINGS mutations_sync = 2",
                     {"from": T0 + 2 * MINUTE, "to": T0 + 5 * MINUTE})  # fmt: skip
    ConformanceChecker(database, facts.directory).run_once()
    (check,) = rows(database, "conformance")
    assert check["deviations"] == 0


def test_steps_lost_with_a_connection_are_not_missed(database: Client, facts: Facts) -> None:
    store_session(facts, without=("bms_abort", "charge_end"))
    end_ms = T0 + 10 * MINUTE
    facts.insert(
        "connection_events",
        [
            {"operator_id": 2, "pile_id": 4, "connection_id": 1, "event_ms": end_ms + 250, "event": "closed"},
            {"operator_id": 2, "pile_id": 4, "connection_id": 3, "event_ms": end_ms + 1_500, "event": "login"},
        ],
    )
    checked(facts)
    (check,) = [row for row in rows(database, "conformance") if row["trade_no"]]
    assert check["deviations"] == 0
    assert check["steps_expected"] == 10


def test_a_login_without_its_tariff_check_is_a_deviation_of_its_own(database: Client, facts: Facts) -> None:
    login = {"operator_id": 2, "pile_id": 4, "connection_id": 5, "event_ms": T0, "event": "login"}
    facts.insert("connection_events", [login])
    facts.insert(
        "frames",
        [
            {**ykc_frame(facts, T0, "login"), "connection_id": 5},
            {**ykc_frame(facts, T0, "login_ack"), "connection_id": 5},
            {
                **ykc_frame(facts, T0 - SECOND, "bms_params"),
                "connection_id": 5,
                "pile_id": 0,
                "verdict": "not_logged_in",
            },
        ],
    )
    report = ConformanceChecker(database, facts.directory).run_once()
    assert report.written == 1
    (check,) = rows(database, "conformance")
    assert (check["flow"], check["connection_id"], check["trade_no"], check["firmware"]) == ("login", 5, "", "1.06")
    assert {(row["step"], row["kind"]) for row in rows(database, "session_deviations")} == {
        ("tariff_check", "missing"),
        ("login", "out_of_order"),
    }
    assert ConformanceChecker(database, facts.directory).run_once().written == 0


def test_an_aaf5_session_without_a_serial_is_told_by_its_connector_and_time(database: Client) -> None:
    facts = Facts(database, pile(protocol="aaf5", register_kind="lifetime"))
    store_aaf5_session(facts)
    checked(facts)
    (check,) = rows(database, "conformance")
    assert rows(database, "session_deviations") == []
    assert (check["protocol"], check["flow"], check["step_order"]) == ("aaf5", "remote_start", "1 2 3 4")


def test_a_charge_that_came_wholly_late_owes_no_end_of_its_readings(database: Client) -> None:
    facts = Facts(database, pile(protocol="aaf5", register_kind="lifetime"))
    store_aaf5_burst(facts, T0 + HOUR)
    checked(facts)
    (check,) = rows(database, "conformance")
    assert rows(database, "session_deviations") == []
    assert (check["flow"], check["steps_kept"]) == ("offline_start", check["steps_expected"])


def test_the_firmware_of_a_moment_reads_only_the_logins_of_its_charger(database: Client, facts: Facts) -> None:
    database.execute(
        "INSERT INTO charger_identities (pile_id, event_ms, firmware) "
        "SELECT 100 + modulo(number, 100), %(from)s + number, '9.99' FROM numbers(60000)",
        {"from": T0},
    )
    moments = [T0 - 2 * HOUR, T0, T0 + 9 * HOUR, T0 + 20 * HOUR]
    found = firmware_and_make(database, [*((4, at_ms) for at_ms in moments), (5, T0)])
    assert [firmware for _vendor, _model, firmware in found] == ["", "1.06", "1.07", "1.07", ""]
    assert [vendor for vendor, _model, _firmware in found] == ["Wallbox Works"] * 4 + [""]
    assert database.last_query.progress.rows < 2 * 8_192


def test_a_pass_takes_so_many_and_the_next_one_goes_on(database: Client, facts: Facts) -> None:
    store_session(facts)
    for number in (2, 3):
        facts.insert("readings", facts.charging(T0 + number * HOUR, 10, trade=trade_no(number)))
        facts.insert("pile_bill_uploads", [facts.bill(T0 + number * HOUR, 10, trade=trade_no(number))])
    Biller(database, facts.directory, clock=Clock(T0 + 9 * HOUR)).run_once()
    checker = ConformanceChecker(database, facts.directory)
    reports = [checker.run_once(most=1) for _ in range(4)]
    assert [(report.written, report.left) for report in reports] == [(1, 2), (1, 1), (1, 0), (0, 0)]
    assert [report.checked for report in reports] == [1, 1, 1, 0]


def test_news_of_one_moment_are_walked_over_once_in_pages(database: Client, facts: Facts) -> None:
    for number in range(1, 6):
        facts.insert("pile_bill_uploads", [facts.bill(T0, 10, trade=trade_no(number), inserted_ms=T0)])
    backlog = Backlog(database, "conformance_news", SessionNews, since_ms=0, page=2)
    seen = []
    backlog.begin(T0 + MINUTE)
    while len(backlog):
        seen += [one.trade_no for one in backlog.take(1)]
        backlog.fill()
    assert seen == [trade_no(number) for number in range(1, 6)]
    # a row that becomes visible late, before those that were seen
    facts.insert("pile_bill_uploads", [facts.bill(T0, 10, trade=trade_no(9), inserted_ms=T0 - 9 * MINUTE)])
    backlog.begin(T0 + 2 * MINUTE)
    assert [one.trade_no for one in backlog.take(9)] == [trade_no(9)]
    # an hour later nothing of that day is looked at again, but for what is new
    backlog.begin(T0 + HOUR)
    backlog.begin(T0 + HOUR)
    facts.insert("pile_bill_uploads", [facts.bill(T0, 10, trade=trade_no(2), inserted_ms=T0 + HOUR)])
    backlog.begin(T0 + 2 * HOUR)
    assert [one.trade_no for one in backlog.take(9)] == [trade_no(2)]


def test_logins_that_were_stored_at_once_are_all_checked(database: Client, facts: Facts) -> None:
    facts.insert(
        "connection_events",
        [
            {
                "operator_id": 2,
                "pile_id": 4,
                "connection_id": number,
                "event_ms": T0,
                "event": "login",
                "inserted_ms": T0,
            }
            for number in range(1, 8)
        ],
    )
    checker = ConformanceChecker(database, facts.directory)
    assert [(report.written, report.left) for report in (checker.run_once(most=3) for _ in range(4))] == [
        (3, 4), (3, 1), (1, 0), (0, 0)
    ]  # fmt: skip
    assert ConformanceChecker(database, facts.directory).run_once().written == 0


def test_a_session_of_a_charger_that_is_not_known_waits_and_holds_up_no_other(database: Client, facts: Facts) -> None:
    store_session(facts)
    Biller(database, facts.directory, clock=Clock(T0 + 2 * HOUR)).run_once()
    directory = PileDirectory(())
    checker = ConformanceChecker(database, directory)
    assert [checker.run_once().left for _ in range(2)] == [0, 0]
    directory.add(pile())
    assert [checker.run_once().written for _ in range(2)] == [1, 0]


def test_scores_by_charger_firmware_and_vendor(database: Client, facts: Facts) -> None:
    store_session(facts, without=("bms_handshake", "charge_end"))
    checked(facts)
    groups: dict[GroupBy, str] = {
        "pile": PILE_CODE,
        "vendor": "Wallbox Works",
        "firmware": "Wallbox Works W120 1.06",
        "flow": "remote_start",
    }
    for by, name in groups.items():
        (score,) = scores(database, PLATFORM_SCOPE, by)
        assert (score.name, score.sessions, score.clean, score.due, score.kept) == (name, 1, 0, 12, 10)
        assert score.percent == "83.3"
        assert score.worst == (("bms_handshake", "missing", 1), ("charge_end", "missing", 1))
    assert scores(database, Scope(frozenset({3})), "pile") == []
    assert scores(database, Scope(frozenset({2})), "pile") != []
