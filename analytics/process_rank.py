"""Which process waits when there is more to do than processors can."""

import os
from pathlib import Path


def give_way(pid: int, niceness: int) -> None:
    """Let the process `pid`, and what it starts from now on, wait for this one: it is nicer by `niceness`, up to 19.

    To be called for a child that leads a session of its own, right after its start: threads that it has already keep
    their rank. Where Linux schedules sessions as groups (`sched_autogroup_enabled`), the niceness of a process counts
    only within its session, and that of the group decides; so both are set. Does nothing to a process that has ended.
    """
    nicer = min(os.getpriority(os.PRIO_PROCESS, 0) + niceness, 19)
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nicer)
    except ProcessLookupError:
        return
    group = Path(f"/proc/{pid}/autogroup")
    try:
        group.write_text(str(nicer))
    except OSError:  # no such file: not Linux, or a kernel without it; EAGAIN: a second change within 0.1 s
        return
