"""Captures and histories: the same facts as live, on their own time, each line once."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from core.aaf5.codec import encode_raw as encode_aaf5
from core.directory import Pile, PileDirectory
from core.ykc.codec import encode_raw
from ingest.capture import CaptureError
from ingest.capture_ledger import CaptureLedger
from ingest.events import CommandOutcome, ConnectionEvent, ConnectorEvent, Presence, SessionStart, TariffAck
from ingest.reactions import Reason
from ingest.replay import Replayer, ReplayReport
from ingest.spool import Spool
from tests.ingest.aaf5_frames import AAF5_CODE, SERIAL, aaf5_login, aaf5_pile, up
from tests.ingest.aaf5_status import charge
from tests.ingest.aaf5_status import charging as charging_aaf5
from tests.ingest.charger_frames import (
    CODE,
    NOW_MS,
    OTHER_CODE,
    SpoolContent,
    charging,
    heartbeat,
    login,
    make_directory,
    make_pile,
    realtime,
    record,
    sample_frames,
    trade_no_of,
)

TRADE_NO = trade_no_of()
Line = tuple[int, str, bytes]


def session(code: str = CODE, start_ms: int = NOW_MS) -> list[Line]:
    """A charge of ten minutes without a login before it."""
    trade_no = trade_no_of(code)
    lines = [(start_ms, code, realtime(code, plugged=1))]
    for n in range(1, 41):
        frame = charging(trade_no, n * 1_000, n // 4, code, seq=n.to_bytes(2, "little"))
        lines.append((start_ms + n * 15_000, code, frame))
    lines.append((start_ms + 615_000, code, realtime(code, plugged=1)))
    lines.append((start_ms + 616_000, code, record(trade_no, code)))
    return lines


class Here:
    """A spool of its own, with the replays into it."""

    def __init__(self, folder: Path, directory: PileDirectory | None = None) -> None:
        self.folder = folder / "spool"
        self.directory = directory or make_directory()
        self.asked: list[str] = []

    def register(self, code: str, protocol: str) -> Pile:
        self.asked.append(code)
        if protocol == "aaf5":
            return aaf5_pile(code, 500 + len(self.asked))
        return make_pile(code, 500 + len(self.asked))

    def replay(self, capture: Path, *, register: bool = True) -> ReplayReport:
        spool = Spool(self.folder, clock=lambda: NOW_MS)
        try:
            return Replayer(self.directory, spool, self.register if register else None).replay_lines(capture)
        finally:
            spool.close()

    def frames(self, lines: Iterable[Line]) -> ReplayReport:
        spool = Spool(self.folder, clock=lambda: NOW_MS)
        try:
            return Replayer(self.directory, spool, self.register).replay_frames(lines)
        finally:
            spool.close()

    @property
    def content(self) -> SpoolContent:
        return SpoolContent(self.folder)

    def readable(self) -> int:
        """Bytes that a reader may use."""
        spool = Spool(self.folder, clock=lambda: NOW_MS)
        segments = spool.segments()
        spool.close()
        assert all(segment.readable == segment.size for segment in segments)
        return sum(segment.readable for segment in segments)


def write_capture(path: Path, lines: Iterable[Line], **changes: Any) -> Path:
    texts = [
        json.dumps({"ts": ts, "conn": conn, "protocol": "ykc", "hex": frame.hex()} | changes)
        for ts, conn, frame in lines
    ]
    path.write_text("\n".join(texts) + "\n", "utf-8")
    return path


def test_a_session_is_taken_without_a_login_at_its_own_time(tmp_path: Path) -> None:
    here = Here(tmp_path)
    report = here.frames(session())
    assert (report.frames, report.readings, report.bills, report.quarantined) == (43, 42, 1, 0)
    assert (report.from_ms, report.to_ms, report.pile_ids) == (NOW_MS, NOW_MS + 616_000, {11})
    content = here.content
    assert [header["receive_ms"] for header in content.headers if header["frame_type"] == 0x13] == [
        ts for ts, _, frame in session() if frame[5] == 0x13
    ]
    events = [(event.event, event.event_ms) for event in content.of(ConnectorEvent)]
    assert events == [
        ("first_seen", NOW_MS),
        ("charging", NOW_MS + 15_000),
        ("stopped", NOW_MS + 615_000),
        ("billed", NOW_MS + 616_000),
    ]
    assert [presence.first_ms // 60_000 for presence in content.of(Presence)] == sorted(
        {ts // 60_000 for ts, _, _ in session()}
    )
    assert content.down == []  # what would be answered today was never sent


def test_a_capture_is_sorted_by_time_and_line(tmp_path: Path) -> None:
    lines = session()
    shuffled = list(lines)
    random.Random(3).shuffle(shuffled)
    one, two = Here(tmp_path / "one"), Here(tmp_path / "two")
    one.replay(write_capture(tmp_path / "a.jsonl", lines))
    two.replay(write_capture(tmp_path / "b.jsonl", shuffled))
    assert one.content.up == two.content.up
    assert one.content.headers == two.content.headers
    assert one.content.events == two.content.events


def test_equal_times_keep_the_order_of_the_lines(tmp_path: Path) -> None:
    frames = [charging(TRADE_NO, 100, 0, seq=n.to_bytes(2, "little")) for n in range(50)]
    here = Here(tmp_path)
    here.replay(write_capture(tmp_path / "a.jsonl", [(NOW_MS, "c", frame) for frame in frames]))
    assert here.content.up == frames


def test_replaying_a_file_twice_changes_nothing(tmp_path: Path) -> None:
    here = Here(tmp_path)
    capture = write_capture(tmp_path / "a.jsonl", session())
    first = here.replay(capture)
    before = {path.name: path.read_bytes() for path in here.folder.glob("*.seg")}
    second = here.replay(capture)
    assert {path.name: path.read_bytes() for path in here.folder.glob("*.seg")} == before
    assert (first.frames, first.repeated) == (43, 0)
    assert (second.frames, second.repeated, second.pile_ids) == (0, 43, {11})
    # Also once the loader has taken and deleted everything.
    for path in here.folder.glob("*.seg"):
        path.unlink()
    assert here.replay(capture).frames == 0
    assert not list(here.folder.glob("*.seg"))


def test_of_two_captures_that_overlap_each_line_is_taken_once(tmp_path: Path) -> None:
    lines = session() + session(OTHER_CODE, NOW_MS + 60_000)
    here = Here(tmp_path)
    here.replay(write_capture(tmp_path / "a.jsonl", lines[:60]))
    report = here.replay(write_capture(tmp_path / "b.jsonl", lines[20:]))
    assert report.repeated == 40
    assert report.pile_ids == {11, 12}
    assert sorted(here.content.up) == sorted(frame for _, _, frame in lines)


def test_a_line_that_stands_twice_in_a_file_is_taken_twice(tmp_path: Path) -> None:
    """The charger may have sent it twice; and then the second replay still changes nothing."""
    here = Here(tmp_path)
    capture = write_capture(tmp_path / "a.jsonl", [*session(), *session()])
    assert here.replay(capture).frames == 86
    assert here.replay(capture).repeated == 86


@pytest.mark.parametrize("step", ["before_entry", "before_move", "between_moves"])
def test_a_crash_at_any_step_neither_loses_nor_repeats(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(tmp_path)
    capture = write_capture(tmp_path / "a.jsonl", session())

    class CrashError(Exception):
        pass

    def crash(*_: Any) -> None:
        raise CrashError

    def move_one(self: Spool, folder: Path) -> None:
        path = sorted(folder.glob("*.seg"))[0]
        path.rename(self.folder / path.name)
        raise CrashError

    with monkeypatch.context() as patch:
        if step == "before_entry":
            patch.setattr(CaptureLedger, "commit", crash)
        elif step == "before_move":
            patch.setattr(Spool, "adopt", crash)
        else:
            patch.setattr(Spool, "adopt", move_one)
        with pytest.raises(CrashError):
            here.replay(capture)
    report = here.replay(capture)
    assert report.frames == (43 if step == "before_entry" else 0)
    assert sorted(here.content.up) == sorted(frame for _, _, frame in session())
    assert here.readable() > 0
    assert [path.suffix for path in (here.folder / "replayed").iterdir()] == [".lines"]


def test_an_interrupted_replay_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here(tmp_path)
    capture = write_capture(tmp_path / "a.jsonl", session())

    def interrupted(code: str, protocol: str) -> Pile:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(here, "directory", PileDirectory([]))
        patch.setattr(here, "register", interrupted)
        with pytest.raises(KeyboardInterrupt):
            here.replay(capture)
    assert list((here.folder / "replayed").iterdir()) == []
    assert here.replay(capture).frames == 43


def test_the_adopted_segments_are_readable_at_once(tmp_path: Path) -> None:
    here = Here(tmp_path)
    spool = Spool(here.folder, clock=lambda: NOW_MS)
    replayer = Replayer(here.directory, spool)
    replayer.replay_frames(session(OTHER_CODE))
    replayer.replay_lines(write_capture(tmp_path / "a.jsonl", session()))
    assert all(segment.readable == segment.size for segment in spool.segments())
    replayer.replay_frames(session(CODE, NOW_MS + 10**7))
    assert all(segment.readable == segment.size for segment in spool.segments())
    assert len(here.content.up) == 3 * 43
    spool.close()


def test_damaged_lines_are_quarantined_as_a_whole(tmp_path: Path) -> None:
    good = heartbeat()
    bad = bytearray(good)
    bad[8] ^= 1
    lines = [
        (NOW_MS, "c", good),
        (NOW_MS + 1, "c", bytes(bad)),
        (NOW_MS + 2, "c", good + b"\0"),
        (NOW_MS + 3, "c", b"\0" + good),
        (NOW_MS + 4, "c", b""),
        (NOW_MS + 5, "new", bytes(bad)),
    ]
    here = Here(tmp_path)
    report = here.replay(write_capture(tmp_path / "a.jsonl", lines))
    assert (report.frames, report.quarantined) == (1, 5)
    content = here.content
    assert content.up == [good]
    assert content.quarantine == [
        (Reason.BAD_CHECKSUM, bytes(bad)),
        (Reason.BAD_LENGTH, good + b"\0"),
        (Reason.GARBAGE, b"\0" + good),
        (Reason.GARBAGE, b""),
        (Reason.BAD_CHECKSUM, bytes(bad)),
    ]
    assert here.asked == []  # a damaged frame registers nobody


def test_hex_that_is_none_is_kept_as_text(tmp_path: Path) -> None:
    here = Here(tmp_path)
    report = here.replay(write_capture(tmp_path / "a.jsonl", [(NOW_MS, "c", b"")], hex="68zz"))
    assert report.quarantined == 1
    assert here.content.quarantine == [(Reason.GARBAGE, b"68zz")]


def test_a_file_that_is_no_capture_is_refused_by_line(tmp_path: Path) -> None:
    here = Here(tmp_path)
    path = write_capture(tmp_path / "a.jsonl", session())
    with path.open("a") as file:
        file.write('{"ts": "yesterday"}\n')
    with pytest.raises(CaptureError, match=r"a\.jsonl, line 44"):
        here.replay(path)
    with pytest.raises(CaptureError, match="cannot read"):
        here.replay(tmp_path / "none.jsonl")
    assert not list(here.folder.glob("*.seg"))


def test_a_time_that_is_not_in_milliseconds_is_refused_by_line(tmp_path: Path) -> None:
    here = Here(tmp_path)
    path = write_capture(tmp_path / "a.jsonl", [(NOW_MS, "c", b""), (NOW_MS * 1000, "c", b"")])
    with pytest.raises(CaptureError, match=r"a\.jsonl, line 2: .*\$\.ts"):
        here.replay(path)
    assert not list(here.folder.glob("*.seg"))


def test_lines_of_other_protocols_are_counted_and_not_marked_as_taken(tmp_path: Path) -> None:
    here = Here(tmp_path)
    other, known = (write_capture(tmp_path / f"{name}.jsonl", session(), protocol=name) for name in ("ocpp", "ykc"))
    lines = known.read_text("utf-8").splitlines(keepends=True)
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text(lines[0] + other.read_text("utf-8"), "utf-8")
    report = here.replay(mixed)
    assert (report.frames, report.other_protocols) == (1, {"ocpp": 43})
    assert here.replay(known).frames == 42


def write_mixed(path: Path, lines: Iterable[Line]) -> Path:
    """A capture in which each line says its own protocol."""
    texts = [
        json.dumps({"ts": ts, "conn": conn, "protocol": "aaf5" if frame[:1] == b"\xaa" else "ykc", "hex": frame.hex()})
        for ts, conn, frame in lines
    ]
    path.write_text("\n".join(texts) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("conn", ["b", CODE])
@pytest.mark.parametrize("as_capture", [True, False])
def test_a_capture_may_mix_both_protocols_even_on_one_connection(tmp_path: Path, conn: str, as_capture: bool) -> None:
    here = Here(tmp_path)
    here.directory.add(aaf5_pile())
    ack = encode_aaf5("record_ack", {"gun_no": 1, "card": "", "record_index": 7, "value1": 0, "serial": SERIAL})
    both = sorted([*session(), *charge(conn), (NOW_MS + 616_500, conn, ack)], key=lambda line: line[0])
    report = here.replay(write_mixed(tmp_path / "a.jsonl", both)) if as_capture else here.frames(both)
    assert (report.frames, report.readings, report.bills, report.quarantined) == (88, 85, 2, 0)
    assert report.pile_ids == {11, 21}
    content = here.content
    assert sorted(content.up) == sorted(frame for _, _, frame in both if frame != ack)
    assert content.down == [ack]
    sent = next(header for header in content.headers if header["frame_type"] == 201)
    assert (sent["pile_id"], sent["connector"]) == (21, 1)
    ended = [event for event in content.of(ConnectorEvent) if event.event in ("stopped", "billed")]
    assert {(event.pile_id, event.trade_no) for event in ended} == {(11, TRADE_NO), (21, SERIAL)}
    starts = [(start.source, start.method, start.account, start.trade_no) for start in content.of(SessionStart)]
    assert ("status", "card", "12345678", SERIAL) in starts
    assert ("record", "app", "12345678", SERIAL) in starts


def test_guns_with_letters_and_connections_of_their_own_are_one_charger(tmp_path: Path) -> None:
    here = Here(tmp_path)
    here.directory.add(aaf5_pile(gun_letters=True))
    lines = []
    for gun_no, letter in ((1, "A"), (2, "B")):
        for ts, conn, frame in charge(letter, AAF5_CODE + letter, serial=None, gun_no=0):
            lines.append((ts + gun_no, conn, frame))
    report = here.replay(write_mixed(tmp_path / "a.jsonl", lines))
    assert (report.readings, report.bills, report.quarantined, report.pile_ids) == (86, 2, 0, {21})
    billed = [event for event in here.content.of(ConnectorEvent) if event.event == "billed"]
    assert {(event.connector, event.trade_no) for event in billed} == {
        (gun, f"{AAF5_CODE}-{gun}-20261122062640") for gun in (1, 2)
    }
    assert {header["connector"] for header in here.content.headers if header["frame_type"] == 202} == {1, 2}


def test_unknown_chargers_of_the_second_protocol_are_registered_under_it(tmp_path: Path) -> None:
    here = Here(tmp_path)
    lines = [*charge("a"), (NOW_MS + 617_000, "a", aaf5_login())]
    assert here.replay(write_mixed(tmp_path / "a.jsonl", lines)).pile_ids == {501}
    assert here.asked == [AAF5_CODE]
    assert [pile.protocol for pile in here.directory if pile.pile_id == 501] == ["aaf5"]


def test_a_charger_of_the_other_protocol_is_not_spoken_for(tmp_path: Path) -> None:
    here = Here(tmp_path)
    here.directory.add(aaf5_pile(CODE, 11))
    report = here.replay(write_capture(tmp_path / "a.jsonl", session()))
    assert (report.quarantined, report.pile_ids, here.asked) == (43, set(), [])


def test_orders_of_the_second_protocol_are_matched_in_a_capture(tmp_path: Path) -> None:
    head = {"reserved1": 0, "reserved2": 0}
    control = head | {"gun_no": 1, "addr": 2, "count": 1, "byte_len": 4, "param": 0x55}
    reply = up("control_reply", gun_no=1, addr=2, count=1, result=0)
    lines = [
        (NOW_MS, "a", charging_aaf5(10, 0)),
        (NOW_MS + 1_000, "a", encode_aaf5("control", control)),
        (NOW_MS + 1_200, "a", reply),
    ]
    here = Here(tmp_path)
    here.directory.add(aaf5_pile())
    here.replay(write_mixed(tmp_path / "a.jsonl", lines))
    outcomes = here.content.of(CommandOutcome)
    assert [(item.command, item.outcome, item.trade_no, item.connector, item.reply) for item in outcomes] == [
        ("remote_stop", "ok", SERIAL, 1, reply)
    ]


def test_a_line_of_one_protocol_is_not_the_same_line_of_the_other(tmp_path: Path) -> None:
    here = Here(tmp_path)
    wrong = here.replay(write_capture(tmp_path / "a.jsonl", session(), protocol="aaf5"))
    assert (wrong.frames, wrong.quarantined) == (0, 43)
    right = here.replay(write_capture(tmp_path / "b.jsonl", session()))
    assert (right.frames, right.repeated) == (43, 0)
    assert here.replay(write_capture(tmp_path / "c.jsonl", session(), protocol="aaf5")).repeated == 43


def test_a_connection_may_carry_several_chargers(tmp_path: Path) -> None:
    lines = sorted((ts, "one line", frame) for ts, _, frame in session() + session(OTHER_CODE))
    here = Here(tmp_path)
    report = here.frames(lines)
    assert (report.frames, report.quarantined, report.pile_ids) == (86, 0, {11, 12})
    billed = [event for event in here.content.of(ConnectorEvent) if event.event == "billed"]
    assert {(event.pile_id, event.trade_no) for event in billed} == {(11, TRADE_NO), (12, trade_no_of(OTHER_CODE))}


def test_unknown_chargers_are_registered_once(tmp_path: Path) -> None:
    here = Here(tmp_path)
    code = "77770000000001"
    assert here.frames(session(code)).pile_ids == {501}
    assert here.asked == [code]
    assert here.directory.by_code(code) is not None


def test_unknown_chargers_that_nobody_registers_are_quarantined(tmp_path: Path) -> None:
    here = Here(tmp_path)
    code = "77770000000001"
    lines = [(NOW_MS, "c", login(code)), *session(code, NOW_MS + 1)]
    report = here.replay(write_capture(tmp_path / "a.jsonl", lines), register=False)
    assert (report.quarantined, report.readings, report.pile_ids) == (44, 0, set())
    assert len(here.content.quarantine) == 44


def test_orders_and_tariffs_of_the_capture_are_those_that_count(tmp_path: Path) -> None:
    start = {
        "trade_no": TRADE_NO,
        "pile_code": CODE,
        "gun_no": "01",
        "logical_card": "0" * 16,
        "physical_card": "0" * 16,
        "balance": 5_000,
    }
    reply = {"trade_no": TRADE_NO, "pile_code": CODE, "gun_no": "01", "result": 1, "fail_reason": 0}
    tariff: dict[str, Any] = {"pile_code": CODE, "model_no": "0007", "loss_ratio": 0, "slot_rates": bytes(48)}
    for rate in ("sharp", "peak", "flat", "valley"):
        tariff |= {f"{rate}_energy_price": 1, f"{rate}_service_price": 1}
    stop = encode_raw("remote_stop", {"pile_code": CODE, "gun_no": "01"})
    sent = [encode_raw("remote_start", start), encode_raw("tariff_reply", tariff), stop]
    lines = [
        (NOW_MS, "c", login()),
        (NOW_MS + 1_000, "c", encode_raw("tariff_request", {"pile_code": CODE})),
        (NOW_MS + 1_001, "c", sent[1]),
        (NOW_MS + 2_000, "c", heartbeat()),
        (NOW_MS + 3_000, "c", sent[0]),
        (NOW_MS + 3_500, "c", encode_raw("remote_start_reply", reply)),
        (NOW_MS + 4_000, "c", charging(TRADE_NO, 100, 0)),
        (NOW_MS + 5_000, "c", stop),
    ]
    here = Here(tmp_path)
    here.frames(lines)
    content = here.content
    assert sorted(content.down) == sorted(sent)
    assert [(ack.model_no, ack.tariff_version_id, ack.event_ms) for ack in content.of(TariffAck)] == [
        ("0007", 7, NOW_MS + 2_000)
    ]
    assert [
        (item.command, item.outcome, item.trade_no, item.sent_ms, item.answered_ms)
        for item in content.of(CommandOutcome)
    ] == [
        ("remote_start", "ok", TRADE_NO, NOW_MS + 3_000, NOW_MS + 3_500),
        ("remote_stop", "timeout", TRADE_NO, NOW_MS + 5_000, 0),
    ]
    assert [event.event for event in content.of(ConnectionEvent)] == ["login"]


def test_every_good_sample_frame_is_kept(tmp_path: Path) -> None:
    samples = list(sample_frames())
    here = Here(tmp_path, PileDirectory())
    lines = [(NOW_MS + n, "one", bytes.fromhex(sample["hex"])) for n, sample in enumerate(samples)]
    report = here.replay(write_capture(tmp_path / "a.jsonl", lines))
    content = here.content
    good = [frame for sample, (_, _, frame) in zip(samples, lines, strict=True) if ok(sample)]
    assert sorted(content.up + content.down) == sorted(good)
    assert report.frames == len(good)
    assert report.quarantined == len(lines) - len(good) == len(content.quarantine)


def ok(sample: dict[str, Any]) -> bool:
    return bool(sample["checksum_ok"]) and bool(sample["length_ok"])


def test_an_order_with_the_same_content_again_is_another_attempt(tmp_path: Path) -> None:
    order = {"pile_code": CODE, "disabled": 0, "max_power_pct": 80}
    sent = [encode_raw("work_params", order, seq=seq) for seq in (b"\1\0", b"\2\0")]
    other = encode_raw("work_params", order | {"max_power_pct": 90}, seq=b"\3\0")
    answer = {"pile_code": CODE, "result": 1}
    lines = [
        (NOW_MS, "c", login()),
        (NOW_MS + 1_000, "c", sent[0]),
        (NOW_MS + 9_000, "c", sent[1]),
        (NOW_MS + 9_500, "c", encode_raw("work_params_reply", answer, seq=b"\1\0")),
        (NOW_MS + 11_000, "c", other),
        (NOW_MS + 11_500, "c", encode_raw("work_params_reply", answer, seq=b"\2\0")),
        (NOW_MS + 30_000, "c", heartbeat()),
    ]
    here = Here(tmp_path)
    here.frames(lines)
    said = [(item.outcome, item.attempts, item.request, item.detail) for item in here.content.of(CommandOutcome)]
    assert said == [
        ("ok", 2, sent[1], ""),
        ("ok", 2, sent[1], "answered before"),
        ("timeout", 1, other, ""),
    ]
