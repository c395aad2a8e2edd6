"""Which messages are decoded, encoded, known and played, measured: `python -m benchmarks.message_coverage`."""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.message_run import MessageRun, play
from benchmarks.message_variants import (
    CODECS,
    Done,
    RealFrames,
    Variant,
    decodes,
    encodes,
    real_frames,
    variant_number,
    variants,
)
from ingest.orders import ORDERS

PAGE: Final = Path(__file__).parents[1] / "docs" / "coverage.md"
GOOD, MISSING = 0, 1

# Lengths that have a layout and are not played, each with its reason; a run in which one is seen says so.
UNPLAYED: Final = {
    ("aaf5", 5, 1): "the serial is optional; the platform leaves it out",
    ("aaf5", 6, 1): "repeats the serial of an order that has one",
    ("aaf5", 9, 0): "neither meaning nor direction is published",
    ("aaf5", 105, 1): "the meaning of the longer part is not published",
    ("aaf5", 301, 0): "answers 302, whose layout is not published (tests/ingest/test_aaf5_dialogue.py answers one)",
}
NO_LAYOUT: Final = "no layout is published"
# What the spool leaves out: the answers to heartbeats and readings.
NOT_KEPT: Final = frozenset({("ykc", 0x04), ("aaf5", 101), ("aaf5", 103)})
SETTLED: Final = frozenset({"ok", "refused", "sent", "replaced"})

_HEAD = """\
# Coverage of the messages

Made on {date} by `python -m benchmarks.message_coverage --write`; everything in it is measured by that run.

- **decode**, **encode**: a sample with something in every field, there and back to the byte. `raw`: no layout is
  published, the bytes are kept and given back. All values and all bytes are tried by `tests/core/test_round_trip.py`.
- **real**: frames of chargers and of the documents in `tests/data/frames.jsonl`; "+ n" are those that are refused for
  their checksum or length.
- **run**: frames between the simulated chargers (`benchmarks/fleet`) and a gateway on real sockets: {chargers}
  chargers of both protocols, {minutes} minutes of their time (a clock that leaps over pauses), every order given.
  Frames of chargers are counted in the gateway's spool, those of the platform where a charger took them; but for the
  answers to heartbeats and readings, which follow from those to the byte, the spool holds them too.

| | messages | lengths | decoded | encoded | kept raw | with real frames | with a layout | of these in the run |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""
_SAME = """\
Each of the {frames:,} frames of the run decodes, and encodes to the same bytes; {longer} of them are longer than their
table (YLC). {quarantined}
"""
_ORDERS = """\
## Orders

Given through the gateway's command desk, by drivers with an app and by an operator; outcomes as kept for `commands`.
Those that the platform gives by itself (the clock after a login) are counted too.

| protocol | order | message | answer | outcomes |
|---|---|---|---|---|
"""


class Row(msgspec.Struct, frozen=True):
    """What is known of one message in one length. `sizes`: bytes of the body → frames in the run."""

    variant: Variant
    decode: Done
    encode: Done
    real: RealFrames
    sizes: Counter[int]

    @property
    def played(self) -> int:
        """Frames in the run."""
        return self.sizes.total()

    @property
    def excuse(self) -> str:
        """Why it is not in the run, empty when it must be."""
        return UNPLAYED.get(self.variant.key, "" if self.variant.message.layout_known else NO_LAYOUT)


class Coverage(msgspec.Struct, frozen=True):
    """All rows in the order of the tables, and the run that they are measured by."""

    rows: list[Row]
    run: MessageRun

    def failures(self) -> list[str]:
        """What should be covered and is not, a sentence each."""
        found = [f"the run: {error}" for error in self.run.errors]
        for row in self.rows:
            label = row.variant.label
            if row.decode == "no" or row.encode == "no":
                found.append(f"{label}: its sample does not survive (decode {row.decode}, encode {row.encode})")
            if not row.played and not row.excuse:
                found.append(f"{label}: it is neither sent nor received in the run")
            if row.played and row.variant.key in UNPLAYED:
                found.append(f"{label}: it is in the run now, so its excuse must go")
            if row.played and row.variant.message.direction == "down" and not self._is_kept(row.variant):
                found.append(f"{label}: chargers heard it, and the spool does not hold it")
        found += [f"{protocol} {kind}: {count} frames change" for (protocol, kind), count in self.run.changed.items()]
        return [*found, *self._order_failures()]

    def outcomes(self, protocol: str, name: str) -> dict[str, int]:
        """How often an order ended how."""
        counted = self.run.outcomes.items()
        return {
            outcome: count for (where, what, outcome), count in sorted(counted) if (where, what) == (protocol, name)
        }

    def _is_kept(self, variant: Variant) -> bool:
        wanted = variant.protocol, variant.message.type
        return wanted in NOT_KEPT or any(
            (name, kind) == wanted for name, kind, way, _ in self.run.kept if way == "down"
        )

    def _order_failures(self) -> Iterator[str]:
        for protocol, orders in ORDERS.items():
            for name in orders:
                outcomes = self.outcomes(protocol, name)
                if not outcomes.keys() & {"ok", "sent"}:
                    yield f"{protocol} {name}: no such order was accepted in the run ({outcomes or 'never given'})"
                for outcome in outcomes.keys() - SETTLED:
                    yield f"{protocol} {name}: {outcomes[outcome]} ended as {outcome}"


def measure(folder: Path) -> Coverage:
    """Measure everything; the gateway's spool goes into `folder`."""
    run = play(folder)
    real = real_frames()
    rows = []
    for variant in variants():
        seen = run.seen(variant.protocol, variant.message.type, variant.message.direction)
        mine = {size: n for size, n in seen.items() if variant_number(variant.message, size) == variant.number}
        known = real.get(variant.key, RealFrames())
        rows.append(Row(variant, decodes(variant), encodes(variant), known, Counter(mine)))
    return Coverage(rows, run)


def page(coverage: Coverage, date: str) -> str:
    """The page for readers."""
    run = coverage.run
    head = _HEAD.format(date=date, chargers=run.chargers, minutes=run.simulated_s // 60)
    lines = [head.rstrip("\n"), *(_totals(coverage, protocol) for protocol in CODECS), ""]
    bad = sum(run.quarantined.values())
    quarantined = f"{bad} spans were quarantined." if bad else "Nothing was quarantined."
    lines.append(_SAME.format(frames=run.kept.total(), longer=f"{run.longer:,}", quarantined=quarantined))
    for protocol in CODECS:
        lines += _protocol(coverage, protocol)
    lines.append(_ORDERS.rstrip("\n"))
    for protocol, orders in ORDERS.items():
        for order in orders.values():
            outcomes = ", ".join(
                f"{count} {outcome}" for outcome, count in coverage.outcomes(protocol, order.name).items()
            )
            lines.append(f"| {protocol} | {order.name} | {order.message} | {order.answer or 'none'} | {outcomes} |")
    failures = coverage.failures()
    lines += ["", "## Missing", "", *(f"- {failure}" for failure in failures)] if failures else []
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 1 when something is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.message_coverage",
        description="Measures which messages of both protocols are decoded, encoded, known from real frames and played "
        "by the simulated chargers against a real gateway (about 20 s), and prints the table.",
        epilog="example: python -m benchmarks.message_coverage --write",
    )
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name} too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        coverage = measure(Path(folder) / "spool")
    text = page(coverage, f"{datetime.now(UTC):%Y-%m-%d}")
    print(text)
    if options.write:
        PAGE.write_text(text, "utf-8")
    failures = coverage.failures()
    print(f"{len(failures)} missing; the run took {coverage.run.took_s:.0f} s", file=sys.stderr)
    return MISSING if failures else GOOD


def _totals(coverage: Coverage, protocol: str) -> str:
    rows = [row for row in coverage.rows if row.variant.protocol == protocol]
    laid_out = {row.variant.message.type for row in rows if row.variant.message.layout_known}
    figures = (
        len({row.variant.message.type for row in rows}),
        len(rows),
        sum(row.decode == "whole" for row in rows),
        sum(row.encode == "whole" for row in rows),
        sum(row.decode == "raw" for row in rows),
        len({row.variant.message.type for row in rows if row.real.valid or row.real.invalid}),
        len(laid_out),
        len({row.variant.message.type for row in rows if row.played} & laid_out),
    )
    return f"| {protocol} | {' | '.join(map(str, figures))} |"


def _protocol(coverage: Coverage, protocol: str) -> Iterator[str]:
    yield f"## {protocol}"
    yield ""
    yield "| type | message | direction | body bytes | decode | encode | real | run |"
    yield "|--:|---|---|---|---|---|--:|---|"
    for row in coverage.rows:
        if row.variant.protocol == protocol:
            variant, message = row.variant, row.variant.message
            since = f" (V{message.since})" if message.since else ""
            cells = (
                variant.written_type,
                message.name + since,
                message.direction,
                variant.size,
                _done(row.decode),
                _done(row.encode),
                _real(row.real),
                _played(row),
            )
            yield f"| {' | '.join(cells)} |"
    yield ""


def _done(done: Done) -> str:
    return {"whole": "yes", "raw": "raw", "no": "**no**"}[done]


def _real(real: RealFrames) -> str:
    if not real.valid and not real.invalid:
        return ""
    return f"{real.valid} + {real.invalid}" if real.invalid else str(real.valid)


def _played(row: Row) -> str:
    if not row.played:
        return f"none: {row.excuse}" if row.excuse else "**none**"
    longer = {size: count for size, count in row.sizes.items() if row.variant.size.isdecimal()}
    sizes = [f"{count:,} of {size} bytes" for size, count in sorted(longer.items()) if str(size) != row.variant.size]
    return f"{row.played:,}" + (f" ({', '.join(sizes)})" if sizes else "")


if __name__ == "__main__":
    sys.exit(main())
