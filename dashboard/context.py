"""What every page is given: where to ask, whose clock, and the language of the request."""

from collections.abc import Callable, Mapping
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
LIVE_WINDOW_MS = 60 * 60_000
"""A charge without a bill was heard within this time: it ends after 30 silent minutes, and then it has its bill."""

CurveOf = Callable[[Client, Scope, dict[str, Any]], SessionCurve]
"""The curve of the session whose current revision is given as a record."""

EncodeReading = Callable[[Mapping[str, int]], bytes]
"""A row of question `reading_frame` -> the frame that it came from."""

FrameFields = Callable[[str], dict[str, Any]]
"""hex -> what `pilestream decode` says of the frame."""


class Services(msgspec.Struct, frozen=True):
    """The parts that the pages use, wired by `create_app`."""

    source: Source
    zone: str
    curve_of: CurveOf
    encode_reading: EncodeReading | None
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
