"""What every page is given: where to ask, whose clock, and the language of the request."""

from collections.abc import Callable
from typing import Any

import msgspec
from clickhouse_driver import Client
from flask import has_request_context, request

from analytics.questions import Scope
from analytics.session_curve import SessionCurve
from dashboard.catalogue import Catalogue, language_of
from dashboard.source import Source

LANGUAGE_COOKIE = "pilestream_lang"
THEME_COOKIE = "pilestream_theme"

CurveOf = Callable[[Client, Scope, dict[str, Any]], SessionCurve]
"""The curve of the session whose current revision is given as a record."""

FrameHex = Callable[[Client, int, int, int, int], str | None]
"""(client, pile_id, receive_ms, segment_id, segment_offset) -> bytes of a stored frame as hex, None if it is gone."""

FrameFields = Callable[[str], dict[str, Any]]
"""hex -> what `pilestream decode` says of the frame."""


class Services(msgspec.Struct, frozen=True):
    """The parts that the pages use, wired by `create_app`."""

    source: Source
    zone: str
    curve_of: CurveOf
    frame_hex: FrameHex
    frame_fields: FrameFields

    def now_ms(self) -> int:
        """The moment that the pages take as now."""
        return self.source.clock()


def request_words() -> Catalogue:
    """The texts in the language of the request under way: `?lang=`, else the cookie, else Chinese."""
    if not has_request_context():
        return Catalogue(language_of(None, None))
    return Catalogue(language_of(request.args.get("lang"), request.cookies.get(LANGUAGE_COOKIE)))


def request_theme() -> str:
    """`light` or `dark`, as the browser remembers it."""
    remembered = request.cookies.get(THEME_COOKIE) if has_request_context() else None
    return "dark" if remembered == "dark" else "light"
