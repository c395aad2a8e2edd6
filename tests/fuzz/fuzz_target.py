"""Runs one target under libFuzzer: `python -m tests.fuzz.fuzz_target NAME FOLDER|FILE -option=value`.

A FILE is one input to repeat. A FOLDER gets the first inputs and all that libFuzzer finds worth keeping. To be started
by `scripts/fuzz.py`, which sets up the sanitizers; by itself it fuzzes whatever build is imported.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris

from tests.fuzz.corpus_file import write_inputs

with atheris.instrument_imports(include=["core", "ingest"]):
    from tests.fuzz.targets import TARGETS, Target, first_inputs

INSERTED_SHARE = 0.1
SEALED_SHARE = 0.8


def main(arguments: list[str]) -> None:
    """Fuzz until an option of libFuzzer or a failure ends it; never returns."""
    name, path, *options = arguments[1:]
    target = TARGETS[name]
    # libFuzzer starts itself again by this when it minimises a corpus.
    program = f"{sys.executable} -m tests.fuzz.fuzz_target {name}"
    if Path(path).is_dir() and not any(
        option.startswith("-set_cover_merge") or option.startswith("-merge") for option in options
    ):
        write_inputs(Path(path), first_inputs(name))
    settings = [program, path, f"-max_len={target.longest}", *options]
    atheris.Setup(settings, target.check, custom_mutator=mutator_of(target))
    atheris.Fuzz()


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
