"""Who may log in, and what becomes of an id that is connected already."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.charger_networks import ChargerNetworks, NetworkError
from ingest.login_rules import (
    ADDRESS_LIMIT,
    ID_IN_USE,
    LOGIN_PENDING,
    LOOK_MS,
    PATIENCE_PROBES,
    PILE_LIMIT,
    LoginDecision,
    LoginLimiter,
    LoginLimits,
    PendingLogins,
    SlidingLimit,
    address_of,
    same_place,
)

HERE, THERE = "10.0.0.1", "10.0.0.2"
PILE = 11
T0 = 1_795_300_000_000 // 60_000 * 60_000


def _yes(_: int) -> bool:
    return True


def _no(_: int) -> bool:
    return False


def looks(
    pending: PendingLogins, from_ms: int, to_ms: int, is_held: Callable[[int], bool] = _no
) -> list[LoginDecision]:
    """What looks in that time decide."""
    decisions = []
    for now_ms in range(from_ms + LOOK_MS, to_ms + 1, LOOK_MS):
        decisions += pending.look(now_ms, is_held)
    return decisions


def test_a_limit_holds_in_every_window_and_frees_as_time_goes_by() -> None:
    limit = SlidingLimit(3, 60_000)
    assert [limit.take("a", T0 + n) for n in range(4)] == [True, True, True, False]
    assert limit.take("b", T0)
    assert not limit.take("a", T0 + 60_000)  # the window slides: those three still weigh in full
    assert limit.take("a", T0 + 81_000)  # a third of the minute before is over
    assert not limit.take("a", T0 + 81_001)
    assert [limit.take("a", T0 + 300_000 + n) for n in range(4)] == [True, True, True, False]


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=60))
def test_never_more_than_twice_the_limit_in_a_minute_and_never_fewer_than_asked_below_it(gaps: list[int]) -> None:
    """The price of counting in two windows instead of keeping each time."""
    limit = SlidingLimit(5, 60_000)
    now_ms = T0
    taken: list[int] = []
    for gap in gaps:
        now_ms += gap
        recent = [at for at in taken if now_ms - at < 120_000]
        allowed = limit.take("a", now_ms)
        assert allowed or len(recent) >= 5
        if allowed:
            taken.append(now_ms)
        assert len([at for at in taken if now_ms - at < 60_000]) <= 10


def test_no_limit_is_no_limit() -> None:
    limit = SlidingLimit(0, 60_000)
    assert all(limit.take("a", T0) for _ in range(1_000))


def test_a_flood_of_keys_is_forgotten_oldest_first() -> None:
    limit = SlidingLimit(1, 60_000, max_keys=10)
    for key in range(1_000):
        assert limit.take(key, T0)
    assert len(limit) == 10
    assert not limit.take(999, T0)


def test_strangers_cannot_use_up_the_logins_of_a_charger_at_its_own_address() -> None:
    limiter = LoginLimiter(LoginLimits(per_pile=2, per_address=100))
    limiter.accepted(PILE, HERE, T0)
    for address in (THERE, HERE):
        refusals = [limiter.pile_refusal(PILE, address, T0, is_held=False) for _ in range(3)]
        assert refusals == ["", "", PILE_LIMIT]


def test_who_shares_a_charger_s_address_cannot_lock_it_out_while_it_is_away() -> None:
    limiter = LoginLimiter(LoginLimits(per_pile=10, per_address=0))
    for now_ms in range(T0, T0 + 30_000, 1_000):  # a stranger that gets in and hangs up, again and again
        if not limiter.pile_refusal(PILE, HERE, now_ms, is_held=False):
            limiter.accepted(PILE, HERE, now_ms)
            last_ms = now_ms
    assert limiter.pile_refusal(PILE, HERE, last_ms + 5_999, is_held=False) == PILE_LIMIT
    assert limiter.pile_refusal(PILE, HERE, last_ms + 6_000, is_held=True) == PILE_LIMIT
    assert limiter.pile_refusal(PILE, HERE, last_ms + 6_000, is_held=False) == ""
    limiter.accepted(PILE, HERE, last_ms + 6_000)
    assert limiter.pile_refusal(PILE, HERE, last_ms + 6_001, is_held=False) == PILE_LIMIT


def test_an_address_has_its_limit_whatever_it_says_it_is() -> None:
    limiter = LoginLimiter(LoginLimits(per_address=2))
    assert [limiter.address_refusal(HERE, T0) for _ in range(3)] == ["", "", ADDRESS_LIMIT]
    assert limiter.address_refusal(THERE, T0) == ""


def test_a_rival_that_answers_keeps_its_place() -> None:
    pending = PendingLogins(3_000)
    assert pending.begin(2, PILE, 0, {1}, T0) == ""
    assert pending.answered(1) == [LoginDecision(2, ID_IN_USE)]
    assert pending.answered(1) == looks(pending, T0, T0 + 99_999) == []
    assert pending.next_look_ms == 0


def test_a_rival_that_does_not_answer_gives_way_after_the_probe() -> None:
    pending = PendingLogins(3_000)
    pending.begin(2, PILE, 0, {1}, T0)
    assert looks(pending, T0, T0 + 2_950) == []
    assert pending.look(T0 + 2_950, _no) == []
    assert pending.next_look_ms == 50
    assert pending.look(T0 + 3_000, _no) == [LoginDecision(2)]
    assert len(pending) == 0


def test_time_in_which_a_rival_is_not_read_from_does_not_count() -> None:
    pending = PendingLogins(3_000)
    pending.begin(2, PILE, 0, {1}, T0)
    assert looks(pending, T0, T0 + 2_900) == []
    assert looks(pending, T0 + 2_900, T0 + 10_000, _yes) == []
    # What came meanwhile is read after the look that finds it free; only from then on silence counts.
    assert looks(pending, T0 + 10_000, T0 + 10_100) == []
    assert looks(pending, T0 + 10_100, T0 + 10_200) == [LoginDecision(2)]


def test_time_in_which_nobody_was_read_from_does_not_count() -> None:
    """The event loop stood still: its timers are due before the sockets are read."""
    pending = PendingLogins(3_000)
    pending.begin(2, PILE, 0, {1}, T0)
    assert looks(pending, T0, T0 + 2_900) == []
    assert looks(pending, T0 + 9_000, T0 + 9_100) == []
    assert pending.answered(1) == [LoginDecision(2, ID_IN_USE)]


def test_a_newcomer_does_not_wait_for_ever_for_a_rival_that_cannot_be_heard() -> None:
    pending = PendingLogins(3_000)
    pending.begin(2, PILE, 0, {1}, T0)
    end_ms = T0 + PATIENCE_PROBES * 3_000
    assert looks(pending, T0, end_ms - LOOK_MS, _yes) == []
    assert looks(pending, end_ms - LOOK_MS, end_ms, _yes) == [LoginDecision(2, LOGIN_PENDING)]
    assert len(pending) == 0


def test_a_rival_that_hangs_up_is_not_waited_for() -> None:
    pending = PendingLogins(3_000)
    pending.begin(3, PILE, 0, {1, 2}, T0)
    assert pending.gone(1) == []
    assert pending.gone(2) == [LoginDecision(3)]


def test_a_newcomer_that_hangs_up_is_decided_no_more() -> None:
    pending = PendingLogins(3_000)
    pending.begin(2, PILE, 0, {1}, T0)
    assert pending.gone(2) == []
    assert pending.answered(1) == looks(pending, T0, T0 + 5_000) == pending.gone(1) == []


def test_of_two_newcomers_the_later_one_is_refused_at_once() -> None:
    pending = PendingLogins(3_000)
    assert pending.begin(2, PILE, 1, {1}, T0) == ""
    assert pending.begin(3, PILE, 0, {1}, T0 + 1) == LOGIN_PENDING
    assert pending.begin(4, PILE, 2, {1}, T0 + 1) == ""  # another gun
    assert pending.begin(5, PILE + 1, 1, {9}, T0 + 1) == ""  # another charger
    assert pending.answered(1) == [LoginDecision(2, ID_IN_USE), LoginDecision(4, ID_IN_USE)]


@given(st.lists(st.tuples(st.sampled_from("bage"), st.integers(1, 6), st.integers(1, 6)), max_size=60))
def test_each_waiting_login_ends_once(steps: list[tuple[str, int, int]]) -> None:
    pending = PendingLogins(3_000)
    waiting: set[int] = set()
    now_ms, number = T0, 100
    for step, rival, place in steps:
        decisions = looks(pending, now_ms, now_ms + 700)
        now_ms += 700
        match step:
            case "b":
                number += 1
                if not pending.begin(number, PILE, place, {rival, rival % 6 + 1}, now_ms):
                    waiting.add(number)
            case "a":
                decisions += pending.answered(rival)
            case "g":
                decisions += pending.gone(rival)
        for decision in decisions:
            assert decision.newcomer in waiting
            waiting.remove(decision.newcomer)
        assert len(pending) == len(waiting)
    assert {decision.newcomer for decision in looks(pending, now_ms, now_ms + 3_000)} == waiting
    assert not any(pending.answered(rival) for rival in range(1, 8))


def test_zero_speaks_for_every_gun() -> None:
    assert [same_place(1, 1), same_place(0, 2), same_place(2, 0), same_place(1, 2)] == [True, True, True, False]


def test_the_address_that_limits_count() -> None:
    assert address_of("10.1.2.3:4711") == "10.1.2.3"
    assert address_of("::ffff:10.1.2.3:4711") == "10.1.2.3"
    assert address_of("2001:db8:1:2:3:4:5:6:4711") == "2001:db8:1:2::/64" == address_of("2001:db8:1:2::9:4712")
    assert address_of("fe80::1%eth0:9") == "fe80::/64"
    assert address_of("") == ""


def test_networks_that_chargers_come_from() -> None:
    networks = ChargerNetworks(["10.20.0.0/16", " 192.0.2.7", "2001:db8::/32"])
    assert all(map(networks.admit, ["10.20.255.1:5", "192.0.2.7:1", "::ffff:10.20.0.1:4711", "2001:db8:1::2:4711"]))
    assert not any(map(networks.admit, ["10.21.0.1:5", "192.0.2.8:1", "2001:db9::1:2", "/run/socket", ""]))
    assert ChargerNetworks([]).admit("")
    for text in ("10.20.1.0/16", "chargers", ""):
        with pytest.raises(NetworkError, match="is no network"):
            ChargerNetworks([text])
