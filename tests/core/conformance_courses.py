"""Courses of sessions as chargers would show them, for tests of the conformance checker."""

from typing import Any

from core.conformance.steps import Course, StepSeen

T0 = 1_700_006_400_000
SECOND = 1_000


class Script:
    """Writes down steps by their time in seconds after `T0`; each gets a key of its own."""

    def __init__(self, protocol: str = "ykc", **course: Any) -> None:
        self.protocol = protocol
        self.course_fields = course
        self.steps: list[StepSeen] = []

    def up(self, at_s: float, name: str, **fields: Any) -> "Script":
        """A step of the charger."""
        return self._add(at_s, name, direction="up", **fields)

    def down(self, at_s: float, name: str, **fields: Any) -> "Script":
        """A step of the platform."""
        return self._add(at_s, name, direction="down", **fields)

    def periodic(self, from_s: int, to_s: int, *names: str, every_s: int = 15, **fields: Any) -> "Script":
        """Steps that come again and again."""
        for at_s in range(from_s, to_s + 1, every_s):
            for place, name in enumerate(names):
                self.up(at_s + place / 10, name, **fields)
        return self

    def without(self, *names: str) -> "Script":
        """Leave out all steps of these names."""
        self.steps = [step for step in self.steps if step.name not in names]
        return self

    def course(self, **changes: Any) -> Course:
        """Everything written down so far."""
        return Course(protocol=self.protocol, steps=tuple(self.steps), **{**self.course_fields, **changes})

    def _add(self, at_s: float, name: str, **fields: Any) -> "Script":
        event_ms = T0 + round(at_s * SECOND)
        known = {"receive_ms": event_ms, "key": (1, len(self.steps) + 1), "connection_id": 7, **fields}
        self.steps.append(StepSeen(event_ms=event_ms, name=name, **known))
        return self


def ykc_remote(end_s: int = 600) -> Script:
    """A clean DC session that the platform started and stopped."""
    script = Script(ended_ms=T0 + end_s * SECOND)
    script.down(0, "remote_start").up(1, "remote_start_reply", result=1, reason=0)
    script.up(5, "bms_handshake").up(7, "bms_params")
    script.periodic(10, end_s - 2, "charging", "bms_demand", "bms_info")
    script.down(end_s - 1, "remote_stop").up(end_s - 0.5, "remote_stop_reply", result=1, reason=0)
    return _ykc_end(script, end_s)


def ykc_card(end_s: int = 600) -> Script:
    """A clean DC session that was asked for at the charger."""
    script = Script(ended_ms=T0 + end_s * SECOND)
    script.up(0, "start_request").down(0.1, "start_reply", result=1)
    script.up(5, "bms_handshake").up(7, "bms_params")
    script.periodic(10, end_s - 2, "charging", "bms_demand", "bms_info")
    return _ykc_end(script, end_s, mode=2)


def _ykc_end(script: Script, end_s: int, mode: int = 1) -> Script:
    script.up(end_s + 0.3, "bms_abort").up(end_s + 1.2, "charge_end")
    script.up(end_s + 3, "record", mode=mode, energy_e4kwh=80_000, reason=0x40)
    return script.down(end_s + 3.1, "record_ack", result=0)


def aaf5_remote(end_s: int = 600) -> Script:
    """A clean session that the platform started, on a charger of the AAF5 family."""
    script = Script("aaf5", ended_ms=T0 + end_s * SECOND)
    script.down(0, "start").periodic(8, end_s - 2, "charging", every_s=10, mode=1)
    script.up(12, "start_reply", result=0)
    script.down(end_s - 1, "control").up(end_s - 0.9, "control_reply", result=0)
    script.up(end_s, "stopped", mode=1).up(end_s + 1, "record", mode=1, energy_e4kwh=80_000)
    return script.down(end_s + 1.1, "record_ack")


def ykc_login() -> Script:
    """A clean login with another tariff."""
    script = Script()
    script.up(0, "login").down(0, "login_ack", result=0).down(0.1, "time_sync").up(0.4, "time_sync_reply")
    script.up(1, "tariff_check").down(1, "tariff_check_ack", result=1)
    return script.up(2, "tariff_request").down(2, "tariff_reply")
