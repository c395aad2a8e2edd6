"""The chart of one session: the counter as reported and as accepted, power below, silences shaded."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analytics.session_curve import SessionCurve
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.plots import AMBER, BLUE, GREEN, GREY, RED, calm
from dashboard.session.curve_shape import CurveShape, curve_shape
from dashboard.session.record import SessionRecord

FEW_POINTS = 3  # too few for a line to be seen


def curve_figure(record: SessionRecord, words: Catalogue) -> go.Figure:
    """Energy over power on a shared time axis, in the local time of the station.

    The energy axis fits the accepted curve: a reading far beyond it is drawn at the upper edge with its true value, so
    that one false reading does not flatten the rest. Where more or less may have flowed than what counts, a wedge opens
    from the last certain figure; the bracket at the end is the interval of the whole.
    """
    curve, zone = record.curve, record.zone
    shape = curve_shape(curve, record.session["high_e4kwh"])
    chosen, top = shape.chosen, shape.top_e4kwh
    times = [_local(int(curve.event_ms[i]), zone) for i in chosen]
    figure = go.Figure()
    _wedges(figure, shape, words, zone)
    reported = curve.counted_e4kwh[chosen]
    accepted = _with_breaks(times, curve.accepted_e4kwh[chosen] / 1e4, curve, chosen)
    _line(figure, accepted, words.text("session.curve.accepted"), {"color": GREEN, "width": 3.5})
    said = _with_breaks(times, np.minimum(reported, top) / 1e4, curve, chosen)
    _line(figure, said, words.text("session.curve.reported"), {"color": BLUE, "width": 1.6, "dash": "dot"})
    if curve.register_start_e4kwh:
        _times, registers = _with_breaks(times, curve.reported_e4kwh[chosen] / 1e4, curve, chosen)
        figure.data[-1].update(
            customdata=registers, hovertemplate=words.text("session.curve.register", value="%{customdata:,.4f}")
        )
    _flagged(figure, curve, words, zone, top)
    _power(figure, _with_breaks(times, curve.power_w[chosen] / 1e3, curve, chosen), words.text("session.curve.power"))
    _bounds(figure, record, shape, words)
    for from_ms, to_ms in curve.silences():
        _silence(figure, from_ms, to_ms, words, zone)
    calm(figure, height=420, revision="session")
    figure.update_layout(
        showlegend=True,
        yaxis={
            "domain": [0.36, 1],
            "range": [0, top / 1e4],
            "title": {"text": words.text("session.curve.axis.energy")},
        },
        yaxis2={
            "domain": [0, 0.26],
            "rangemode": "tozero",
            "gridcolor": "rgba(139,151,166,0.18)",
            "zeroline": False,
            "nticks": 3,
            "automargin": True,
            "title": {"text": words.text("session.curve.axis.power")},
        },
        xaxis={"anchor": "y2"},
        hovermode="x unified",
    )
    return figure


def _wedges(figure: go.Figure, shape: CurveShape, words: Catalogue, zone: str) -> None:
    """All wedges as one trace: triangles from what was certain to what may be."""
    if not shape.wedges:
        return
    x: list[Any] = []
    y: list[Any] = []
    for wedge in shape.wedges:
        start, end = _local(wedge.from_ms, zone), _local(wedge.to_ms, zone)
        x += [start, end, end, start, None]
        y += [part / 1e4 for part in (wedge.from_e4kwh, wedge.high_e4kwh, wedge.low_e4kwh, wedge.from_e4kwh)] + [None]
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            name=words.text("session.curve.range"),
            line={"color": AMBER, "width": 0.8},
            fill="toself",
            fillcolor="rgba(224,145,47,0.32)",
            hoverinfo="skip",
        )
    )


def _bounds(figure: go.Figure, record: SessionRecord, shape: CurveShape, words: Catalogue) -> None:
    """The measured figure with its interval, where the charge can have ended at the latest."""
    session = record.session
    if record.is_open or not session["high_e4kwh"]:
        return
    low, best, high = (session[name] / 1e4 for name in ("low_e4kwh", "best_e4kwh", "high_e4kwh"))
    last_ms = max([int(record.curve.event_ms[-1]), *(wedge.to_ms for wedge in shape.wedges)])
    text = words.text(
        "session.measured.interval",
        low=written.energy(session["low_e4kwh"], 4),
        high=written.energy(session["high_e4kwh"], 4),
    )
    figure.add_trace(
        go.Scatter(
            x=[_local(last_ms, record.zone)],
            y=[best],
            mode="markers",
            name=words.text("session.curve.bounds"),
            marker={"size": 7, "color": GREEN},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [high - best],
                "arrayminus": [best - low],
                "color": GREEN,
                "thickness": 1.6,
                "width": 6,
            },
            hovertemplate=f"{text}<extra></extra>",
            cliponaxis=False,
        )
    )


def _line(figure: go.Figure, points: tuple[list[Any], list[Any]], name: str, line: dict[str, Any]) -> None:
    figure.add_trace(
        go.Scatter(
            x=points[0],
            y=points[1],
            mode=_mode(points[0]),
            name=name,
            line=line,
            hovertemplate="%{y:,.4f}",
            connectgaps=False,
        )
    )


def _power(figure: go.Figure, points: tuple[list[Any], list[Any]], name: str) -> None:
    """One filled area per stretch without a silence: a single one would be filled across it."""
    breaks = [-1, *[i for i, value in enumerate(points[1]) if value is None], len(points[1])]
    for after, before in pairwise(breaks):
        figure.add_trace(
            go.Scatter(
                x=points[0][after + 1 : before],
                y=points[1][after + 1 : before],
                yaxis="y2",
                mode=_mode(points[0]),
                name=name,
                legendgroup="power",
                showlegend=after < 0,
                line={"color": GREY, "width": 1.4},
                fill="tozeroy",
                fillcolor="rgba(139,151,166,0.12)",
                hovertemplate="%{y:,.1f}",
            )
        )


def _mode(points: list[Any]) -> str:
    return "lines+markers" if len(points) <= FEW_POINTS else "lines"


def _silence(figure: go.Figure, from_ms: int, to_ms: int, words: Catalogue, zone: str) -> None:
    """A shaded band over the whole height with its length in words."""
    left, right = _local(from_ms, zone), _local(to_ms, zone)
    figure.add_shape(
        type="rect",
        x0=left,
        x1=right,
        y0=0,
        y1=1,
        yref="paper",
        fillcolor=AMBER,
        opacity=0.12,
        line_width=0,
        layer="below",
    )
    figure.add_annotation(
        x=left + (right - left) / 2,
        y=1,
        yref="paper",
        yanchor="top",
        showarrow=False,
        text=words.text("session.curve.gap", length=written.length(to_ms - from_ms, words)),
        font={"size": 11},
    )


def _flagged(figure: go.Figure, curve: SessionCurve, words: Catalogue, zone: str, top: int) -> None:
    marked = curve.marked()
    if not len(marked):
        return
    notes = []
    for i in marked:
        note = ", ".join(words.word("flag", name) for name in curve.flags_at(int(i)))
        if curve.counted_e4kwh[i] > top:
            value = written.energy(int(curve.reported_e4kwh[i]), 4)
            note += "<br>" + words.text("session.curve.beyond", value=value)
        notes.append(note)
    beyond = curve.counted_e4kwh[marked] > top
    figure.add_trace(
        go.Scatter(
            x=[_local(int(curve.event_ms[i]), zone) for i in marked],
            y=np.minimum(curve.counted_e4kwh[marked], top) / 1e4,
            mode="markers",
            name=words.text("session.curve.flagged"),
            marker={
                "size": 9,
                "color": RED,
                "symbol": ["triangle-up" if far else "circle-open" for far in beyond],
                "line": {"width": 2, "color": RED},
            },
            text=notes,
            hovertemplate="%{text}<extra></extra>",
            cliponaxis=False,
        )
    )


def _with_breaks(
    times: list[datetime], values: npt.NDArray[np.float64], curve: SessionCurve, chosen: npt.NDArray[np.intp]
) -> tuple[list[Any], list[Any]]:
    """The points of a line with a break in every silence, so that nothing is drawn where nothing was heard."""
    after = {start for start, _end in curve.gaps()}
    x: list[Any] = []
    y: list[Any] = []
    for position, i in enumerate(chosen):
        x.append(times[position])
        y.append(float(values[position]))
        if int(curve.event_ms[i]) in after:
            x.append(times[position])
            y.append(None)
    return x, y


def _local(ms: int, zone: str) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
