"""Whether the story of a session holds together: time seen and unseen, growth in a line, what a register may mean."""

from typing import Any

from dash import html

from analytics.plausibility import Growth, Hypothesis, ObservedTimes, growth, hypotheses
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, fact, table
from dashboard.session.record import SessionRecord
from dashboard.session.values import said

STRAIGHT = 0.995
"""A growth this close to a straight line hides no step that an eye would see."""


def plausibility(record: SessionRecord, words: Catalogue) -> html.Div:
    """Observed and unobserved time, linearity, and the hypotheses where the register has no true begin."""
    times, line = record.times, growth(record.session, record.curve)
    parts: list[Any] = []
    if times is not None:
        parts.append(_times(times, record, words))
    if line is not None:
        parts.append(_growth(line, record, words))
    if not parts:
        parts.append(html.Div(words.text("session.story.none"), className="faint quiet-state"))
    return html.Div(parts)


def _times(times: ObservedTimes, record: SessionRecord, words: Catalogue) -> html.Div:
    seen = [
        fact(
            words.text(f"session.times.{name}"),
            f"{written.length(value, words)} · {value // 1_000:,} {words.text('word.seconds')}",
        )
        for name, value in (
            ("observed", times.observed_ms),
            ("unobserved", times.unobserved_ms),
            ("total", times.total_ms),
            ("charging", times.charging_ms),
        )
    ]
    share = times.observed_ms * 1000 // times.total_ms if times.total_ms else 1000
    bar = html.Div(
        [
            html.Span(className="bar-part tint-charging", style={"flexGrow": share}),
            html.Span(className="bar-part tint-held", style={"flexGrow": 1000 - share}) if share < 1000 else None,
        ],
        className="bar bar-times",
    )
    begin = "session.times.from_order" if record.session["order_created_ms"] else "session.times.from_start"
    silences = [
        html.Li(
            words.text(
                "session.times.silence",
                begin=written.clock(first, record.zone),
                end=written.clock(last, record.zone),
                length=written.length(last - first, words),
            )
        )
        for first, last in times.silences
    ]
    note = words.text(
        begin, begin=written.clock(times.from_ms, record.zone), end=written.clock(times.to_ms, record.zone)
    )
    return html.Div(
        [
            html.H3(words.text("session.times"), className="small-title first"),
            bar,
            html.Dl(seen, className="facts facts-tight"),
            html.Div(note, className="faint fact-note"),
            html.Ul(silences, className="plain-list") if silences else None,
        ]
    )


def _growth(line: Growth, record: SessionRecord, words: Catalogue) -> html.Div:
    kilowatt = words.text("unit.kw")
    facts = [
        fact("R²", f"{line.r_squared:.4f}"),
        fact(
            words.text("session.growth.residual"),
            words.text(
                "session.growth.at",
                energy=written.signed(said("e4kwh", line.residual_e4kwh, words, record.zone), line.residual_e4kwh),
                time=written.clock(line.residual_ms, record.zone),
            ),
        ),
        fact(words.text("session.growth.register"), f"{written.kilowatts(line.register_w)} {kilowatt}"),
        fact(
            words.text("session.growth.electric"),
            f"{written.kilowatts(line.electric_w)} {kilowatt}" if line.electric_w else written.NOTHING,
        ),
    ]
    key = "session.growth.straight" if line.r_squared >= STRAIGHT else "session.growth.bent"
    return html.Div(
        [
            html.H3(words.text("session.growth"), className="small-title"),
            html.Dl(facts, className="facts facts-tight"),
            html.Div(words.text(key, count=f"{line.readings:,}"), className="faint fact-note"),
        ]
    )


def session_hypotheses(record: SessionRecord) -> list[Hypothesis]:
    """How the register may be read where it has no true begin."""
    return hypotheses(record.session, record.curve, record.times, record.price)


def hypothesis_table(record: SessionRecord, words: Catalogue) -> Any:
    """Each reading of the register with its energy, the power that it implies, its money, and the verdict."""
    found = session_hypotheses(record)
    if not found:
        return None
    rows = [
        [
            html.Span(
                [
                    html.Span(words.text(f"hypothesis.{one.name}"), className="strong" if one.chosen else None),
                    html.Div(words.text(f"hypothesis.{one.name}.text"), className="faint fact-note"),
                ]
            ),
            written.energy(one.energy_e4kwh, 2),
            written.kilowatts(one.observed_w),
            written.kilowatts(one.total_w),
            written.money(one.amount_fen),
            _verdict(one, words),
        ]
        for one in found
    ]
    columns = ("name", "energy", "observed", "total", "amount", "verdict")
    note = words.text("hypothesis.limit", limit=said("w", record.session["pmax_w"], words, record.zone))
    return html.Div(
        [
            table(
                [words.text(f"hypothesis.column.{column}") for column in columns],
                rows,
                numeric=(1, 2, 3, 4),
                class_name="labelled",
            ),
            html.Div(note, className="table-note faint"),
        ]
    )


def _verdict(one: Hypothesis, words: Catalogue) -> html.Span:
    if one.chosen:
        return badge(words.text("hypothesis.chosen"), "good")
    return badge(
        words.text("hypothesis.possible" if one.possible else "hypothesis.impossible"),
        "info" if one.possible else "bad",
    )
