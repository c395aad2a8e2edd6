"""The stored frames of a session: what each one means, and its bytes on demand."""

import json
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from analytics.session_window import window_of
from dashboard import written
from dashboard.catalogue import Catalogue, all_texts
from dashboard.context import Services, request_words
from dashboard.parts import badge, choice, empty
from dashboard.session.record import trade_key
from dashboard.source import SourceAwayError

PAGE_SIZE = 25
NO_STATE = 255


def frames_choice(words: Catalogue) -> html.Div:
    """Whether heartbeats and realtime frames are listed too."""
    kinds = [("some", words.text("session.frames.only")), ("all", words.text("session.frames.every"))]
    return choice("frames-kind", words.text("session.frames.kind"), kinds, "some")


def frames_section(session: dict[str, Any], services: Services, words: Catalogue) -> html.Div:
    """The list's first page, and the place where later ones and bytes are shown."""
    return html.Div(frames_list(session, services, words, "some", 0), id="frames-list")


def frames_list(session: dict[str, Any], services: Services, words: Catalogue, kind: str, page: int) -> list[Any]:
    """One page of frames as a table with its pager."""
    from_ms, to_ms = window_of(session)
    answer = services.source.ask(
        "session_frames",
        pile_id=session["pile_id"],
        connector=session["connector"],
        trade_no=session["trade_no"],
        record_no=session["bill_number"] or session["trade_no"],
        **trade_key(session["trade_no"]),
        from_ms=from_ms,
        to_ms=to_ms,
        every=int(kind != "some"),
        limit=PAGE_SIZE,
        offset=page * PAGE_SIZE,
    ).records()
    if not answer:
        return [empty(words.text("session.frames.none"))]
    total = answer[0]["total"]
    columns = ("time", "direction", "type", "meaning", "show")
    head = html.Thead(html.Tr([html.Th(words.text(f"session.frames.{column}"), scope="col") for column in columns]))
    rows = [row for frame in answer for row in _frame_rows(frame, session["zone"], words)]
    return [
        html.Div(html.Table([head, html.Tbody(rows)], className="table"), className="table-wrap"),
        _pager(page, total, words),
    ]


def _frame_rows(frame: dict[str, Any], zone: str, words: Catalogue) -> list[html.Tr]:
    name = type_key(frame["protocol"], frame["frame_type"])
    place = {
        "type": "frame-bytes",
        "place": f"{frame['source']}-{frame['key_ms']}-{frame['segment_id']}-{frame['segment_offset']}",
    }
    return [
        html.Tr(
            [
                html.Td(written.clock(frame["receive_ms"], zone), className="num-text"),
                html.Td(words.word("direction", frame["direction"]), className="faint"),
                html.Td([html.Span(name, className="mono"), " ", _type_name(name, words)]),
                html.Td(_meaning(frame, words)),
                html.Td(
                    html.Button(words.text("session.frames.show"), id={**place, "type": "frame-show"}, className="tool")
                ),
            ]
        ),
        html.Tr(html.Td(id=place, colSpan=5, className="frame-bytes"), className="frame-bytes-row"),
    ]


def type_key(protocol: str, frame_type: int) -> str:
    """How both documents write a message: YKC in hex, AAF5 in decimal digits."""
    return str(frame_type) if protocol == "aaf5" else f"0x{frame_type:02X}"


def _type_name(name: str, words: Catalogue) -> str:
    key = f"frame.{name}"
    return words.text(key if key in all_texts() else "frame.other")


def _meaning(frame: dict[str, Any], words: Catalogue) -> Any:
    if frame["state"] != NO_STATE:
        text = words.text(
            "session.frames.reading",
            state=words.word("reading", frame["state"]),
            energy=written.energy(frame["energy_e4kwh"], 4),
            power=written.kilowatts(frame["power_w"]),
            soc=frame["soc"],
        )
        return text if frame["verdict"] == "ok" else html.Span([text, badge(words.word("verdict", frame["verdict"]))])
    tone = "good" if frame["verdict"] == "ok" else "warn"
    return badge(words.word("verdict", frame["verdict"]), tone)


def _pager(page: int, total: int, words: Catalogue) -> html.Div:
    last = max(0, (total - 1) // PAGE_SIZE)
    return html.Div(
        [
            html.Span(words.text("session.frames.count", count=f"{total:,}"), className="faint"),
            html.Button(
                words.text("session.frames.earlier"),
                id={"type": "frames-turn", "to": page - 1},
                className="tool",
                disabled=page <= 0,
            ),
            html.Span(f"{page + 1} / {last + 1}", className="faint num-text"),
            html.Button(
                words.text("session.frames.later"),
                id={"type": "frames-turn", "to": page + 1},
                className="tool",
                disabled=page >= last,
            ),
        ],
        className="pager",
    )


def register_frames(app: Dash, services: Services) -> None:
    """Turning pages, and showing bytes."""

    @app.callback(
        Output("frames-list", "children"),
        Input("frames-kind", "value"),
        Input({"type": "frames-turn", "to": ALL}, "n_clicks"),
        State("session-key", "data"),
        prevent_initial_call=True,
    )
    def turn(kind: str, _clicks: list[int | None], key: dict[str, Any] | None) -> Any:
        triggered = ctx.triggered_id
        turned = isinstance(triggered, dict)
        if key is None or (turned and not ctx.triggered[0]["value"]):
            return no_update
        page = max(0, int(triggered["to"])) if turned else 0
        try:
            return frames_list(key, services, request_words(), kind, page)
        except SourceAwayError:
            return no_update

    @app.callback(
        Output({"type": "frame-bytes", "place": ALL}, "children"),
        Input({"type": "frame-show", "place": ALL}, "n_clicks"),
        State({"type": "frame-bytes", "place": ALL}, "id"),
        State("session-key", "data"),
        prevent_initial_call=True,
    )
    def show(clicks: list[int | None], places: list[dict[str, str]], key: dict[str, Any] | None) -> list[Any]:
        triggered = ctx.triggered_id
        if key is None or not isinstance(triggered, dict) or not ctx.triggered[0]["value"]:
            return [no_update] * len(places)
        words = request_words()
        hidden = ctx.triggered[0]["value"] % 2 == 0
        return [
            (None if hidden else _bytes_of(triggered["place"], key, services, words))
            if place["place"] == triggered["place"]
            else no_update
            for place in places
        ]


def _bytes_of(place: str, key: dict[str, Any], services: Services, words: Catalogue) -> Any:
    """The bytes of a frame in pairs of hex digits, and its fields."""
    try:
        frame_hex = stored_hex(place, key["pile_id"], key["connector"], services)
    except SourceAwayError:
        return html.Div(words.text("error.database"), className="faint")
    if not frame_hex:
        return html.Div(words.text("session.frames.lost"), className="faint")
    pairs = " ".join(frame_hex[i : i + 2] for i in range(0, len(frame_hex), 2)).upper()
    decoded = services.frame_fields(frame_hex)
    shown = [html.Pre(pairs, className="hex", tabIndex="0")]
    if decoded:
        shown.append(html.Pre(json.dumps(decoded, ensure_ascii=False, indent=2), className="hex hex-fields"))
    return html.Div(shown, className="hex-holder")


def stored_hex(place: str, pile_id: int, connector: int, services: Services) -> str | None:
    """The bytes of the frame at a `place` of the list as hex, None when the scope holds no such frame.

    All three come back from the browser, so that they may name anything; what is shown is what the scope may see.
    """
    origin, *numbers = place.split("-")
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        return None
    key_ms, segment_id, segment_offset = (int(number) for number in numbers)
    at = {"pile_id": pile_id, "segment_id": segment_id, "segment_offset": segment_offset}
    if origin == "frames":
        stored = services.source.ask("frame_bytes", **at, receive_ms=key_ms).first()
        return str(stored["frame_hex"]) if stored else None
    reading = services.source.ask("reading_frame", **at, connector=connector, event_ms=key_ms).first()
    if reading is None or services.encode_reading is None:
        return None
    return services.encode_reading(reading).hex().upper()
