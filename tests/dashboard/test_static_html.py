"""Pieces of pages as plain HTML: nothing that comes from a charger can become markup, nothing needs the application."""

from dash import dcc, html

from dashboard.parts import aria, card, fact, icon, table
from dashboard.static_html import Raw, static_html


def test_texts_and_attributes_are_escaped() -> None:
    evil = '<script>alert("1")</script>'
    shown = static_html([html.Div(evil, title='" onmouseover="x'), evil])
    assert "<script" not in shown
    assert 'title="&quot; onmouseover=&quot;x"' in shown
    assert shown.count("&lt;script&gt;") == 2


def test_what_needs_the_application_is_left_out() -> None:
    shown = static_html(
        [
            html.Button("press", id="b"),
            dcc.Clipboard(target_id="b"),
            dcc.Store(id="s", data={}),
            dcc.Graph(id="g"),
            icon("check"),
            html.Div("hidden", hidden=True),
            dcc.Link("A1", href="/session/1/1/A1"),
            None,
            True,
        ]
    )
    assert shown == "<span>A1</span>"


def test_a_card_with_a_table_keeps_its_shape() -> None:
    piece = card([html.Dl([fact("name", "value")]), table(["a", "b"], [["1", 2]], numeric=(1,))], title="Card")
    shown = static_html(piece)
    assert '<section class="card"><div class="card-head"><h2 class="card-title">Card</h2><div></div></div>' in shown
    assert "<dt>name</dt><dd>value</dd>" in shown
    assert '<th class="num" scope="col">b</th>' in shown
    assert '<td class="num" data-label="b">2</td>' in shown


def test_styles_labels_and_own_drawings_are_written_as_they_are() -> None:
    shown = static_html(html.Div(Raw("<svg/>"), style={"flexGrow": 3}, **aria(label="a <b>")))
    assert shown == '<div style="flex-grow:3" aria-label="a &lt;b&gt;"><svg/></div>'
    assert static_html(html.Br()) == "<br>"
