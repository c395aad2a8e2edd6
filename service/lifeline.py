"""How a child process of the platform learns that it should stop: a signal, or the end of its parent."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any, Final

PARENT_ENDED: Final = 1
"""Exit code of a process that nobody waits for any more."""


def say_ready(**facts: Any) -> None:
    """Tell the parent that this process serves now, in one JSON line."""
    print(json.dumps({"ready": True, **facts}), flush=True)


def on_stop(callback: Callable[[], None]) -> None:
    """Call `callback` once, from some thread or a signal handler, when this process should end."""
    called = threading.Event()

    def call_once() -> None:
        if not called.is_set():
            called.set()
            callback()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: call_once())
    on_parent_end(call_once)


def stopped_in_loop() -> asyncio.Event:
    """An event of the running loop that is set when this process should end."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        # A parent may end while this process does so by itself: the loop is closed then, and nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stopped.set)

    on_stop(stop)
    return stopped


def on_parent_end(callback: Callable[[], None]) -> None:
    """Call `callback` from a thread when the parent process has ended."""
    threading.Thread(target=_wait_for_parent_end, args=(callback,), name="lifeline", daemon=True).start()


def end_with_parent() -> None:
    """End this process at once when the one that started it has ended, however that ended; for `multiprocessing`.

    Such a process has the standard input of its parent, so that its end is no sign. Nothing is done where it has no
    parent of that kind.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_exit, args=(parent,), name="lifeline", daemon=True).start()


def stop_on_signal() -> threading.Event:
    """An event that Ctrl-C or SIGTERM sets; for the parent process, which has no lifeline."""
    event = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: event.set())
    return event


def interrupt_on_signal() -> None:
    """Let SIGTERM raise KeyboardInterrupt as Ctrl-C does; for the time before a parent process watches its children."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)


def stop_event() -> threading.Event:
    """An event that is set when this process should end, for a child process."""
    event = threading.Event()
    on_stop(event.set)
    return event


def _wait_and_exit(parent: BaseProcess) -> None:
    parent.join()
    os._exit(PARENT_ENDED)


def _wait_for_parent_end(callback: Callable[[], None]) -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    callback()
