"""Kept inputs of a fuzz target: a text file, one input a line in hex, words after a # as a comment."""

import hashlib
import json
from pathlib import Path

CORPUS_FOLDER = Path(__file__).parent / "corpus"
REAL_FRAMES = Path(__file__).parents[1] / "data" / "frames.jsonl"


def corpus_path(target: str) -> Path:
    """Where the kept inputs of a target stand."""
    return CORPUS_FOLDER / f"{target}.hex"


def kept_inputs(target: str) -> list[bytes]:
    """The kept inputs of a target, empty when none were kept yet."""
    path = corpus_path(target)
    if not path.exists():
        return []
    lines = (line.partition("#")[0].strip() for line in path.read_text("ascii").splitlines())
    return [bytes.fromhex(line) for line in lines if line]


def replace_inputs(target: str, inputs: list[bytes]) -> int:
    """Make these the kept inputs of a target, shortest first; lines with a comment stay. Gives the number of lines."""
    path = corpus_path(target)
    old = path.read_text("ascii").splitlines() if path.exists() else []
    commented = [line for line in old if "#" in line]
    staying = {bytes.fromhex(line.partition("#")[0]) for line in commented}
    new = sorted(set(inputs) - staying - {b""}, key=lambda data: (len(data), data))
    lines = commented + [data.hex() for data in new]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "ascii")
    return len(lines)


def write_inputs(folder: Path, inputs: list[bytes]) -> set[str]:
    """One file for each input, named as libFuzzer names its own, so that equal ones are one; gives the names."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {hashlib.sha1(data, usedforsecurity=False).hexdigest(): data for data in inputs}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return set(files)


def real_frames(protocol: str) -> list[bytes]:
    """The public sample frames of a protocol, damaged ones too."""
    samples = [json.loads(line) for line in REAL_FRAMES.read_text("utf-8").splitlines()]
    return [bytes.fromhex(sample["hex"]) for sample in samples if sample["protocol"] == protocol]
