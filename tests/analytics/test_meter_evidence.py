"""What days of readings say of a meter: when a value is learned, raised, lowered, and when nothing is."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.meter_evidence import WINDOW_DAYS, Learned, MeterCourse, MeterDay
from core.meter.profile import QUANTA_E4KWH

EVERYTHING = ("quantum", "rated_power", "register", "digits")
FIRST = date(2019, 3, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def known(days: list[MeterDay], end: date | None = None, learns: tuple[str, ...] = EVERYTHING) -> Learned:
    course = MeterCourse(learns)
    for one in days:
        course.add(one)
    return course.known(end or days[-1].day)


def steps(number: int, quantum: int, differences: int = 300, bad: int = 0) -> MeterDay:
    """A day of a meter with that quantum whose steps have no larger one in common; `bad` of them are garbage."""
    divisible = tuple((differences - bad) if quantum % one == 0 else differences // 10 for one in QUANTA_E4KWH)
    return MeterDay(day(number), sessions=10, differences=differences, divisible=divisible)


def power(number: int, *counts: tuple[int, int]) -> MeterDay:
    return MeterDay(day(number), power_kw=[kw for kw, _ in counts], power_readings=[times for _, times in counts])


@pytest.mark.parametrize("quantum", [10_000, 1_000, 100, 10, 1])
def test_the_quantum_is_the_largest_step_that_divides_the_differences(quantum: int) -> None:
    learned = known([steps(0, quantum)])
    assert learned.quantum_e4kwh == quantum
    assert learned.reasons[0].startswith(
        f"quantum {['1', '0.1', '0.01', '0.001', '0.0001'][4 - len(str(quantum)) + 1]} "
    )


def test_fewer_than_twenty_differences_tell_nothing() -> None:
    assert known([steps(0, 10_000, 10), steps(1, 10_000, 9)]).quantum_e4kwh == 0
    assert known([steps(0, 10_000, 10), steps(1, 10_000, 10)]).quantum_e4kwh == 10_000


def test_garbage_now_and_then_makes_no_meter_finer() -> None:
    assert known([steps(0, 10_000, 300, bad=15)]).quantum_e4kwh == 10_000
    assert known([steps(0, 10_000, 300, bad=16)]).quantum_e4kwh == 0, "too much of it, and nothing is learned"


def test_a_meter_that_was_replaced_is_known_after_a_day() -> None:
    coarse = [steps(number, 10_000) for number in range(60)]
    assert known([*coarse, steps(60, 100)]).quantum_e4kwh == 100
    fine = [steps(number, 100) for number in range(60)]
    assert known([*fine, steps(60, 10_000)]).quantum_e4kwh == 10_000


def test_pmax_is_what_999_of_1000_readings_of_seven_days_kept_to_and_a_tenth() -> None:
    week = [power(number, (60, 199), (90, 1)) for number in range(6)]
    assert known(week).pmax_w == 0, "six days are too few"
    # 1 of 1400 readings showed 120 kW, 7 of them 90 kW or more
    assert known([*week, power(6, (60, 199), (120, 1))]).pmax_w == 99_000
    assert known([*week, power(6, (60, 197), (120, 3))]).pmax_w == 132_000
    assert known([power(number, (60, 100)) for number in range(9)]).pmax_w == 0, "fewer than 1000 readings"
    assert known([power(number, (60, 112)) for number in range(9)]).pmax_w == 66_000


def test_what_is_older_than_ninety_days_is_forgotten() -> None:
    days = [power(number, (120, 500)) for number in range(10)]
    days += [power(number, (60, 500)) for number in range(20, 30)]
    assert known(days, day(98)).pmax_w == 132_000
    assert known(days, day(99)).pmax_w == 66_000
    assert known(days, day(99)).from_day == day(20)
    assert known(days, day(200)).values == ("", 0, 0, 0)


@pytest.mark.parametrize(
    ("restarted", "continued", "kind"),
    [(9, 0, ""), (10, 0, "session"), (19, 1, "session"), (18, 2, ""), (10, 10, ""), (0, 10, "lifetime"),
     (1, 30, "lifetime"), (2, 30, "boot"), (9, 11, "boot")],
)  # fmt: skip
def test_the_kind_of_register_shows_in_how_sessions_follow_each_other(
    restarted: int, continued: int, kind: str
) -> None:
    assert known([MeterDay(day(0), restarted=restarted), MeterDay(day(1), continued=continued)]).register_kind == kind


def test_a_rollover_is_remembered_until_the_register_stands_higher() -> None:
    rolled = MeterDay(day(0), rollover_digits=6)
    later = [MeterDay(day(number), highest_e4kwh=9_999_999_999) for number in range(1, 400)]
    learned = known([rolled, *later])
    assert (learned.register_digits, learned.reasons) == (6, ("digits 6: it rolled over on 2019-03-01",))
    assert known([rolled, *later, MeterDay(day(400), highest_e4kwh=10_000_000_000)]).register_digits == 0


def test_only_what_is_asked_for_is_learned() -> None:
    days = [
        MeterDay(
            day(number),
            differences=300,
            divisible=(0, 0, 300, 300),
            power_kw=[60],
            power_readings=[500],
            continued=5,
            rollover_digits=6,
        )
        for number in range(8)
    ]
    assert known(days).values == ("lifetime", 100, 66_000, 6)
    assert len(known(days).reasons) == 4
    for name, place in (("register", 0), ("quantum", 1), ("rated_power", 2), ("digits", 3)):
        empty: tuple[object, ...] = ("", 0, 0, 0)
        only = known(days, learns=(name,))
        assert only.values[place] == known(days).values[place]
        assert [*only.values[:place], *only.values[place + 1 :]] == [*empty[:place], *empty[place + 1 :]]
        assert len(only.reasons) == 1


@st.composite
def some_days(draw: st.DrawFn) -> list[MeterDay]:
    numbers = sorted(draw(st.sets(st.integers(0, 250), min_size=1, max_size=40)))
    counts = st.integers(0, 400)
    return [
        MeterDay(
            day(number),
            sessions=draw(counts),
            differences=(differences := draw(counts)),
            divisible=sorted(draw(st.lists(st.integers(0, differences), min_size=4, max_size=4))),
            power_kw=(kilowatts := sorted(draw(st.sets(st.integers(1, 9), max_size=3)))),
            power_readings=[draw(st.integers(1, 400)) for _ in kilowatts],
            restarted=draw(st.integers(0, 9)),
            continued=draw(st.integers(0, 9)),
        )
        for number in numbers
    ]


@given(days=some_days())
def test_a_course_of_days_knows_what_a_look_at_all_of_them_gives(days: list[MeterDay]) -> None:
    course = MeterCourse(EVERYTHING)
    for place, one in enumerate(days):
        course.add(one)
        learned = course.known(one.day)
        window = [other for other in days[: place + 1] if other.day > one.day - timedelta(days=WINDOW_DAYS)]
        assert learned == known(window)
        assert (learned.sessions, learned.from_day) == (sum(other.sessions for other in window), window[0].day)
        powers = Counter[int]()
        for other in window:
            powers.update(dict(zip(other.power_kw, other.power_readings, strict=True)))
        if learned.pmax_w:
            exceeding = [kw for kw in powers.elements() if kw * 1_100 > learned.pmax_w]
            assert len(exceeding) * 1_000 <= powers.total()
