"""The kept inputs of the fuzzers, their seeds, and random bytes, against the build that the other tests use."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core.ykc.splitter
from tests.fuzz.corpus_file import CORPUS_FOLDER
from tests.fuzz.targets import TARGETS, first_inputs


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_promised_for_any_bytes_holds_for_what_fuzzing_found(name: str) -> None:
    target = TARGETS[name]
    for data in first_inputs(name):
        target.check(data)


def test_every_kept_corpus_belongs_to_a_target() -> None:
    assert {path.stem for path in CORPUS_FOLDER.iterdir()} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_random_mutations_of_seeds_break_no_promise(name: str) -> None:
    """What the fuzzers do, without their guidance: for machines where they cannot run."""
    target = TARGETS[name]
    seeds = target.seeds()

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(range(len(seeds))), st.integers(0, 2**32), st.binary(max_size=40), st.integers(0, 2048))
    def mutate(index: int, seed: int, inserted: bytes, position: int) -> None:
        at = position % (len(seeds[index]) + 1)
        data = seeds[index][:at] + inserted + seeds[index][at + seed % 3 :]
        target.check(data if target.seal is None or seed % 5 == 0 else target.seal(data, Random(seed)))

    mutate()


@pytest.mark.skipif("PILESTREAM_SANITIZED" not in os.environ, reason="only where scripts/fuzz.py runs the tests")
def test_the_sanitized_build_is_the_one_under_test() -> None:
    assert Path(core.ykc.splitter.__file__).is_relative_to(os.environ["PILESTREAM_SANITIZED"])


def test_a_machine_without_clang_is_told_what_to_install() -> None:
    script = Path(__file__).parents[2] / "scripts" / "fuzz.py"
    done = subprocess.run(
        [sys.executable, str(script)], env={"PATH": "/nonexistent"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends clang" in done.stderr
