"""What an installed pilestream brings along: every file that its modules read stands in a pattern of pyproject.toml."""

import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
COMPILED = {".py", ".pyx"}


def stored_files(packages: Sequence[str]) -> list[PurePosixPath]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *packages], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a checkout: which files belong to the packages is not known here")
    return [PurePosixPath(name) for name in listed.stdout.split("\0") if name]


def below_each_package(path: PurePosixPath) -> Iterator[PurePosixPath]:
    """The path as each folder above it sees it: every folder is a package to setuptools."""
    for folder in path.parents:
        if folder.name:
            yield path.relative_to(folder)


def test_every_file_that_is_not_compiled_is_installed() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)["tool"]["setuptools"]
    patterns = settings["package-data"]["*"]
    packages = [name.removesuffix("*") for name in settings["packages"]["find"]["include"]]
    files = [path for path in stored_files(packages) if path.suffix not in COMPILED]
    assert len(files) > 100
    left_behind = [
        str(path)
        for path in files
        if not any(
            len(seen.parts) == pattern.count("/") + 1 and seen.match(pattern)
            for seen in below_each_package(path)
            for pattern in patterns
        )
    ]
    assert left_behind == []
