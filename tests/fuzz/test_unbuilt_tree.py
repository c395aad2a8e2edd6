"""`scripts/fuzz.py` in a tree that was just checked out."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_tree_that_is_not_built_is_told_what_to_do(tmp_path: Path) -> None:
    for folder in ("scripts", "core", "ingest"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    shutil.copytree(ROOT / "tests" / "fuzz", tmp_path / "tests" / "fuzz", ignore=shutil.ignore_patterns("corpus"))
    answer = subprocess.run(
        [sys.executable, "scripts/fuzz.py"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.endswith("run `make install` first\n")
    assert len(answer.stderr.splitlines()) == 1
