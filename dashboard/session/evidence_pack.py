"""The evidence of a session as a pack: the page, every frame, every reading, all of it as JSON, and their checksums."""

import csv
import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from analytics.bill_lines import kwh_text
from analytics.safe_text import safe_cell
from analytics.timeline_record import iso_time, trail_record
from dashboard.catalogue import Catalogue
from dashboard.session.evidence_case import EvidenceCase
from dashboard.session.evidence_page import evidence_html, frames_of
from dashboard.session.meanings import entry_words

PAGE, FRAMES, READINGS, FACTS, SUMS = "timeline.html", "frames.csv", "readings.csv", "evidence.json", "SHA256SUMS"
_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
_FILE_MODE: Final = stat.S_IFREG | 0o644
_FRAME_COLUMNS: Final = (
    *("time", "came", "from", "protocol", "type", "name", "meaning", "usable", "bytes", "segment", "offset"),
)
_READING_COLUMNS: Final = (
    *("time", "epoch_ms", "reported_kwh", "accepted_total_kwh", "power_w", "rules"),
    *("step_from", "step_accepted_kwh", "step_low_kwh", "step_high_kwh", "step_rules"),
)


def evidence_zip(case: EvidenceCase, words: Catalogue) -> bytes:
    """The pack. Equal cases made at one moment give equal bytes; SHA256SUMS is in the form of sha256sum."""
    files = {
        PAGE: evidence_html(case, words).encode(),
        FRAMES: frames_csv(case, words).encode(),
        READINGS: readings_csv(case).encode(),
        FACTS: evidence_json(case).encode(),
    }
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    packed = io.BytesIO()
    made = datetime.fromtimestamp(case.made_ms // 1000, tz=UTC).timetuple()[:6]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in {**files, SUMS: sums.encode()}.items():
            info = zipfile.ZipInfo(name, date_time=made)
            info.external_attr = _FILE_MODE << 16
            pack.writestr(info, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def evidence_json(case: EvidenceCase) -> str:
    """What `pilestream timeline --all --json` prints, and when it was put together."""
    zone = ZoneInfo(case.record.zone)
    told = {"made": iso_time(case.made_ms, zone), **trail_record(case.trail)}
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def frames_csv(case: EvidenceCase, words: Catalogue) -> str:
    """Every stored frame of the session with its bytes, readings among them, in the order of time."""
    zone = ZoneInfo(case.record.zone)
    protocol = case.record.session["protocol"]
    rows = (
        (
            iso_time(entry.at_ms, zone),
            iso_time(entry.came_ms, zone) if entry.came_ms else "",
            entry.party,
            protocol,
            entry.type,
            entry.name,
            entry_words(entry, words),
            "no" if entry.bad and entry.kind == "frame" else "yes",
            entry.frame_hex,
            entry.frame[0] if entry.frame else "",
            entry.frame[1] if entry.frame else "",
        )
        for entry in frames_of(case)
    )
    return _csv(_FRAME_COLUMNS, rows)


def readings_csv(case: EvidenceCase) -> str:
    """Every reading as reported and as accepted, with the step of the calculator that it ended."""
    curve, zone = case.record.curve, ZoneInfo(case.record.zone)
    steps = {step.to_ms: step for step in curve.intervals.rows()}
    rows = []
    for place in range(len(curve)):
        at_ms = int(curve.event_ms[place])
        last_of_moment = place + 1 == len(curve) or int(curve.event_ms[place + 1]) != at_ms
        step = steps.get(at_ms) if last_of_moment else None
        rows.append(
            (
                iso_time(at_ms, zone),
                at_ms,
                kwh_text(int(curve.reported_e4kwh[place])),
                kwh_text(int(curve.accepted_e4kwh[place])),
                int(curve.power_w[place]),
                " ".join(curve.flags_at(place)),
                iso_time(step.from_ms, zone) if step else "",
                kwh_text(step.accepted_e4kwh) if step else "",
                kwh_text(step.low_e4kwh) if step else "",
                kwh_text(step.high_e4kwh) if step else "",
                " ".join(step.rules) if step else "",
            )
        )
    return _csv(_READING_COLUMNS, rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV as spreadsheets open it: UTF-8 with its mark, lines as RFC 4180 has them."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return _BOM + out.getvalue()
