"""The curve of charging power over the last hours."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from dashboard.catalogue import Catalogue
from dashboard.plots import GREEN, calm


def power_figure(history: list[dict[str, Any]], words: Catalogue, zone: str) -> go.Figure:
    """Mean power per bucket as a filled line, in local time of `zone`; gaps in charging are zeros."""
    local = [_local(row["from_ms"], zone) for row in history]
    figure = go.Figure(
        go.Scatter(
            x=local,
            y=[row["power_w"] / 1000 for row in history],
            mode="lines",
            line={"color": GREEN, "width": 2, "shape": "spline", "smoothing": 0.5},
            fill="tozeroy",
            fillcolor="rgba(23,162,134,0.12)",
            hovertemplate=words.text("overview.curve.hover") + "<extra></extra>",
            name=words.text("overview.curve.trace"),
        )
    )
    calm(figure, height=250, revision=f"power-{len(history)}")
    figure.update_yaxes(rangemode="tozero")
    return figure


def _local(ms: int, zone: str) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
