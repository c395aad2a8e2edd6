"""What the rules of metering make of a fixed set of charges, as one digest for each fault.

`python -m tests.core.rule_results` writes it, with `RULE_VERSION`, into `tests/data/rule_results.json`: to be done when
a change of the rules is meant to change results, after the version was raised.
"""

import hashlib
import json
import random
from pathlib import Path
from typing import Any, Final

import msgspec

from core.meter.readings import ReadingArrays
from core.session import RULE_VERSION, PileBill, SessionInput, evaluate_session
from core.tariff import TariffTimeline
from core.tariff_version import TariffVersion
from tests.core import test_meter_truth as simulated

FILE: Final = Path(__file__).parents[1] / "data" / "rule_results.json"
SEEDS: Final = 12
RECORDS: Final = (None, 100, 103, 90, 0)
"""What the charger's record tells, percent of the truth; None: no record came."""
TARIFF: Final = TariffVersion(
    1, 1, "0001", 0, (3,) * 16 + (2,) * 16 + (1,) * 16, (120_000, 100_000, 80_000, 40_000), (40_000,) * 4
)


def results() -> dict[str, str]:
    """Fault and register kind → digest of all that was decided on its charges."""
    return {f"{fault.__name__} {kind}": _digest(fault, kind) for fault, kinds in simulated.CASES for kind in kinds}


def recorded() -> dict[str, Any]:
    """What the file says: `rule_version`, and the `results` that it gave."""
    found: dict[str, Any] = json.loads(FILE.read_text("ascii"))
    return found


def _digest(fault: simulated.Fault, kind: str) -> str:
    digest = hashlib.sha256()
    for seed in range(SEEDS):
        for percent in RECORDS:
            session = _session(fault, kind, seed, percent)
            decided = msgspec.structs.asdict(evaluate_session(session))
            del decided["rule_version"]
            digest.update(repr(sorted(decided.items())).encode())
    return digest.hexdigest()[:16]


def _session(fault: simulated.Fault, kind: str, seed: int, percent: int | None) -> SessionInput:
    rng = random.Random(f"rules {fault.__name__} {kind} {seed}")
    charge = simulated.Charge(rng, kind)
    shown = fault(rng, charge, charge.readings())
    end_ms = simulated.T0 + 1000 * charge.seconds
    truth = charge.delivered_e4kwh(charge.seconds)
    bill = None
    if percent is not None:
        bill = PileBill(end_ms + 5_000, simulated.T0, end_ms, truth * percent // 100)
    return SessionInput(
        trade_no=f"{seed:032d}",
        profile=charge.profile,
        zone="Asia/Shanghai",
        readings=_readings(shown),
        timeline=TariffTimeline((TARIFF,)),
        bill=bill,
        after_ms=end_ms + 60_000,
    )


def _readings(shown: list[simulated.Shown]) -> ReadingArrays:
    return ReadingArrays.of(
        [simulated.T0 + 1000 * reading.arrived_s for reading in shown],
        [reading.value for reading in shown],
        power_w=[reading.power_w for reading in shown],
        charge_minutes=[reading.taken_s // 60 for reading in shown],
        seq=[reading.taken_s for reading in shown],
    )


if __name__ == "__main__":
    content = {"rule_version": RULE_VERSION, "results": results()}
    FILE.write_text(json.dumps(content, indent=2) + "\n", "ascii")
