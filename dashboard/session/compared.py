"""The three facts of a session side by side, the cause of each difference, and the other witnesses of its energy."""

from typing import Any

from dash import html

from analytics.three_facts import Cause, ComparedFact, Witness, three_facts, witnesses
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, column_name, empty, table
from dashboard.session.record import SessionRecord
from dashboard.session.values import said, said_all, signed

COLUMNS = ("fact", "charger", "platform", "billed", "spread")
AGREES = {True: ("good", "session.witness.agrees"), False: ("warn", "session.witness.differs")}


def compared_facts(record: SessionRecord) -> list[ComparedFact]:
    """Energy, duration and money in their three forms; none while the charge goes on."""
    if record.is_open:
        return []
    return three_facts(record.session, record.upload, record.bill, record.tariffs, record.codes["hits"])


def facts_table(record: SessionRecord, words: Catalogue) -> Any:
    """What the charger says, what was measured, what is billed, and below each row in words why they differ."""
    facts = compared_facts(record)
    if not facts:
        return empty(words.text("session.facts3.open"))
    head = html.Tr(
        [
            html.Th(words.text(f"session.facts3.{column}"), scope="col", className="num" if place else "")
            for place, column in enumerate(COLUMNS)
        ]
    )
    body = [row for fact in facts for row in _fact_rows(fact, record, words)]
    return html.Div(
        html.Table([html.Thead(head), html.Tbody(body)], className="table facts-table labelled"), className="table-wrap"
    )


def _fact_rows(fact: ComparedFact, record: SessionRecord, words: Catalogue) -> list[html.Tr]:
    figures = (fact.charger, fact.platform, fact.billed)
    shown = [said(fact.unit, figure, words, record.zone) for figure in figures]
    shown.append(signed(fact.unit, fact.spread, words, record.zone))
    cells = [
        html.Td(text, className="num", **column_name(words.text(f"session.facts3.{column}")))
        for column, text in zip(COLUMNS[1:], shown, strict=True)
    ]
    name = html.Th(words.text(f"session.facts3.{fact.name}"), scope="row")
    reasons = [html.Li(cause_words(cause, words, record.zone)) for cause in fact.causes]
    why = html.Td(html.Ul(reasons, className="plain-list why-list"), colSpan=5)
    rows = [html.Tr([name, *cells], className="fact-row")]
    return [*rows, html.Tr(why, className="why-row")] if reasons else rows


def cause_words(cause: Cause, words: Catalogue, zone: str) -> str:
    """One cause as a sentence; a rule of the final figure is said as the page says it."""
    if cause.key.startswith("rule."):
        return words.text(f"session.{cause.key}")
    return words.text(f"why.{cause.key}", **said_all(cause.values, words, zone))


def witness_table(record: SessionRecord, words: Catalogue) -> Any:
    """Counter, power and register beside what is billed: difference, tolerance, and whether they agree (S17)."""
    billed = record.bill["final_energy_e4kwh"] if record.bill else None
    found = [] if record.is_open else witnesses(record.session, record.upload, billed)
    if not found:
        return empty(words.text("session.witness.none"))
    rows = [
        [
            _witness_name(witness, record, words),
            written.energy(witness.energy_e4kwh, 4),
            written.NOTHING
            if witness.difference_e4kwh is None
            else written.signed(written.energy(witness.difference_e4kwh, 4), witness.difference_e4kwh),
            f"± {written.energy(witness.tolerance_e4kwh, 4)}",
            written.NOTHING
            if witness.agrees is None
            else badge(words.text(AGREES[witness.agrees][1]), AGREES[witness.agrees][0]),
        ]
        for witness in found
    ]
    columns = ("name", "energy", "difference", "tolerance", "verdict")
    return table(
        [words.text(f"session.witness.{column}") for column in columns], rows, numeric=(1, 2, 3), class_name="labelled"
    )


def _witness_name(witness: Witness, record: SessionRecord, words: Catalogue) -> Any:
    """Its name; that of the charger's last counter is marked when the measurement does not take it as it is."""
    name = words.text(f"session.witness.{witness.name}")
    curve, last = record.curve, len(record.curve) - 1
    if witness.name != "counter" or last < 0 or last not in curve.marked():
        return name
    if int(curve.reported_e4kwh[last]) != witness.energy_e4kwh:
        return name
    why = words.text("word.and").join(words.word("flag", flag) for flag in curve.flags_at(last))
    return html.Span([name, " ", badge(why, "warn")], className="badges")
