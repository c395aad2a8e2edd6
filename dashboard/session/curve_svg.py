"""The chart of a session as a drawing that needs neither scripts nor the network: for documents and for print."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from analytics.session_curve import SessionCurve
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.plots import AMBER, BLUE, GREEN, GREY, RED
from dashboard.session.curve_shape import CurveShape, curve_shape
from dashboard.session.record import SessionRecord
from dashboard.static_html import Raw

WIDTH, HEIGHT = 1000, 430
LEFT, RIGHT = 64, 984
ENERGY_TOP, ENERGY_BOTTOM = 46, 280
POWER_TOP, POWER_BOTTOM = 308, 386
_STEPS: Final = (1, 2, 5)
_TIME_STEPS_S: Final = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000)
MOST_TICKS = 9
MOST_MARKS = 500
_FARTHEST = 1_000  # times the axis: energies far beyond it are no places that every viewer can draw
_EDGE = 4  # units by which a line at the border of the energy drawing may be wide
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Scale(msgspec.Struct, frozen=True):
    """From time, energy and power to places in the drawing."""

    from_ms: int
    to_ms: int
    top_e4kwh: int
    top_w: int

    def x(self, at_ms: int) -> str:
        return _place(LEFT, RIGHT, at_ms - self.from_ms, self.to_ms - self.from_ms)

    def y(self, energy_e4kwh: int) -> str:
        """Beyond the drawing where the energy is: a line to there leaves it, and does not rest at its border."""
        farthest = _FARTHEST * self.top_e4kwh
        return _place(ENERGY_BOTTOM, ENERGY_TOP, min(max(energy_e4kwh, -farthest), farthest), self.top_e4kwh)

    def power_y(self, power_w: int) -> str:
        return _place(POWER_BOTTOM, POWER_TOP, min(max(power_w, 0), self.top_w), self.top_w)


def _place(first: int, last: int, part: int, whole: int) -> str:
    """A place in tenths of a unit, so that equal charges give equal drawings."""
    tenths = first * 10 + (last - first) * 10 * part // max(whole, 1)
    return f"{tenths / 10:.1f}"


def curve_svg(record: SessionRecord, words: Catalogue) -> Raw | None:
    """Reported and accepted energy with its uncertainty over power, None without readings."""
    curve = record.curve
    if not len(curve):
        return None
    shape = curve_shape(curve, record.session["high_e4kwh"])
    ends = [int(curve.event_ms[-1]), *(wedge.to_ms for wedge in shape.wedges)]
    begins = [int(curve.event_ms[0]), *(wedge.from_ms for wedge in shape.wedges)]
    scale = _Scale(
        min(begins), max(*ends, min(begins) + 1_000), shape.top_e4kwh, max(1_000, int(curve.power_w.max()) * 115 // 100)
    )
    parts = [
        *_grid(scale, words),
        *_time_axis(scale, record.zone),
        *_silences(curve, scale, words),
        *_power(curve, shape, scale),
        _cut_to_energies([*_wedges(shape, scale), *_energy(curve, shape, scale), *_bounds(record, scale)]),
        *_flagged(curve, scale),
        *_legend(words),
    ]
    label = escape(words.text("session.curve.label"))
    return Raw(
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _cut_to_energies(parts: Sequence[str]) -> str:
    """A drawing within the drawing shows nothing beyond its own borders."""
    left, top = LEFT - _EDGE, ENERGY_TOP - _EDGE
    width, height = RIGHT - LEFT + 2 * _EDGE, ENERGY_BOTTOM - ENERGY_TOP + 2 * _EDGE
    box = f'x="{left}" y="{top}" width="{width}" height="{height}" viewBox="{left} {top} {width} {height}"'
    return f"<svg {box}>{''.join(parts)}</svg>"


def _grid(scale: _Scale, words: Catalogue) -> Iterator[str]:
    for value in _ticks(scale.top_e4kwh, 5):
        y = scale.y(value)
        yield f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
        yield _text(LEFT - 8, y, written.energy(value, 0 if scale.top_e4kwh > 50_000 else 2), "end")
    for value in _ticks(scale.top_w, 2):
        y = scale.power_y(value)
        yield f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
        yield _text(LEFT - 8, y, written.kilowatts(value, 0), "end")
    yield _text(LEFT - 56, str(ENERGY_TOP - 14), words.text("session.curve.axis.energy"), "start")
    yield _text(LEFT - 56, str(POWER_TOP - 10), words.text("session.curve.axis.power"), "start")


def _ticks(top: int, wanted: int) -> list[int]:
    """Round values from 0 to the top, about so many."""
    size = 1
    while True:
        for step in _STEPS:
            if top // (step * size) <= wanted:
                return list(range(0, top + 1, step * size))
        size *= 10


def _time_axis(scale: _Scale, zone: str) -> Iterator[str]:
    span_s = (scale.to_ms - scale.from_ms) // 1000
    step_s = next((step for step in _TIME_STEPS_S if span_s // step <= MOST_TICKS), _TIME_STEPS_S[-1])
    local = _local(scale.from_ms, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    passed_s = int((local - midnight).total_seconds())
    at_ms = scale.from_ms // 1000 * 1000 + (-passed_s % step_s) * 1000
    while at_ms <= scale.to_ms:
        moment = _local(at_ms, zone)
        text = moment.strftime("%H:%M" if span_s < 86_400 else "%m-%d %H:%M")
        x = scale.x(at_ms)
        yield f'<line x1="{x}" x2="{x}" y1="{POWER_BOTTOM}" y2="{POWER_BOTTOM + 4}" class="tick"/>'
        yield _text(x, str(POWER_BOTTOM + 18), text, "middle")
        at_ms += step_s * 1000


def _local(at_ms: int, zone: str) -> datetime:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone))


def _silences(curve: SessionCurve, scale: _Scale, words: Catalogue) -> Iterator[str]:
    for from_ms, to_ms in curve.silences():
        x, end = scale.x(from_ms), scale.x(to_ms)
        width = f"{max(0.5, float(end) - float(x)):.1f}"
        height = POWER_BOTTOM - ENERGY_TOP
        yield f'<rect x="{x}" y="{ENERGY_TOP}" width="{width}" height="{height}" fill="{AMBER}" opacity="0.10"/>'
        text = words.text("session.curve.gap", length=written.length(to_ms - from_ms, words))
        middle = f"{(float(x) + float(end)) / 2:.1f}"
        yield _text(middle, str(ENERGY_TOP + 10), text, "middle")


def _wedges(shape: CurveShape, scale: _Scale) -> Iterator[str]:
    for wedge in shape.wedges:
        start, end = scale.x(wedge.from_ms), scale.x(wedge.to_ms)
        corners = (
            f"{start},{scale.y(wedge.from_e4kwh)} {end},{scale.y(wedge.high_e4kwh)} {end},{scale.y(wedge.low_e4kwh)}"
        )
        yield f'<polygon points="{corners}" fill="{AMBER}" fill-opacity="0.35" stroke="{AMBER}" stroke-width="0.8"/>'


def _power(curve: SessionCurve, shape: CurveShape, scale: _Scale) -> Iterator[str]:
    for stretch in _stretches(curve, shape):
        line = " ".join(f"{scale.x(int(curve.event_ms[i]))},{scale.power_y(int(curve.power_w[i]))}" for i in stretch)
        first, last = scale.x(int(curve.event_ms[stretch[0]])), scale.x(int(curve.event_ms[stretch[-1]]))
        area = f"{first},{POWER_BOTTOM} {line} {last},{POWER_BOTTOM}"
        yield f'<polygon points="{area}" fill="{GREY}" fill-opacity="0.14"/>'
        yield f'<polyline points="{line}" fill="none" stroke="{GREY}" stroke-width="1.3"/>'


def _energy(curve: SessionCurve, shape: CurveShape, scale: _Scale) -> Iterator[str]:
    looks = (
        (curve.accepted_e4kwh, f'stroke="{GREEN}" stroke-width="3.2"'),
        (curve.counted_e4kwh, f'stroke="{BLUE}" stroke-width="1.5" stroke-dasharray="2 3"'),
    )
    for values, look in looks:
        for stretch in _stretches(curve, shape):
            line = " ".join(f"{scale.x(int(curve.event_ms[i]))},{scale.y(int(values[i]))}" for i in stretch)
            yield f'<polyline points="{line}" fill="none" {look} stroke-linejoin="round" stroke-linecap="round"/>'


def _stretches(curve: SessionCurve, shape: CurveShape) -> list[Sequence[int]]:
    """The readings to draw, broken where nothing was heard."""
    borders = {start for start, _end in curve.gaps()}
    stretches: list[list[int]] = [[]]
    for place in shape.chosen.tolist():
        stretches[-1].append(place)
        if int(curve.event_ms[place]) in borders:
            stretches.append([])
    return [stretch for stretch in stretches if stretch]


def _flagged(curve: SessionCurve, scale: _Scale) -> Iterator[str]:
    marked = curve.marked()
    for place in marked[:: -(-len(marked) // MOST_MARKS) or 1].tolist():
        x, counted = scale.x(int(curve.event_ms[place])), int(curve.counted_e4kwh[place])
        if counted > scale.top_e4kwh:
            yield f'<path d="M{x} {ENERGY_TOP - 6}l5 9h-10z" fill="{RED}"/>'
        else:
            yield f'<circle cx="{x}" cy="{scale.y(counted)}" r="3.6" fill="none" stroke="{RED}" stroke-width="1.6"/>'


def _bounds(record: SessionRecord, scale: _Scale) -> Iterator[str]:
    """The measured figure with its interval, at the right end of the drawing."""
    session = record.session
    if record.is_open or not session["high_e4kwh"]:
        return
    x = RIGHT - 3
    low, high = scale.y(session["low_e4kwh"]), scale.y(session["high_e4kwh"])
    bracket = f"M{x - 4} {high}h8M{x - 4} {low}h8M{x} {high}V{low}"
    yield f'<path d="{bracket}" fill="none" stroke="{GREEN}" stroke-width="1.6"/>'


def _legend(words: Catalogue) -> Iterator[str]:
    x = LEFT + 90
    for look, key in (
        (f'stroke="{GREEN}" stroke-width="3.2"', "accepted"),
        (f'stroke="{BLUE}" stroke-width="1.5" stroke-dasharray="2 3"', "reported"),
        (f'stroke="{AMBER}" stroke-width="7" stroke-opacity="0.5"', "range"),
        (f'stroke="{GREY}" stroke-width="1.5"', "power"),
    ):
        text = words.text(f"session.curve.{key}")
        yield f'<line x1="{x}" x2="{x + 24}" y1="16" y2="16" {look}/>'
        yield _text(x + 30, "16", text, "start")
        x += 60 + sum(13 if ord(letter) > 0x2E80 else 7 for letter in text)


def _text(x: int | str, y: str, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" dy="0.35em" text-anchor="{anchor}">{escape(text)}</text>'
