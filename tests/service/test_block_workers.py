"""Blocks in several processes: all their results, or an end of all of them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.block_workers import results_of_blocks
from service.errors import ServiceError

FOR_EVER_S = 3_600
PARENT = """
from tests.service.test_block_workers import begin, works_for_ever
from service.block_workers import results_of_blocks
if __name__ == "__main__":
    for result in results_of_blocks(works_for_ever, range(2), 2, begin=begin, arguments=(1,)):
        print(result, flush=True)
"""
_factor = 0


def begin(factor: int) -> None:
    global _factor
    _factor = factor


def cannot_begin() -> None:
    raise ValueError("no way in")


def times_factor(block: int) -> int:
    return block * _factor


def ignores_interrupts(_block: int) -> bool:
    os.kill(os.getpid(), signal.SIGINT)
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def kills_itself(block: int) -> int:
    if block == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(FOR_EVER_S if block else 0)
    return block


def refuses(block: int) -> int:
    if block == 1:
        raise ServiceError("block 1 cannot be taken")
    time.sleep(FOR_EVER_S if block else 0)
    return block


def works_for_ever(block: int) -> int:
    while block:
        pass
    return block


def test_every_block_is_taken_by_a_process_that_has_begun() -> None:
    results = results_of_blocks(times_factor, range(7), 2, begin=begin, arguments=(3,))
    assert sorted(results) == [3 * block for block in range(7)]
    assert list(results_of_blocks(ignores_interrupts, range(1), 1, begin=begin, arguments=(1,))) == [True]
    assert multiprocessing.active_children() == []


@pytest.mark.fault
def test_a_killed_process_ends_all() -> None:
    with pytest.raises(ServiceError, match="ended early"):
        list(results_of_blocks(kills_itself, range(4), 2, begin=begin, arguments=(1,)))
    assert multiprocessing.active_children() == []


def test_a_process_that_cannot_begin_ends_all() -> None:
    with pytest.raises(ServiceError, match="ended early"):
        list(results_of_blocks(times_factor, range(4), 2, begin=cannot_begin, arguments=()))
    assert multiprocessing.active_children() == []


def test_an_error_of_a_block_does_not_wait_for_the_others() -> None:
    with pytest.raises(ServiceError, match="block 1"):
        list(results_of_blocks(refuses, range(4), 2, begin=begin, arguments=(1,)))
    assert multiprocessing.active_children() == []


def test_an_interrupt_does_not_wait_for_blocks_and_spares_other_processes() -> None:
    other = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(FOR_EVER_S,))
    other.start()
    results = results_of_blocks(refuses, [0, 2, 3], 2, begin=begin, arguments=(1,))
    assert next(results) == 0
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)  # type: ignore[attr-defined]  # a generator, which the signature leaves open
    assert multiprocessing.active_children() == [other]
    other.terminate()
    other.join()


@pytest.mark.fault
def test_a_killed_parent_leaves_no_process_behind() -> None:
    """One that works without a pause and one that waits for work, by each way to end their parent."""
    ways = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    parents = [subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) for _ in ways]
    workers: set[int] = set()
    try:
        for parent in parents:
            assert parent.stdout is not None and parent.stdout.readline() == "0\n"
            own = _workers_of(parent.pid)
            assert len(own) == 2
            workers |= own
        for parent, way in zip(parents, ways, strict=True):
            parent.send_signal(way)
            parent.wait(30)
        assert _left(workers, within_s=30) == set()
    finally:
        for parent in parents:
            parent.kill()
        for left in _left(workers, within_s=0):
            os.kill(left, signal.SIGKILL)
        for parent in parents:
            parent.communicate()


def _workers_of(parent: int) -> set[int]:
    threads = Path(f"/proc/{parent}/task").iterdir()
    children = [child for thread in threads for child in (thread / "children").read_text("ascii").split()]
    return {int(child) for child in children if _is_worker(int(child))}


def _is_worker(process: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _left(workers: set[int], within_s: float) -> set[int]:
    """Those that are there still after so long."""
    until_s = time.monotonic() + within_s
    while (left := {one for one in workers if _is_worker(one)}) and time.monotonic() < until_s:
        time.sleep(0.05)
    return left
