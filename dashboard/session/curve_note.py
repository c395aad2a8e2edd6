"""What stands below the curve of a session, on its page and in its document."""

from dash import html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import empty
from dashboard.session.curve_shape import curve_shape
from dashboard.session.record import SessionRecord


def curve_note(record: SessionRecord, words: Catalogue) -> html.Div:
    """The figures of the curve, or that there is none."""
    curve = record.curve
    if not len(curve):
        return empty(words.text("session.curve.none"))
    naive, accepted = record.session["naive_energy_e4kwh"], int(curve.accepted_e4kwh[-1])
    if record.so_far is not None:
        naive, accepted = int(curve.reported_e4kwh[-1] - curve.reported_e4kwh[0]), record.so_far.energy_e4kwh
    note = words.text(
        "session.curve.note",
        reported=f"{len(curve):,}",
        flagged=f"{len(curve.marked()):,}",
        naive=written.energy(naive, 4),
        accepted=written.energy(accepted, 4),
    )
    high, top = record.session["high_e4kwh"], curve_shape(curve, record.session["high_e4kwh"]).top_e4kwh
    if not record.is_open and high > top:
        note += " " + words.text("session.curve.higher", high=written.energy(high, 4))
    return html.Div(note, className="faint table-note")
