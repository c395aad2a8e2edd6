"""The three facts of a session side by side: what the charger says, what was measured, what is billed."""

from typing import Any

from dash import html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, card, fact, icon, table
from dashboard.session.evidence import start_evidence
from dashboard.session.record import SessionRecord

FLOWING_RECORDS = ("waiting", "overdue")
GOOD_QUALITY = ("VALID", "VERIFIED", "MANUAL", "DERIVED")
AAF5_MODES = {"app": 1, "card": 2, "local_admin": 9}


def three_figures(record: SessionRecord, words: Catalogue) -> html.Div:
    """The three figures, each with the line that qualifies it."""
    return html.Div(
        [_charger_says(record, words), _measured(record, words), _billed(record, words)], className="figures three"
    )


def _figure(label: str, picture: str, value: str, unit: str, notes: list[Any], *, tone: str = "") -> html.Section:
    return card(
        [
            html.Div([icon(picture, size=17), html.H2(label, className="figure-label")], className="figure-head"),
            html.Div([html.Span(value, className="figure-value"), html.Span(unit, className="figure-unit")]),
            html.Div([html.Div(note) for note in notes], className="figure-detail"),
        ],
        class_name=f"figure {tone}".strip(),
    )


def _charger_says(record: SessionRecord, words: Catalogue) -> html.Section:
    upload, session = record.upload, record.session
    if upload is None and record.so_far is not None:
        notes: list[Any] = [
            words.text("session.reports.counter", time=written.clock(record.so_far.last_ms, record.zone)),
            badge(words.word("record", session["bill_state"]), "info"),
        ]
        value = written.energy(record.so_far.counter_e4kwh, 4)
        return _figure(words.text("session.reports"), "plug", value, words.text("unit.kwh"), notes)
    if upload is None:
        waiting = session["bill_state"] in FLOWING_RECORDS
        note = words.text("session.reports.waiting" if waiting else "session.reports.none")
        state = badge(words.word("record", session["bill_state"]), "info" if waiting else "warn")
        return _figure(words.text("session.reports"), "plug", written.NOTHING, "", [note, state])
    notes = [
        words.text("session.reports.amount", amount=written.money_e4(upload["bill_amount_e4yuan"])),
        words.text("session.reports.received", time=written.clock(upload["first_receive_ms"], record.zone)),
    ]
    if upload["uploads"] > 1:
        notes.append(words.text("session.reports.repeated", count=upload["uploads"]))
    if len(record.uploads) > 1:
        notes.append(badge(words.word("cause", "DUPLICATE_BILL"), "warn"))
    value = written.energy(upload["bill_energy_e4kwh"], 4)
    return _figure(words.text("session.reports"), "plug", value, words.text("unit.kwh"), notes)


def _measured(record: SessionRecord, words: Catalogue) -> html.Section:
    session, upload = record.session, record.upload
    if record.is_open:
        return _measured_so_far(record, words)
    notes: list[Any] = [
        words.text(
            "session.measured.interval",
            low=written.energy(session["low_e4kwh"], 4),
            high=written.energy(session["high_e4kwh"], 4),
        )
    ]
    if upload is not None:
        difference = session["best_e4kwh"] - upload["bill_energy_e4kwh"]
        text = written.signed(written.energy(difference, 4), difference)
        notes.append(
            words.text("session.measured.diff", diff=text) if difference else words.text("session.measured.same")
        )
    good = session["quality"] in GOOD_QUALITY
    notes.append(badge(words.word("quality", session["quality"]), "good" if good else "warn"))
    value = written.energy(session["best_e4kwh"], 4)
    return _figure(words.text("session.measured"), "gauge", value, words.text("unit.kwh"), notes)


def _measured_so_far(record: SessionRecord, words: Catalogue) -> html.Section:
    """A charge under way has no interval and no quality yet."""
    label = words.text("session.measured")
    if record.so_far is None:
        return _figure(label, "gauge", written.NOTHING, "", [words.text("session.measured.waiting")])
    note = words.text("session.measured.so_far", time=written.clock(record.so_far.last_ms, record.zone))
    return _figure(label, "gauge", written.energy(record.so_far.energy_e4kwh, 4), words.text("unit.kwh"), [note])


def _billed(record: SessionRecord, words: Catalogue) -> html.Section:
    bill = record.bill
    if bill is None:
        notes: list[Any] = [words.text("session.billed.open")]
        if record.so_far is not None:
            value = written.money(record.so_far.amount_fen)
            notes = [words.text("session.billed.so_far"), *notes]
            return _figure(words.text("session.billed"), "receipt", value, words.text("unit.yuan"), notes)
        return _figure(words.text("session.billed"), "receipt", written.NOTHING, "", notes, tone="figure-lead")
    energy = f"{written.energy(bill['final_energy_e4kwh'], 4)} {words.text('unit.kwh')}"
    notes = [
        html.Span(energy, className="strong"),
        words.text(
            "session.billed.amount",
            electricity=written.money(bill["electricity_fen"]),
            service=written.money(bill["service_fen"]),
        ),
    ]
    if bill["held"]:
        notes.append(badge(words.text("session.billed.held"), "warn"))
    elif bill["status"] == "provisional":
        notes.append(badge(words.text("session.billed.provisional"), "info"))
    value = written.money(bill["amount_fen"])
    return _figure(words.text("session.billed"), "receipt", value, words.text("unit.yuan"), notes, tone="figure-lead")


def times_table(record: SessionRecord, words: Catalogue) -> html.Div:
    """Start, end and registers of the charger's record beside the platform's, with the differences."""
    session, zone = record.session, record.zone
    sent = record.upload or {}

    def times(pile_ms: int, platform_ms: int) -> list[Any]:
        gap = pile_ms - platform_ms if pile_ms and platform_ms else None
        shown = written.NOTHING if gap is None else written.signed(written.length(gap, words), gap)
        return [written.full_time(pile_ms, zone), written.full_time(platform_ms, zone), shown]

    def registers(pile: int, platform: int) -> list[Any]:
        gap = pile - platform if pile and platform else None
        shown = written.NOTHING if gap is None else written.signed(written.energy(gap, 4), gap)
        return [written.energy(pile or None, 4), written.energy(platform or None, 4), shown]

    rows = [
        [words.text("session.compare.start"), *times(sent.get("bill_start_ms", 0), session["start_ms"])],
        [
            words.text("session.compare.end"),
            *times(sent.get("bill_end_ms", 0), 0 if record.is_open else session["end_ms"]),
        ],
    ]
    for name in ("start", "end"):
        said, measured = sent.get(f"bill_meter_{name}_e4kwh", 0), session[f"register_{name}_e4kwh"]
        if said or measured:
            rows.append([words.text(f"session.compare.meter_{name}"), *registers(said, measured)])
    head = [words.text(f"session.compare.{column}") for column in ("fact", "pile", "platform", "diff")]
    return table(head, rows, numeric=(1, 2, 3), class_name="labelled")


def _stop_words(protocol: str, code: int, words: Catalogue) -> str:
    """Why the charger says that it stopped; a code that its table lacks says so."""
    key = stop_key(protocol, code)
    meaning = words.word("stop", key)
    return words.text("session.facts.stop_code", code=code) if meaning == str(key) else meaning


def session_facts(record: SessionRecord, words: Catalogue) -> html.Dl:
    """Where, on what, started by whom, and why it ended."""
    session, upload = record.session, record.upload or {}
    started = [words.word("mode", _mode(session))]
    if session["start_command_ms"]:
        time = written.clock(session["start_command_ms"], record.zone)
        started.append(words.text("session.facts.command", time=time))
    card_no = (session["physical_card"] or "").strip("0")
    connector = words.text("connector", number=session["connector"])
    rated = written.kilowatts(session["rated_power_w"], 0)
    stop = upload.get("bill_stop_reason")
    facts = [
        fact(words.text("session.facts.station"), words.name(session["station"], session["station_en"])),
        fact(words.text("session.facts.operator"), words.name(session["operator"], session["operator_en"])),
        fact(words.text("session.facts.pile"), f"{session['pile']} · {connector}"),
        fact(
            words.text("session.facts.model"),
            f"{session['vendor']} {session['model']} · {rated} {words.text('unit.kw')}",
        ),
        fact(words.text("session.facts.mode"), [" · ".join(started), *start_evidence(record, words, started[0])]),
        fact(words.text("session.facts.vin"), session["vin"] or written.NOTHING),
    ]
    if card_no:
        facts.append(fact(words.text("session.facts.card"), session["physical_card"]))
    if stop is not None:
        facts.append(fact(words.text("session.facts.stop"), _stop_words(session["protocol"], stop, words)))
    facts.append(fact(words.text("session.facts.life"), _life(record, words)))
    facts.append(fact(words.text("session.facts.record"), words.word("record", session["bill_state"])))
    return html.Dl(facts, className="facts")


def _mode(session: dict[str, Any]) -> int:
    """Who started it, by the numbers of YKC, which stand for every protocol."""
    if session["protocol"] == "aaf5":
        return AAF5_MODES.get(session["start_method"], 0)
    return int(session["start_mode"]) or (1 if session["start_command_ms"] else 0)


def stop_key(protocol: str, reason: int) -> str:
    """How texts name the reason for the end of a charge: YKC writes it in hex, AAF5 in decimal digits."""
    return str(reason) if protocol == "aaf5" else f"0x{reason:02X}"


def _life(record: SessionRecord, words: Catalogue) -> str:
    session, zone = record.session, record.zone
    parts = [words.word("life", session["life"])]
    if session["life"] != "open" and session["end_high_ms"] - session["end_low_ms"] > 60_000:
        low, high = written.clock(session["end_low_ms"], zone), written.clock(session["end_high_ms"], zone)
        parts.append(words.text("session.facts.end_between", low=low, high=high))
    if session["longest_gap_ms"] > 60_000:
        parts.append(words.text("session.facts.unobserved", length=written.length(session["longest_gap_ms"], words)))
    return " · ".join(parts)
