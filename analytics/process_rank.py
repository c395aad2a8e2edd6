"""Which process waits when there is more to do than processors can."""

import os
import time
from pathlib import Path
from typing import Final

_TURN_WITHIN_S: Final = 1.0
_AGAIN_S: Final = 0.02


def give_way(pid: int, niceness: int) -> None:
    """Let the process `pid`, and what it starts from now on, wait for this one: it is nicer by `niceness`, up to 19.

    To be called for a child that leads a session of its own, right after its start: threads that it has already keep
    their rank. Where Linux schedules sessions as groups (`sched_autogroup_enabled`), the niceness of a process counts
    only within its session, and that of the group decides; so both are set. Linux lets accounts other than root change
    one group in 0.1 s on the whole machine, so this may take as long. Does nothing to a process that has ended.
    """
    nicer = min(os.getpriority(os.PRIO_PROCESS, 0) + niceness, 19)
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nicer)
    except ProcessLookupError:
        return
    group = Path(f"/proc/{pid}/autogroup")
    deadline = time.monotonic() + _TURN_WITHIN_S
    while True:
        try:
            group.write_text(str(nicer))
            return
        except BlockingIOError:  # somebody changed a group a moment ago
            if time.monotonic() > deadline:
                return
            time.sleep(_AGAIN_S)
        except OSError:  # no such file: not Linux, a kernel without groups, or the process has ended
            return
