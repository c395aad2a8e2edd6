"""The file that `pilestream timeline --export` writes: which endings it may have, and that it is there whole or not."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from analytics.safe_text import printable
from service.errors import ServiceError

PAGE, PACK = ".html", ".zip"
ENDINGS: Final = (PAGE, PACK)
EXPLAINED_ENDINGS: Final = f"{PAGE} (one page) or {PACK} (page, frames, readings)"
_READABLE: Final = 0o666


def check_place(file: Path) -> None:
    """Raises `ServiceError` where no file of that name can be written, before the evidence is put together."""
    if not file.parent.is_dir():
        raise ServiceError(f"{file}: there is no folder {file.parent}")
    if file.is_dir():
        raise ServiceError(f"{file} is a folder; say the name of a file")


def write_whole(file: Path, content: bytes) -> None:
    """Put the content in place of `file`, whole or not at all; what stood there stays until then.

    Raises OSError where the file cannot be written; nothing of it is left then.
    """
    target = file.resolve()
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())
            os.fchmod(part.fileno(), target.stat().st_mode & _READABLE if target.exists() else _READABLE & ~_umask())
            Path(part.name).replace(target)
        except BaseException:
            Path(part.name).unlink()
            raise


def no_session(trade_no: str, pile: str | None) -> str:
    """The words for a number, or a number at a charger, that no session has."""
    of_pile = f" at charger {printable(pile)}" if pile is not None else ""
    return f"pilestream: no session has the number {printable(trade_no)}{of_pile}"


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
