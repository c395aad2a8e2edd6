"""Fuzzes what reads bytes of chargers and of the disk, for a bounded time: `make fuzz SECONDS=90`.

Builds the compiled modules once more in build/sanitized with AddressSanitizer and UndefinedBehaviorSanitizer, runs the
property tests on that build, and then each target of tests/fuzz/targets.py under libFuzzer (by atheris, which traces
Python code too). Needs clang. docs/fuzzing.md tells more.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

try:
    from tests.fuzz.corpus_file import replace_inputs, write_inputs
    from tests.fuzz.targets import TARGETS
except ModuleNotFoundError as error:
    print(f"fuzzing needs the compiled modules and all packages ({error}): run `make install` first", file=sys.stderr)
    sys.exit(2)

PACKAGES = ("core", "ingest")
SANITIZED = ROOT / "build" / "sanitized"
LIBRARY = SANITIZED / "lib"
WORK = ROOT / "build" / "fuzz"
FAILURES = WORK / "failures"
PRELOADED = "asan_with_fuzzer.so"
INPUT_TIMEOUT_S = 20
MEMORY_LIMIT_MB = 3000
SHOWN_LINES = 100
SHOWN_STACK_FRAMES = 8
MERGE = "-set_cover_merge=1"
# Hypothesis covers whole ranges of values, which a fuzzer that follows branches has no reason to visit.
PROPERTY_TESTS = (
    "tests/core/test_checksum.py",
    "tests/core/test_receive_buffer.py",
    "tests/core/test_ykc_splitter.py",
    "tests/core/test_ykc_codec.py",
    "tests/core/test_ykc_realtime.py",
    "tests/core/test_aaf5_splitter.py",
    "tests/core/test_aaf5_codec.py",
    "tests/core/test_aaf5_status.py",
    "tests/ingest/test_record_buffer.py",
    "tests/ingest/test_ykc_stream.py",
    "tests/ingest/test_aaf5_stream.py",
    "tests/ingest/test_shared_reads.py",
    "tests/ingest/test_protocol_detection.py",
    "tests/fuzz",
)
_STACK_FRAME = re.compile(r"\s+#(\d+) 0x")
_COUNTERS = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)")


class Figures(NamedTuple):
    """What a run of one target came to."""

    target: str
    seconds: float
    executions: int
    edges: int
    features: int
    inputs: int
    failed: bool


def main() -> int:
    """The exit code: 0 when nothing was found, 1 when something was, 2 when it cannot run."""
    arguments = _parser().parse_args()
    missing = _missing_tools()
    if missing:
        print(f"fuzzing needs {missing}", file=sys.stderr)
        return 2
    names = arguments.target or list(TARGETS)
    _build()
    if arguments.input is not None:
        return _repeat(names, arguments.input)
    if not arguments.no_tests and not _property_tests_pass():
        return 1
    shutil.rmtree(WORK, ignore_errors=True)
    FAILURES.mkdir(parents=True)
    share = arguments.seconds * arguments.jobs / sum(TARGETS[name].weight for name in names)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        figures = list(pool.map(_fuzz, names, [max(1, round(share * TARGETS[name].weight)) for name in names]))
    _print(figures)
    if arguments.keep:
        for name in names:
            print(f"{name}: {_keep(name)} inputs kept")
    return 1 if any(run.failed for run in figures) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: .venv/bin/python scripts/fuzz.py --seconds 600 --target ykc_stream --keep",
    )
    parser.add_argument("--seconds", type=int, default=90, help="time for all targets together (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="how many targets at a time (default: %(default)s)")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--keep", action="store_true", help="minimise what was found and keep it in tests/fuzz/corpus")
    parser.add_argument("--no-tests", action="store_true", help="leave out the property tests on the sanitized build")
    parser.add_argument("--input", type=Path, metavar="FILE", help="only repeat one input, such as a failure's file")
    return parser


def _missing_tools() -> str:
    """What is not installed, in words, empty when all is."""
    if shutil.which("clang") is None:
        return "clang: apt-get install --no-install-recommends clang"
    if find_spec("atheris") is None:
        return "atheris: .venv/bin/python -m pip install --editable '.[fuzz]'"
    return ""


def _build() -> None:
    """A copy of the packages with sanitized modules; the tree's own are left as they are."""
    started = time.monotonic()
    command = [sys.executable, "-W", "ignore", "setup.py", "--quiet", "build_ext"]
    command += ["--build-lib", str(LIBRARY), "--build-temp", str(SANITIZED / "temp")]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PILESTREAM_SANITIZE": "1"}, check=True, stdout=sys.stderr)
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            target = LIBRARY / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    print(f"built with sanitizers in {time.monotonic() - started:.0f} s", file=sys.stderr)


def _environment() -> dict[str, str]:
    """In which a process imports the sanitized copy, with the runtime of the sanitizers and of libFuzzer before all."""
    spec = find_spec("atheris")
    assert spec is not None and spec.origin is not None
    return os.environ | {
        "LD_PRELOAD": str(Path(spec.origin).parents[1] / PRELOADED),
        # The interpreter frees little at its end. Small objects must come from malloc to be watched; long stacks of
        # each and a long quarantine would take two thirds of the speed.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:malloc_context_size=2:quarantine_size_mb=16",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": f"{LIBRARY}:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PILESTREAM_SANITIZED": str(LIBRARY),
    }


def _property_tests_pass() -> bool:
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not server and not long"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    command += [str(ROOT / tests) for tests in PROPERTY_TESTS]
    done = subprocess.run(command, cwd=LIBRARY, env=_environment(), check=False)
    print(f"property tests on the sanitized build: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return done.returncode == 0


def _command(name: str, path: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.fuzz_target", name, str(path), *options]


def _fuzz(name: str, seconds: int) -> Figures:
    """Run one target; a failure's input stands in build/fuzz/failures afterwards."""
    print(f"{name}: {seconds} s", file=sys.stderr)
    (WORK / name).mkdir()
    options = [f"-max_total_time={seconds}", f"-timeout={INPUT_TIMEOUT_S}", f"-rss_limit_mb={MEMORY_LIMIT_MB}"]
    options.append(f"-artifact_prefix={FAILURES}/{name}-")
    started = time.monotonic()
    done = subprocess.run(
        _command(name, WORK / name, *options),
        cwd=LIBRARY,
        env=_environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    lasted = time.monotonic() - started
    counters = _COUNTERS.search(done.stderr)
    if done.returncode != 0 or counters is None:
        print("\n".join(_told(done.stdout + done.stderr)), file=sys.stderr)
        for failure in sorted(FAILURES.glob(f"{name}-*")):
            print(f"{failure.relative_to(ROOT)}: {failure.read_bytes().hex()}", file=sys.stderr)
        return Figures(name, lasted, 0, 0, 0, 0, True)
    executions, edges, features, inputs = (int(counters[group]) for group in range(1, 5))
    return Figures(name, lasted, executions, edges, features, inputs, False)


def _told(output: str) -> list[str]:
    """What a failed run said, without libFuzzer's greetings and the interpreter's part of each stack."""
    lines = (line for line in output.splitlines() if not line.startswith("INFO: "))
    frames = ((line, _STACK_FRAME.match(line)) for line in lines)
    return [line for line, frame in frames if frame is None or int(frame[1]) < SHOWN_STACK_FRAMES][-SHOWN_LINES:]


def _repeat(names: list[str], file: Path) -> int:
    """Give one input to the targets; the exit code."""
    data = file.resolve()
    runs = [subprocess.run(_command(name, data), cwd=LIBRARY, env=_environment(), check=False) for name in names]
    return 1 if any(run.returncode for run in runs) else 0


def _keep(name: str) -> int:
    """Keep the few inputs that reach what the seeds do not; gives how many are kept now."""
    merged = WORK / f"{name}-merged"
    seeds = write_inputs(merged, TARGETS[name].seeds())
    command = _command(name, merged, MERGE, str(WORK / name))
    subprocess.run(command, cwd=LIBRARY, env=_environment(), check=True, capture_output=True)
    return replace_inputs(name, [file.read_bytes() for file in merged.iterdir() if file.name not in seeds])


def _print(figures: list[Figures]) -> None:
    """The figures of all targets, as the table of docs/fuzzing.md."""
    print("| target | seconds | executions | per second | edges | features | inputs | result |")
    print("|---|--:|--:|--:|--:|--:|--:|---|")
    for run in figures:
        rate = run.executions / run.seconds
        result = "FAILED" if run.failed else "nothing found"
        print(
            f"| {run.target} | {run.seconds:.0f} | {run.executions} | {rate:.0f} | {run.edges} | {run.features} "
            f"| {run.inputs} | {result} |"
        )


if __name__ == "__main__":
    sys.exit(main())
