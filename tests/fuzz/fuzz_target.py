"""Runs one target under libFuzzer: `python -m tests.fuzz.fuzz_target NAME FOLDER|FILE -option=value`.

A FILE is one input to repeat. A FOLDER gets the first inputs and all that libFuzzer finds worth keeping. To be started
by `scripts/fuzz.py`, which sets up the sanitizers; by itself it fuzzes whatever build is imported.
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["core", "ingest"]):
    from tests.fuzz.targets import TARGETS, Target, first_inputs

INSERTED_SHARE = 0.1
SEALED_SHARE = 0.8


def main(arguments: list[str]) -> None:
    """Fuzz until an option of libFuzzer or a failure ends it; never returns."""
    program, name, path, *options = arguments
    target = TARGETS[name]
    if not Path(path).is_file():
        write_inputs(Path(path), first_inputs(name))
    settings = [program, path, f"-max_len={target.longest}", *options]
    atheris.Setup(settings, target.check, custom_mutator=mutator_of(target))
    atheris.Fuzz()


def write_inputs(folder: Path, inputs: list[bytes]) -> None:
    """One file for each input, named as libFuzzer names its own, so that equal ones are one."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def mutator_of(target: Target) -> Callable[[bytes, int, int], bytes]:
    """libFuzzer's own mutation or a known input put in, and then mostly the checksums made right."""
    known = target.seeds()

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < INSERTED_SHARE:
            at = rng.randint(0, len(data))
            data = data[:at] + rng.choice(known) + data[at:]
        else:
            data = atheris.Mutate(data, max_size)
        if target.seal is not None and rng.random() < SEALED_SHARE:
            data = target.seal(data, rng)
        return data[:max_size]

    return mutate


if __name__ == "__main__":
    main(sys.argv)
