"""Why a meter's value was learned is said in the language of the page; nothing that is stored is lost on the way."""

import re
from datetime import date, timedelta

from analytics.meter_evidence import MeterCourse, MeterDay
from dashboard.catalogue import Catalogue
from dashboard.session.meter import reason_words

FIRST = date(2019, 3, 1)
ENGLISH = re.compile("[A-Za-z]{3,}")


def reasons_of(days: int) -> tuple[str, ...]:
    course = MeterCourse(("quantum", "rated_power", "register", "digits"))
    for number in range(days):
        course.add(
            MeterDay(
                FIRST + timedelta(days=number),
                sessions=10,
                differences=30,
                divisible=(30, 30, 30, 30),
                power_kw=[60],
                power_readings=[1_000],
                continued=20,
                rollover_digits=6,
            )
        )
    return course.known(FIRST + timedelta(days=days - 1)).reasons


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.-]\d+)*", text))


def test_every_reason_is_said_in_both_languages_with_all_its_numbers() -> None:
    several, one = reasons_of(8), reasons_of(1)
    assert len(several) == 4
    for reason in (*several, *one):
        chinese, english = (reason_words(reason, Catalogue(language)) for language in ("zh", "en"))
        assert not ENGLISH.search(chinese.replace("kWh", "")), chinese
        assert chinese != english
        assert numbers(reason) <= numbers(chinese), (reason, chinese)
        assert numbers(reason) <= numbers(english), (reason, english)


def test_a_reason_of_another_version_stays_as_it_is_stored() -> None:
    assert reason_words("a guess", Catalogue("zh")) == "a guess"
