"""What the serving path is told of each charger, and the registration of unknown ones."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from backoffice import models
from backoffice.database import writing
from backoffice.directory import effective_versions, read_directory, register_pile
from backoffice.errors import BackofficeError
from core.tariff_version import TariffVersion

pytestmark = pytest.mark.server


def version(number: int, from_ms: int) -> TariffVersion:
    return TariffVersion(number, 1, f"{number:04d}", from_ms, (2,) * 48, (1, 2, 3, 4), (5, 6, 7, 8))


def test_an_unknown_pile_is_taken_up_as_unassigned(engine: Engine) -> None:
    pile = register_pile(engine, "32010200000001", "ykc", 2)
    assert (pile.code, pile.connectors, pile.owners, pile.operator_at(0)) == ("32010200000001", 2, (), 1)
    assert (pile.rated_power_w, pile.register_kind, pile.quantum_e4kwh, pile.register_digits) == (
        180_000,
        "session",
        1,
        0,
    )
    assert (pile.zone, pile.occupancy_grace_ms, pile.current_kind) == ("Asia/Shanghai", 30 * 60_000, "dc")
    assert pile.learns == ("quantum", "rated_power", "register", "digits")
    tariff = pile.tariff_at(0)
    assert tariff is not None and tariff.model_no == "9001" and len(tariff.slot_classes) == 48
    assert read_directory(engine) == [pile]


def test_an_unknown_pile_of_the_second_protocol_has_an_absolute_register(engine: Engine) -> None:
    pile = register_pile(engine, "GZ-7000123A", "aaf5", 2)
    assert (pile.code, pile.protocol, pile.connectors, pile.gun_letters) == ("GZ-7000123A", "aaf5", 2, False)
    assert (pile.register_kind, pile.quantum_e4kwh, pile.rated_power_w) == ("lifetime", 100, 180_000)
    assert pile.learns == ("quantum", "rated_power", "register", "digits")
    other = register_pile(engine, "B7", "aaf5", 1)
    assert register_pile(engine, "B7", "ykc", 1) == other, "a known charger keeps its protocol"


def test_registering_again_gives_the_same_pile_and_the_connectors_it_lacked(engine: Engine) -> None:
    first = register_pile(engine, "32010200000001", "ykc", 1)
    assert register_pile(engine, "32010200000001", "ykc", 1) == first
    wider = register_pile(engine, "32010200000001", "ykc", 3)
    assert (wider.pile_id, wider.connectors) == (first.pile_id, 3)
    assert register_pile(engine, "32010200000001", "ykc", 2) == wider


def test_a_code_that_another_transaction_is_registering_is_waited_for(engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as session:
            theirs = models.Pile(
                code="32010200000001", station_id=1, pile_model_id=1, protocol="ykc", commissioned_ms=0
            )
            session.add(theirs)
            session.flush()
            ours = pool.submit(register_pile, engine, "32010200000001")
            time.sleep(0.5)
            assert not ours.done()
        assert ours.result(timeout=20).code == "32010200000001"
    assert len(read_directory(engine)) == 1


@pytest.mark.parametrize(
    ("code", "protocol", "connectors", "message"),
    [
        ("3201020000000100", "ykc", 1, "up to 14 letters and digits"),
        ("3201'", "ykc", 1, "up to 14 letters and digits"),
        ("", "ykc", 1, "up to 14 letters and digits"),
        ("GZ 7", "aaf5", 1, "up to 32 letters, digits, dots, dashes"),
        ("7" * 33, "aaf5", 1, "up to 32 letters, digits, dots, dashes"),
        ("32010200000001", "ocpp", 1, "known are ykc, aaf5"),
        ("32010200000001", "ykc", 0, "1 to 99 are allowed"),
    ],
)
def test_what_cannot_be_a_pile_is_refused(
    sqlite_engine: Engine, code: str, protocol: str, connectors: int, message: str
) -> None:
    with pytest.raises(BackofficeError, match=message):
        register_pile(sqlite_engine, code, protocol, connectors)
    assert read_directory(sqlite_engine) == []


def test_a_version_begins_at_a_station_when_the_station_takes_the_tariff() -> None:
    summer, winter, other = version(1, 0), version(2, 500), version(3, 100)
    valid = effective_versions([(200, [winter, summer]), (600, [other]), (700, [summer, winter])])
    assert [(each.model_no, each.from_ms) for each in valid] == [
        ("0001", 200),
        ("0002", 500),
        ("0003", 600),
        ("0002", 700),
    ]
    assert effective_versions([]) == ()


@given(
    assigned=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 2)), max_size=5, unique_by=lambda pair: pair[0]),
    starts=st.lists(st.lists(st.integers(0, 50), max_size=4, unique=True), min_size=3, max_size=3),
    moment=st.integers(0, 60),
)
def test_at_each_moment_the_right_version_is_valid(
    assigned: list[tuple[int, int]], starts: list[list[int]], moment: int
) -> None:
    tariffs = [[version(10 * t + i + 1, ms) for i, ms in enumerate(times)] for t, times in enumerate(starts)]
    assignments = sorted((ms, tariff) for ms, tariff in assigned)
    valid = [v for v in effective_versions([(ms, tariffs[t]) for ms, t in assignments]) if v.from_ms <= moment]
    # Slowly: which tariff has the station, and which of its versions holds?
    tariff = [t for ms, t in assignments if ms <= moment][-1:]
    expected = [v for t in tariff for v in sorted(tariffs[t], key=lambda v: v.from_ms) if v.from_ms <= moment][-1:]
    if expected:
        assert valid[-1].model_no == expected[0].model_no
