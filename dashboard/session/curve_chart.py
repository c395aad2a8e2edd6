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

MOST_POINTS = 2_000
FEW_POINTS = 3  # too few for a line to be seen
HEADROOM = 1.12


def curve_figure(curve: SessionCurve, words: Catalogue, zone: str) -> go.Figure:
    """Energy over power on a shared time axis, in local time of `zone`.

    The energy axis fits the accepted curve: a reading far beyond it is drawn at the upper edge with its true value, so
    that one false reading does not flatten the rest.
    """
    chosen = _thinned(curve)
    times = [_local(int(curve.event_ms[i]), zone) for i in chosen]
    top = _top_e4kwh(curve)
    figure = go.Figure()
    reported = curve.counted_e4kwh[chosen]
    accepted = _with_breaks(times, curve.accepted_e4kwh[chosen] / 1e4, curve, chosen)
    _line(figure, accepted, words.text("session.curve.accepted"), {"color": GREEN, "width": 3.5})
    said = _with_breaks(times, np.minimum(reported, top) / 1e4, curve, chosen)
    _line(figure, said, words.text("session.curve.reported"), {"color": BLUE, "width": 1.6, "dash": "dot"})
    _flagged(figure, curve, words, zone, top)
    _power(figure, _with_breaks(times, curve.power_w[chosen] / 1e3, curve, chosen), words.text("session.curve.power"))
    for from_ms, to_ms in curve.gaps():
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


def _top_e4kwh(curve: SessionCurve) -> int:
    """The upper end of the energy axis."""
    accepted = int(curve.accepted_e4kwh.max())
    typical = int(np.percentile(curve.counted_e4kwh, 90)) if len(curve) else 0
    return max(1_000, int(max(accepted, min(typical, accepted * 3)) * HEADROOM))


def _thinned(curve: SessionCurve) -> npt.NDArray[np.intp]:
    """Which readings to draw: all, or per bucket of time its ends and extremes, and all flagged ones."""
    count = len(curve)
    if count <= MOST_POINTS:
        return np.arange(count)
    keep = set(curve.marked().tolist()) | {0, count - 1}
    for part in np.array_split(np.arange(count), MOST_POINTS // 4):
        values, power = curve.counted_e4kwh[part], curve.power_w[part]
        keep |= {int(part[0]), int(part[-1]), int(part[values.argmax()]), int(part[values.argmin()])}
        keep |= {int(part[power.argmax()]), int(part[power.argmin()])}
    return np.array(sorted(keep), dtype=np.intp)


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
