"""A child process of the platform ends when its parent does, and quietly when it was ending already."""

import subprocess
import sys

WAITS = """
import asyncio
from service.lifeline import stopped_in_loop

async def wait():
    stopped = stopped_in_loop()
    print("waits", flush=True)
    await stopped.wait()

asyncio.run(wait())
"""
HAS_ENDED = """
import asyncio
import time
from service.lifeline import stopped_in_loop

async def begin():
    stopped_in_loop()

asyncio.run(begin())
print("ended", flush=True)
time.sleep(1)
"""


def test_a_loop_is_told_that_the_parent_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waits\n"
        _, errors = child.communicate(timeout=20)
    assert (child.returncode, errors) == (0, "")


def test_a_parent_that_ends_after_the_loop_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HAS_ENDED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ended\n"
        _, errors = child.communicate(timeout=20)
    assert (child.returncode, errors) == (0, "")
