"""The file that `pilestream timeline --export` writes: which endings it may have, and that it is there whole or not."""

import os
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from analytics.safe_text import printable
from service.errors import ServiceError

PAGE, PACK = ".html", ".zip"
ENDINGS: Final = (PAGE, PACK)
EXPLAINED_ENDINGS: Final = f"{PAGE} (one page) or {PACK} (page, frames, readings)"
_READABLE: Final = 0o666
_UNFINISHED: Final = ".pilestream-"  # not the name itself: one of 250 characters has no room for more


def check_place(file: Path) -> None:
    """Raises `ServiceError` where no file of that name can be written, before the evidence is put together."""
    _place(file)


def write_whole(file: Path, content: bytes) -> None:
    """Put the content in place of `file`, whole or not at all; what stood there stays until then.

    A link stays, and what it leads to is replaced. Raises `ServiceError` as `check_place` does, and OSError, which
    names `file`, where it cannot be written; nothing of it is left then.
    """
    place = _place(file)
    try:
        with NamedTemporaryFile(dir=place.parent, prefix=_UNFINISHED, delete=False) as part:
            try:
                part.write(content)
                part.flush()
                os.fsync(part.fileno())
                os.fchmod(part.fileno(), place.stat().st_mode & _READABLE if place.exists() else _READABLE & ~_umask())
                Path(part.name).replace(place)
            except BaseException:
                Path(part.name).unlink()
                raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def _place(file: Path) -> Path:
    """Where links lead from `file`: a regular file, or nothing in a folder that is there; else ServiceError."""
    try:
        place = file.resolve()
        if not place.parent.is_dir():
            leads = f"{file} leads to {place}, but there" if file.is_symlink() else f"{file}: there"
            raise ServiceError(f"{leads} is no folder {place.parent if file.is_symlink() else file.parent}")
        mode = place.stat().st_mode
    except FileNotFoundError:
        return place
    except RuntimeError as error:  # so Path tells of links that go round
        raise ServiceError(f"{file} is a link that leads back to itself; say another name") from error
    except OSError as error:
        raise ServiceError(f"{file} cannot be written: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise ServiceError(f"{file} is a folder; say the name of a file")
    if not stat.S_ISREG(mode):
        raise ServiceError(f"{file} is no regular file but a device, a pipe or a socket; it is left as it is")
    return place


def no_session(trade_no: str, pile: str | None) -> str:
    """The words for a number, or a number at a charger, that no session has."""
    of_pile = f" at charger {printable(pile)}" if pile is not None else ""
    return f"pilestream: no session has the number {printable(trade_no)}{of_pile}"


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
