"""Blocks of an evaluation in several processes, which end together: when all is done, when one is lost, on Ctrl-C, or
with the process that started them, even when that is killed."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from service.errors import ServiceError
from service.lifeline import end_with_parent

Block = TypeVar("Block")
Result = TypeVar("Result")


def results_of_blocks(
    take: Callable[[Block], Result],
    blocks: Sequence[Block],
    processes: int,
    *,
    begin: Callable[..., None],
    arguments: tuple[Any, ...],
) -> Iterator[Result]:
    """What `take` gives for each block, in no order; `begin(*arguments)` runs once in each process before.

    `take`, `begin` and all that they are given must be importable or picklable. An error of `take` is raised here.
    Raises `ServiceError` when a process was lost or could not begin.
    """
    others = multiprocessing.active_children()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(begin, arguments)) as pool:
        try:
            for future in as_completed([pool.submit(take, block) for block in blocks]):
                yield future.result()
        except BaseException as error:
            _end(others)  # the pool itself would wait until the blocks that are being taken are done: minutes, perhaps
            if isinstance(error, BrokenProcessPool):
                raise ServiceError("a process of the evaluation ended early; see what it said above") from error
            raise


def _begin(begin: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends its processes
    begin(*arguments)


def _end(others: Sequence[BaseProcess]) -> None:
    """End the processes of this module, and none of those that were there before."""
    for process in multiprocessing.active_children():
        if process not in others:
            process.terminate()
