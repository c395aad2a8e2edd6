"""The coverage of the messages, measured: a fleet and a gateway that say to each other all there is to say."""

from collections import Counter

import msgspec
import pytest

from benchmarks.message_coverage import PAGE, UNPLAYED, Coverage, measure, page
from benchmarks.message_variants import decodes, encodes, sample_body, variant_number, variants
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.ykc.messages import MESSAGES as YKC_MESSAGES
from ingest.orders import ORDERS


@pytest.fixture(scope="module")
def coverage(tmp_path_factory: pytest.TempPathFactory) -> Coverage:
    return measure(tmp_path_factory.mktemp("coverage") / "spool")


@pytest.mark.server
@pytest.mark.system
class TestRun:
    def test_nothing_is_missing(self, coverage: Coverage) -> None:
        assert coverage.failures() == []

    def test_every_message_with_a_layout_is_sent_or_received(self, coverage: Coverage) -> None:
        played = {(row.variant.protocol, row.variant.message.type) for row in coverage.rows if row.played}
        ykc = {("ykc", kind) for kind in YKC_MESSAGES}
        aaf5 = {("aaf5", kind) for kind, message in AAF5_MESSAGES.items() if message.layout_known}
        assert played == ykc | aaf5 - {("aaf5", 9), ("aaf5", 301)}

    def test_every_order_is_accepted_once_and_none_is_left_unanswered(self, coverage: Coverage) -> None:
        for protocol, orders in ORDERS.items():
            for name, order in orders.items():
                outcomes = coverage.outcomes(protocol, name)
                assert outcomes.get("ok" if order.answer else "sent", 0) > 0, (protocol, name)
                assert not outcomes.keys() & {"timeout", "connection_lost"}, (protocol, name)

    def test_the_page_is_made_of_this_run(self, coverage: Coverage) -> None:
        written = page(coverage, "2026-11-22")
        assert "## Missing" not in written
        assert all(f"| {row.variant.message.name}" in written for row in coverage.rows)
        assert f"{coverage.run.kept.total():,} frames" in written

    def test_what_is_not_played_is_missed(self, coverage: Coverage) -> None:
        """The same run without one message, one order's acceptance, and with a broken frame."""
        rows = [
            msgspec.structs.replace(row, sizes=Counter()) if row.variant.message.name == "bms_error" else row
            for row in coverage.rows
        ]
        outcomes = Counter(coverage.run.outcomes)
        outcomes["ykc", "reboot", "timeout"] = outcomes.pop(("ykc", "reboot", "ok"))
        changed = Counter({("aaf5", 104): 2})
        run = msgspec.structs.replace(coverage.run, outcomes=outcomes, changed=changed, errors=["it broke"])
        worse = Coverage(rows, run)
        assert worse.failures() == [
            "the run: it broke",
            "ykc 0x1B bms_error (32): it is neither sent nor received in the run",
            "aaf5 104: 2 frames change",
            "ykc reboot: no such order was accepted in the run ({'timeout': 1})",
            "ykc reboot: 1 ended as timeout",
        ]
        assert "| 0x1B | bms_error | up | 32 | yes | yes |  | **none** |" in page(worse, "")

    def test_an_excuse_that_is_none_any_more_is_told(self, coverage: Coverage) -> None:
        rows = [
            msgspec.structs.replace(row, sizes=Counter({4: 1})) if row.variant.key in UNPLAYED else row
            for row in coverage.rows
        ]
        failures = Coverage(rows, coverage.run).failures()
        assert sum("its excuse must go" in failure for failure in failures) == len(UNPLAYED)


def test_the_samples_have_the_size_of_their_variant_and_survive() -> None:
    for variant in variants():
        assert variant_number(variant.message, len(sample_body(variant))) == variant.number, variant.label
        expected = "whole" if variant.message.layout_known else "raw"
        assert (decodes(variant), encodes(variant)) == (expected, expected), variant.label


def test_a_message_that_reads_its_bytes_wrongly_is_told() -> None:
    """Two fields of one size that have changed places in the table still survive a round trip, but not the sample."""
    login = next(variant for variant in variants() if variant.label.startswith("ykc 0x01"))
    fields = list(login.message.fields)
    fields[1], fields[2] = (
        msgspec.structs.replace(fields[1], offset=fields[2].offset),
        msgspec.structs.replace(fields[2], offset=fields[1].offset),
    )
    swapped = msgspec.structs.replace(login.message, fields=tuple(fields))
    assert decodes(msgspec.structs.replace(login, message=swapped)) == "no"


def test_the_written_page_names_every_message_in_every_length() -> None:
    text = PAGE.read_text("utf-8")
    assert "## Missing" not in text
    for variant in variants():
        since = f" (V{variant.message.since})" if variant.message.since else ""
        row = (
            f"| {variant.written_type} | {variant.message.name}{since} | {variant.message.direction} | {variant.size} |"
        )
        assert row in text, "run: python -m benchmarks.message_coverage --write"
    for protocol, orders in ORDERS.items():
        assert all(f"| {protocol} | {order.name} | {order.message} |" in text for order in orders.values())
