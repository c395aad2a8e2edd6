"""Who speaks for a charger, over all workers: the rules of logins, without sockets and without a clock.

The rules for a second login of an id are those of `ingest.login_rules`; this knows who holds what, and asks the worker
that holds it to find out whether it lives.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from ingest.login_rules import ID_IN_USE, LOGIN_PENDING, LoginLimiter, LoginLimits, address_of, same_place
from ingest.registry import ALIVE, GONE, REPLACED, SILENT, Challenge, Claim, Contestant, Holding, Outcome, Verdict


class Key(NamedTuple):
    """A connection among those of all workers."""

    worker: str
    connection_id: int


class Holder(msgspec.Struct, frozen=True, gc=False):
    """A connection that speaks for a charger."""

    key: Key
    claim: Claim
    since_ms: int


class _Contest(msgspec.Struct):
    """A claim that waits for what the holders of its place answer. `serves`: it was let in while nobody could ask."""

    key: Key
    claim: Claim
    rivals: list[Holder]
    open: dict[int, str]  # challenge → the worker that was asked
    silent: bool = False
    serves: bool = False


class LoginJudge:
    """Decides claims for the workers that `worker_of` knows by name; it gives None for one that is away.

    Invariants:

    1. A place of a charger has one holder at most, and one claim at most waits for it; a later one is refused at once.
    2. A claim that waits ends by exactly one `decided`, or with its connection.
    3. A holder loses its place only to a claim that its own worker let through: it stayed silent, or is over.
    """

    def __init__(self, limits: LoginLimits, worker_of: Callable[[str], Contestant | None]) -> None:
        self._limiter = LoginLimiter(limits)
        self._worker_of = worker_of
        self._holders: dict[Key, Holder] = {}
        self._of_pile: dict[int, tuple[Holder, ...]] = {}
        self._contests: dict[Key, _Contest] = {}
        self._by_challenge: dict[int, _Contest] = {}
        self._numbers = itertools.count(1)

    def claim(self, worker: str, claim: Claim, now_ms: int) -> Verdict | None:
        """Decide a login; None when `Worker.decided` follows."""
        key = Key(worker, claim.connection_id)
        address = address_of(claim.peer)
        rivals = self._rivals(key, claim)
        refusal = self._limiter.address_refusal(address, now_ms)
        if not refusal and claim.pile_id:
            refusal = self._limiter.pile_refusal(claim.pile_id, address, now_ms, is_held=bool(rivals))
        if refusal or not claim.pile_id:
            return Verdict(claim.connection_id, claim.pile_id, refusal)
        if not rivals:
            return self._grant(_Contest(key, claim, [], {}), now_ms)
        if self._is_contested(claim):
            return Verdict(claim.connection_id, claim.pile_id, LOGIN_PENDING, [rival.claim.peer for rival in rivals])
        self._contest(_Contest(key, claim, rivals, {}), now_ms)
        return None

    def answered(self, number: int, outcome: Outcome, now_ms: int) -> None:
        """What a worker says of the connections that it was asked about."""
        contest = self._by_challenge.get(number)
        if contest is None:
            return
        if outcome in (SILENT, GONE):
            contest.silent |= outcome == SILENT
            del self._by_challenge[number]
            del contest.open[number]
            if not contest.open:
                self._end(contest)
                self._tell(contest, self._grant(contest, now_ms))
            return
        self._end(contest)
        refusal = ID_IN_USE if outcome == ALIVE else LOGIN_PENDING
        self._tell(contest, self._verdict(contest, refusal))

    def gone(self, key: Key) -> None:
        """A connection is over; may be told more than once."""
        self._drop(key)
        contest = self._contests.get(key)
        if contest is not None:
            self._end(contest)

    def worker_gone(self, worker: str, now_ms: int) -> None:
        """A worker ended: its connections are over, and what it was asked is answered by that."""
        for key in [key for key in (*self._holders, *self._contests) if key.worker == worker]:
            self.gone(key)
        asked = [(n, c) for n, c in self._by_challenge.items() if c.open.get(n) == worker]
        for number, _ in asked:
            self.answered(number, GONE, now_ms)

    def announced(self, worker: str, holding: Holding, now_ms: int) -> None:
        """A connection speaks for a charger since a time that this judge knows nothing of.

        Two workers may have let the same id in meanwhile: then the later one waits for what the earlier one answers, as
        at any second login, but goes on being served.
        """
        claim = Claim(holding.connection_id, holding.pile_id, holding.connector, holding.pile, holding.peer)
        new = Holder(Key(worker, holding.connection_id), claim, holding.since_ms)
        rivals = self._rivals(new.key, claim)
        earlier = [rival for rival in rivals if rival.since_ms <= new.since_ms]
        if not rivals or not earlier:
            self._hold(new)
            for rival in rivals:
                self._drop(rival.key)
                self._contest_late(rival, [new], now_ms)
            return
        self._contest_late(new, rivals, now_ms)

    def held(self, worker: str, claim: Claim, now_ms: int) -> None:
        """Somebody else has granted that claim."""
        self._hold(Holder(Key(worker, claim.connection_id), claim, now_ms))

    def holder(self, key: Key) -> Holder | None:
        """What that connection holds."""
        return self._holders.get(key)

    def holders(self, pile_id: int) -> list[Holder]:
        """The connections that speak for a charger, in the order of their connectors."""
        return sorted(self._of_pile.get(pile_id, ()), key=lambda holder: holder.claim.connector)

    def __len__(self) -> int:
        return len(self._holders)

    # Inside

    def _rivals(self, key: Key, claim: Claim) -> list[Holder]:
        return [
            holder
            for holder in self._of_pile.get(claim.pile_id, ())
            if holder.key != key and same_place(holder.claim.connector, claim.connector)
        ]

    def _is_contested(self, claim: Claim) -> bool:
        return any(
            other.claim.pile_id == claim.pile_id and same_place(other.claim.connector, claim.connector)
            for other in self._contests.values()
        )

    def _contest_late(self, late: Holder, rivals: list[Holder], now_ms: int) -> None:
        contest = _Contest(late.key, late.claim, rivals, {}, serves=True)
        if self._is_contested(late.claim):
            self._tell(contest, self._verdict(contest, LOGIN_PENDING))
        else:
            self._contest(contest, now_ms)

    def _contest(self, contest: _Contest, now_ms: int) -> None:
        self._contests[contest.key] = contest
        claim = contest.claim
        away = []
        for name, rivals in _by_worker(contest.rivals):
            number = next(self._numbers)
            contest.open[number] = name
            self._by_challenge[number] = contest
            worker = self._worker_of(name)
            if worker is None:
                away.append(number)
            else:
                numbers = [rival.key.connection_id for rival in rivals]
                worker.challenge(Challenge(number, numbers, claim.pile_id, claim.connector))
        for number in away:
            self.answered(number, GONE, now_ms)

    def _end(self, contest: _Contest) -> None:
        """Nothing that is still asked for this claim matters any more."""
        self._contests.pop(contest.key, None)
        for number, name in contest.open.items():
            del self._by_challenge[number]
            worker = self._worker_of(name)
            if worker is not None:
                worker.withdrawn(number)
        contest.open.clear()

    def _grant(self, contest: _Contest, now_ms: int) -> Verdict:
        claim = contest.claim
        for rival in self._rivals(contest.key, claim):
            self._drop(rival.key)
            worker = self._worker_of(rival.key.worker)
            # In its own worker the newcomer takes the place of the old connection by itself.
            if worker is not None and rival.key.worker != contest.key.worker:
                worker.displaced(rival.key.connection_id, REPLACED, claim.peer)
        self._hold(Holder(contest.key, claim, now_ms))
        self._limiter.accepted(claim.pile_id, address_of(claim.peer), now_ms)
        return self._verdict(contest, "")

    @staticmethod
    def _verdict(contest: _Contest, refusal: str) -> Verdict:
        rivals = [rival.claim.peer for rival in contest.rivals]
        claim = contest.claim
        return Verdict(claim.connection_id, claim.pile_id, refusal, rivals, contest.silent)

    def _tell(self, contest: _Contest, verdict: Verdict) -> None:
        worker = self._worker_of(contest.key.worker)
        if worker is None:
            return
        if not contest.serves:
            worker.decided(verdict)
        elif verdict.refusal:
            worker.displaced(verdict.connection_id, verdict.refusal, ", ".join(verdict.rivals))

    def _hold(self, holder: Holder) -> None:
        self._drop(holder.key)
        self._holders[holder.key] = holder
        pile_id = holder.claim.pile_id
        self._of_pile[pile_id] = (*self._of_pile.get(pile_id, ()), holder)

    def _drop(self, key: Key) -> None:
        holder = self._holders.pop(key, None)
        if holder is None:
            return
        pile_id = holder.claim.pile_id
        others = tuple(other for other in self._of_pile[pile_id] if other is not holder)
        if others:
            self._of_pile[pile_id] = others
        else:
            del self._of_pile[pile_id]


def _by_worker(rivals: Iterable[Holder]) -> list[tuple[str, list[Holder]]]:
    ordered = sorted(rivals, key=lambda holder: holder.key)
    return [(name, list(group)) for name, group in itertools.groupby(ordered, key=lambda holder: holder.key.worker)]
