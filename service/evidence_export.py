"""`pilestream timeline TRADE_NO --export FILE`: the evidence of a session as a file to send to the charger's maker."""

import sys
from pathlib import Path

from clickhouse_driver import Client

from analytics.questions import PLATFORM_SCOPE, ask
from analytics.session_curve import session_curve
from dashboard.catalogue import Catalogue, Language
from dashboard.context import Services
from dashboard.session.evidence_case import evidence_case
from dashboard.session.evidence_pack import evidence_zip
from dashboard.session.evidence_page import evidence_html
from dashboard.source import Source
from service.errors import UsageError
from service.evidence_file import ENDINGS, EXPLAINED_ENDINGS, PAGE, check_place, no_session, write_whole
from service.role import now_ms
from service.running import running_client
from service.settings import Settings

DONE, NO = 0, 1


def export_evidence(
    settings: Settings, trade_no: str, file: Path, *, language: Language | None = None, pile: str | None = None
) -> int:
    """Write the evidence of the session under this number; gives the exit code, 1 when there is none.

    A file of that name is replaced, once all is written. `language`: English unless it is given. `pile`: whose session,
    where several chargers used the number. Raises UsageError for a file with another ending than .html or .zip, and
    where it is not clear which session is meant; ServiceError where its folder is missing; OSError where the file
    cannot be written.
    """
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"{file}: --export takes a name that ends with {EXPLAINED_ENDINGS}")
    check_place(file)
    with running_client(settings) as client:
        found = _sessions(client, trade_no, pile)
        if not found:
            print(no_session(trade_no, pile), file=sys.stderr)
            return NO
        if len(found) > 1:
            places = ", ".join(f"{code}/{connector}" for code, connector in found)
            raise UsageError(f"{trade_no} names {len(found)} sessions, at {places}: say which with --pile")
        services = Services(
            source=Source(lambda: client, PLATFORM_SCOPE, now_ms),
            zone=settings.default_zone,
            curve_of=session_curve,
            encode_reading=None,
            frame_fields=lambda _frame_hex: {},
        )
        case = evidence_case(services, *found[0], trade_no)
    if case is None:
        print(no_session(trade_no, pile), file=sys.stderr)
        return NO
    words = Catalogue(language or "en")
    content = evidence_html(case, words).encode() if ending == PAGE else evidence_zip(case, words)
    write_whole(file, content)
    print(f"{file}: {len(content):,} bytes", file=sys.stderr)
    return DONE


def _sessions(client: Client, trade_no: str, pile: str | None) -> list[tuple[str, int]]:
    rows = ask(client, "timeline_sessions", PLATFORM_SCOPE, trade_no=trade_no).records()
    return [(row["pile"], row["connector"]) for row in rows if pile in (None, row["pile"])]
