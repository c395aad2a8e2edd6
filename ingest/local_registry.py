"""The registry of a gateway that serves its chargers alone: in the process, decided at once."""

from collections.abc import Callable

from ingest.gateway_status import GatewayStatus
from ingest.login_judge import Key, LoginJudge
from ingest.login_rules import LoginLimits
from ingest.pile_memory import PileMemory
from ingest.registry import Claim, Outcome, Verdict, Worker

ALONE = ""


class LocalRegistry:
    """A `Registry` without others."""

    shares = False

    def __init__(self, clock: Callable[[], int], limits: LoginLimits) -> None:
        self._clock = clock
        self._worker: Worker | None = None
        self._judge = LoginJudge(limits, lambda _: self._worker)

    async def start(self, worker: Worker) -> None:
        """Begin."""
        self._worker = worker

    async def stop(self) -> None:
        """Nothing is held that would have to end."""

    def claim(self, claim: Claim) -> Verdict | None:
        """Decide a login."""
        return self._judge.claim(ALONE, claim, self._clock())

    def answer(self, number: int, outcome: Outcome) -> None:
        """What became of a challenge."""
        self._judge.answered(number, outcome, self._clock())

    def gone(self, connection_id: int) -> None:
        """A connection is over."""
        self._judge.gone(Key(ALONE, connection_id))

    def counted(self, status: GatewayStatus) -> None:
        """The gateway's own status file has them."""

    def remember(self, memory: PileMemory) -> None:
        """The gateway remembers by itself."""
