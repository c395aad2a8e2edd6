"""When a line is given up, and the words for why."""

from typing import Final

import msgspec

from ingest.reactions import Reason

BAD_INPUT: Final = {
    Reason.ENCRYPTED: "encrypted",
    Reason.GARBAGE: "garbage",
    Reason.BAD_LENGTH: "bad_length",
    Reason.BAD_CHECKSUM: "bad_checksum",
    Reason.NOT_LOGGED_IN: "not_logged_in",
    Reason.FOREIGN_PILE: "foreign_pile",
}
HALF_FRAME: Final = "half_frame"
SLOW_SENDER: Final = "slow_sender"
SILENT: Final = "silent"
NO_LOGIN: Final = "no_login"
NOT_LOGGED_IN: Final = "not_logged_in"


class LineLimits(msgspec.Struct, frozen=True):
    """When a line is given up.

    `garbage_bytes`: consecutive bytes without one good frame. `encrypted_reads`: reads with encrypted frames and no
    good one in between (ykc.md section 1: no key exchange is defined). `half_frame_ms`: age of a frame whose rest does
    not come. `frames_before_login`: good frames of somebody who does not say who it is.
    """

    garbage_bytes: int = 4_096
    encrypted_reads: int = 5
    half_frame_ms: int = 20_000
    frames_before_login: int = 10
    login_ms: int = 30_000
