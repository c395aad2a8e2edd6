"""Which lines of captures the spool has taken: a line is taken once, through repeats and crashes."""

import hashlib
import shutil
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.disk import Disk
from ingest.errors import IngestError
from ingest.spool import Spool

FOLDER: Final = "replayed"
_SUFFIX: Final = ".lines"
_STAGING_PREFIX: Final = "staging-"
_SORTING: Final = "sorting"
_COMPARED_AT_ONCE: Final = 1 << 20


class LedgerEntry(msgspec.Struct, frozen=True):
    """What one replay took: the identities of its lines (uint64, sorted, little-endian) and their chargers.

    `until_ms`: the time of the capture's last line, taken or not; 0 in entries of versions that did not keep it.
    """

    lines: bytes
    pile_ids: list[int]
    until_ms: int = 0


class CaptureLedger:
    """The replays of one spool, in the folder `replayed` inside it.

    A replay writes its segments in a staging folder. It counts from the moment its entry is on the disk: only then the
    segments move into the spool, and what a crash left in between moves at the next look.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._folder = spool.folder / FOLDER
        self._disk = Disk()

    @staticmethod
    def name_of(identities: npt.NDArray[np.uint64]) -> str:
        """The name of the replay of these lines, whatever their order."""
        return hashlib.blake2b(np.sort(identities).astype("<u8").tobytes(), digest_size=16).hexdigest()

    def finish_interrupted(self) -> None:
        """Complete the replays whose entry stands, forget those that never got one."""
        for staging in sorted(self._folder.glob(f"{_STAGING_PREFIX}*")):
            name = staging.name.removeprefix(_STAGING_PREFIX)
            if self._entry_path(name).exists():
                self._spool.adopt(staging)
            shutil.rmtree(staging)
        self.end_sorting()

    def taken(self, identities: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.bool_], set[int]]:
        """Which of the lines an earlier replay took, and the chargers of the replays that took any of them."""
        taken = np.zeros(len(identities), dtype=np.bool_)
        pile_ids: set[int] = set()
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            entry = _read_entry(path)
            here = _among(identities, np.frombuffer(entry.lines, dtype="<u8"))
            if here.any():
                taken |= here
                pile_ids.update(entry.pile_ids)
        return taken, pile_ids

    def staging(self, name: str) -> Path:
        """Where the replay with that name writes its segments."""
        return self._folder / f"{_STAGING_PREFIX}{name}"

    def begin_sorting(self) -> Path:
        """An empty folder on the disk of the spool; `end_sorting` removes it with all that is in it."""
        self.end_sorting()
        folder = self._folder / _SORTING
        folder.mkdir(parents=True)
        return folder

    def end_sorting(self) -> None:
        """The sorted lines were taken, or will be sorted anew."""
        shutil.rmtree(self._folder / _SORTING, ignore_errors=True)

    def commit(self, name: str, identities: npt.NDArray[np.uint64], pile_ids: set[int], until_ms: int) -> None:
        """The staged segments are complete and on the disk: from now on these lines are taken."""
        self._write_entry(name, identities, pile_ids, until_ms)
        staging = self.staging(name)
        self._spool.adopt(staging)
        shutil.rmtree(staging)

    def extend(self, identities: npt.NDArray[np.uint64], pile_ids: set[int], until_ms: int) -> None:
        """Keep the end of a capture all of whose lines were taken before, where it is later than those of the others.

        What is decided of its chargers must not depend on which of the captures was replayed last.
        """
        known = self.observed_until(pile_ids)
        if any(known.get(pile_id, 0) < until_ms for pile_id in pile_ids):
            self._write_entry(self.name_of(identities), identities, pile_ids, until_ms)

    def observed_until(self, pile_ids: set[int]) -> dict[int, int]:
        """Of each of the chargers that any replay spoke of: when the last capture that spoke of it ended (epoch ms)."""
        until: dict[int, int] = {}
        for path in self._folder.glob(f"*{_SUFFIX}"):
            entry = _read_entry(path)
            for pile_id in pile_ids.intersection(entry.pile_ids):
                until[pile_id] = max(entry.until_ms, until.get(pile_id, 0))
        return until

    def _write_entry(self, name: str, identities: npt.NDArray[np.uint64], pile_ids: set[int], until_ms: int) -> None:
        entry = LedgerEntry(np.sort(identities).astype("<u8").tobytes(), sorted(pile_ids), until_ms)
        self._disk.replace(self._entry_path(name), msgspec.msgpack.encode(entry))

    def _entry_path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


def _among(identities: npt.NDArray[np.uint64], known: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which of the identities are among the known ones, which are sorted; without copies of millions of them."""
    among = np.zeros(len(identities), dtype=np.bool_)
    if len(known):
        for start in range(0, len(identities), _COMPARED_AT_ONCE):
            some = identities[start : start + _COMPARED_AT_ONCE]
            places = np.minimum(np.searchsorted(known, some), len(known) - 1)
            among[start : start + len(some)] = known[places] == some
    return among


def _read_entry(path: Path) -> LedgerEntry:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=LedgerEntry)
    except msgspec.DecodeError as error:
        raise IngestError(f"the list of replayed lines {path} is damaged: {error}") from error
