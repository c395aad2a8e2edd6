"""The look that all charts share. Colours of text and grid come from style.css, so that a theme needs no new figure."""

from typing import Any

import plotly.graph_objects as go
from dash import dcc

GREEN, BLUE, AMBER, RED, GREY = "#17a286", "#4c82e6", "#e0912f", "#dc5263", "#8b97a6"
FONT = "-apple-system, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
TIME_FORMATS = [
    {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
    {"dtickrange": [60_000, 86_400_000], "value": "%H:%M"},
    {"dtickrange": [86_400_000, None], "value": "%m-%d"},
]


def calm(figure: go.Figure, *, height: int, revision: str) -> go.Figure:
    """Give a figure the shared look; `revision` keeps the reader's zoom while it stays the same."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 26},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": GREY},
        hovermode="x unified",
        hoverlabel={"font": {"family": FONT, "size": 12}},
        showlegend=False,
        dragmode="zoom",
        uirevision=revision,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
    )
    figure.update_xaxes(
        showgrid=False,
        zeroline=False,
        showline=False,
        ticks="",
        tickformatstops=TIME_FORMATS,
        hoverformat="%m-%d %H:%M:%S",
        automargin=True,
        nticks=8,
        ticklabelstandoff=6,
    )
    figure.update_yaxes(
        gridcolor="rgba(139,151,166,0.18)",
        zeroline=False,
        showline=False,
        automargin=True,
        nticks=6,
        separatethousands=True,
        exponentformat="none",
    )
    return figure


def chart(identity: str, figure: go.Figure) -> dcc.Graph:
    """A chart without the tool bar."""
    config: Any = {"displayModeBar": False, "responsive": True, "scrollZoom": False}
    return dcc.Graph(id=identity, figure=figure, config=config, className="chart")
