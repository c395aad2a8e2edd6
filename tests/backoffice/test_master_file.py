"""A master data file is loaded all or not at all, twice the same is once, and errors say what to do."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

import backoffice
from backoffice import models
from backoffice.directory import read_directory, register_pile
from backoffice.errors import MasterFileError
from backoffice.master_file import Counts, load_master_file
from core.directory import OPEN_END_MS, Ownership, PileDirectory

pytestmark = pytest.mark.server
DEMO = Path(backoffice.__file__).with_name("demo_fleet.toml")
MAY_1_MS, JUNE_1_MS = 1_714_492_800_000, 1_717_171_200_000

SMALL = """
[[operators]]
key = "one"
name = "甲"

[[operators]]
key = "two"
name = "乙"
parent = "one"

[[tariffs]]
key = "plain"
name = "平价"
[[tariffs.versions]]
model_no = "0300"
from = 2024-05-01T00:00:00+08:00
slots = "vvvvvvvvvvvvvvvv ffff pppp ssss ffffffff pppppppp ffff"
electricity = { sharp = "1.2", peak = "1", flat = "0.61234", valley = "0.00001" }
service = { sharp = "0.5", peak = "0.5", flat = "0.5", valley = "0" }

[[models]]
key = "M-60"
vendor = "M"
current = "dc"
connectors = 2
rated_power_kw = 60
quantum_kwh = "0.01"

[[stations]]
key = "yard"
name = "院子充电站"
operator = "one"
latitude = 22.5
longitude = 113
tariffs = [{ tariff = "plain", from = 2024-05-01T00:00:00+08:00 }]

[[piles]]
first_code = "00000000000009"
count = 2
station = "yard"
model = "M-60"
commissioned = 2024-05-01T00:00:00+08:00
"""


@pytest.fixture
def master_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.toml"
    path.write_text(SMALL, "utf-8")
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_the_demo_loads_once(engine: Engine) -> None:
    counts = load_master_file(engine, DEMO)
    assert counts.changed == {}
    assert counts.added == {
        "operators": 4,
        "tariffs": 2,
        "tariff_versions": 3,
        "models": 7,
        "stations": 8,
        "station_tariffs": 8,
        "piles": 244,
    }
    before = read_directory(engine)
    assert load_master_file(engine, DEMO) == Counts({}, {})
    assert read_directory(engine) == before
    assert {pile.rated_power_w for pile in before} == {7_000, 60_000, 120_000, 160_000, 180_000, 240_000}
    assert all(len(pile.tariffs) in (1, 2) and pile.owners for pile in before)


def test_every_value_arrives(engine: Engine, master_file: Path) -> None:
    load_master_file(engine, master_file)
    first, second = read_directory(engine)
    assert (first.code, second.code) == ("00000000000009", "00000000000010")
    assert (first.connectors, first.rated_power_w, first.quantum_e4kwh) == (2, 60_000, 100)
    assert (first.register_kind, first.current_kind, first.commissioned_ms) == ("session", "dc", MAY_1_MS)
    assert first.occupancy_grace_ms == -1
    (tariff,) = first.tariffs
    assert tariff.from_ms == MAY_1_MS
    assert tariff.slot_classes == (3,) * 16 + (2,) * 4 + (1,) * 4 + (0,) * 4 + (2,) * 8 + (1,) * 8 + (2,) * 4
    assert tariff.electricity_price_e5yuan == (120_000, 100_000, 61_234, 1)
    assert tariff.service_price_e5yuan == (50_000, 50_000, 50_000, 0)
    with Session(engine) as session:
        station = session.scalars(select(models.Station).where(models.Station.key == "yard")).one()
        child = session.scalars(select(models.Operator).where(models.Operator.key == "two")).one()
        assert first.owners == (Ownership(station.operator_id, MAY_1_MS, OPEN_END_MS, "one"),)
        assert first.station == "yard"
        assert child.parent is not None and child.parent.key == "one"


def test_changes_are_taken_over_and_counted(engine: Engine, master_file: Path) -> None:
    load_master_file(engine, master_file)
    change(
        master_file, 'name = "院子充电站"', 'name = "新院子充电站"\naliases = ["院子"]\noccupancy_grace_minutes = 20'
    )
    change(master_file, "rated_power_kw = 60", "rated_power_kw = 80")
    change(master_file, 'parent = "one"', "")
    change(master_file, "count = 2", "count = 3")
    counts = load_master_file(engine, master_file)
    assert counts == Counts({"piles": 1}, {"stations": 1, "models": 1, "operators": 1, "piles": 2})
    piles = read_directory(engine)
    assert [pile.rated_power_w for pile in piles] == [80_000] * 3
    assert {pile.occupancy_grace_ms for pile in piles} == {20 * 60_000}


def test_past_owners_change_only_in_as_many_words(engine: Engine, master_file: Path) -> None:
    load_master_file(engine, master_file)
    before = [pile.owners for pile in read_directory(engine)]
    change(master_file, 'operator = "one"', 'operator = "two"')
    load_master_file(engine, master_file)
    assert [pile.owners for pile in read_directory(engine)] == before
    with master_file.open("a", encoding="utf-8") as file:
        file.write(
            'owners = [{ operator = "one", from = 2024-05-01T00:00:00+08:00 },'
            ' { operator = "two", from = 2024-06-01T00:00:00+08:00 }]\n'
        )
    assert load_master_file(engine, master_file).changed == {"piles": 2}
    pile = read_directory(engine)[0]
    assert [(owner.from_ms, owner.to_ms) for owner in pile.owners] == [(MAY_1_MS, JUNE_1_MS), (JUNE_1_MS, OPEN_END_MS)]
    assert pile.operator_at(MAY_1_MS - 1) == 1
    assert pile.operator_at(JUNE_1_MS - 1) != pile.operator_at(JUNE_1_MS)
    assert load_master_file(engine, master_file) == Counts({}, {})


def test_a_pile_of_a_replay_gets_its_place_and_keeps_its_number(engine: Engine, master_file: Path) -> None:
    registered = register_pile(engine, "00000000000010", "ykc", 1)
    load_master_file(engine, master_file)
    pile = next(pile for pile in read_directory(engine) if pile.code == "00000000000010")
    assert pile.pile_id == registered.pile_id
    assert (pile.connectors, pile.rated_power_w) == (2, 60_000)
    assert pile.operator_at(JUNE_1_MS) != 1


def test_a_version_that_chargers_may_hold_never_changes(engine: Engine, master_file: Path) -> None:
    load_master_file(engine, master_file)
    change(master_file, 'valley = "0.00001"', 'valley = "0.00002"')
    with pytest.raises(MasterFileError, match=r"version '0300': electricity_price_e5yuan would change.*model_no"):
        load_master_file(engine, master_file)


def test_an_error_in_the_last_line_leaves_nothing_behind(engine: Engine, master_file: Path) -> None:
    change(master_file, 'model = "M-60"', 'model = "M-61"')
    with pytest.raises(MasterFileError, match=r"'00000000000009': model = 'M-61' is not known; known are M-60"):
        load_master_file(engine, master_file)
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(models.Operator)) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[operators]]", "[[operator]]", r"at the top: unknown key 'operator'; did you mean 'operators'"),
        ("rated_power_kw", "rated_power", r"models 'M-60': unknown key 'rated_power'; did you mean 'rated_power_kw'"),
        ("model_no", "modelno", r"tariffs 'plain', versions number 1: unknown key 'modelno'; did you mean 'model_no'"),
        ('current = "dc"', 'current = "xc"', r"Invalid enum value 'xc' - at `\$\.models\[0\]\.current`"),
        ("connectors = 2", 'connectors = "2"', r"Expected `int`, got `str` - at `\$\.models\[0\]\.connectors`"),
        ("2024-05-01T00:00:00+08:00", "2024-05-01T00:00:00", r"\[\[tariffs\]\] 'plain': from = .* needs an offset"),
        ("vvvv", "vvv", r"\[\[tariffs\]\] 'plain': slots: 48 letters .* here are 47"),
        ("vvvv", "vvvx", r"slots: .* among them x"),
        ('"0.61234"', '"0.612345"', r"electricity.flat = '0.612345': .* 0 to 100 with at most 5 decimals"),
        ('"0.61234"', '"-1"', r"electricity.flat = '-1'"),
        ('"0.61234"', '"NaN"', r"electricity.flat = 'NaN'"),
        ('"0.61234"', '"Infinity"', r"electricity.flat = 'Infinity'"),
        ('"0.01"', '"0"', r"'M-60': quantum_kwh = '0': .* from 0.0001 to 1000"),
        ('operator = "one"', 'operator = "three"', r"'yard': operator = 'three' is not known; known are one, two, una"),
        ('operator = "one"', 'operator = "one"\nzone = "Asia/Canton"', r"zone = 'Asia/Canton': an IANA zone"),
        ('key = "one"', 'key = "unassigned"', r"key 'unassigned' is reserved"),
        ('key = "two"', 'key = "one"', r"\[\[operators\]\] 'one': this key stands in the file twice"),
        ('name = "甲"', 'name = "甲"\nparent = "two"', r"an operator cannot stand below itself"),
        ('first_code = "00000000000009"', 'first_code = "09"', r"the code of a ykc charger has 14 digits"),
        ('first_code = "00000000000009"', 'first_code = "9 9"', r"Expected `str` matching regex"),
        ('first_code = "00000000000009"', 'first_code = "99999999999999"', r"the last code would be longer"),
        ("count = 2", "count = 2\ngun_letters = true", r"only chargers of protocol aaf5 have them, not ykc"),
        ("[[piles]]", "[[piles]", r"not valid TOML"),
    ],
)
def test_what_does_not_fit_is_named(sqlite_engine: Engine, master_file: Path, old: str, new: str, message: str) -> None:
    change(master_file, old, new)
    with pytest.raises(MasterFileError, match=message) as caught:
        load_master_file(sqlite_engine, master_file)
    assert str(caught.value).startswith(str(master_file))


SECOND_PROTOCOL = """
[[models]]
key = "A-120"
vendor = "A"
protocol = "aaf5"
current = "dc"
connectors = 2
rated_power_kw = 120

[[piles]]
first_code = "GZ-0098"
count = 3
station = "yard"
model = "A-120"
commissioned = 2024-05-01T00:00:00+08:00
gun_letters = true
"""


def test_chargers_of_the_second_protocol(engine: Engine, master_file: Path) -> None:
    master_file.write_text(SMALL + SECOND_PROTOCOL, "utf-8")
    load_master_file(engine, master_file)
    piles = [pile for pile in read_directory(engine) if pile.protocol == "aaf5"]
    assert [pile.code for pile in piles] == ["GZ-0098", "GZ-0099", "GZ-0100"]
    assert all(pile.gun_letters for pile in piles)
    assert {(pile.register_kind, pile.quantum_e4kwh) for pile in piles} == {("lifetime", 100)}
    directory = PileDirectory(piles)
    assert directory.by_wire_code("GZ-0099B") == (piles[1], 2)
    change(master_file, "gun_letters = true", "gun_letters = false")
    assert load_master_file(engine, master_file).changed == {"piles": 3}
    assert not any(pile.gun_letters for pile in read_directory(engine))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('first_code = "GZ-0098"', 'first_code = "GZ"', r"count = 3: the last code would be longer than 'GZ'"),
        ('first_code = "GZ-0098"', f'first_code = "{"0" * 32}"', r"31 where gun letters follow"),
        ('"GZ-0098"\ncount = 3', '"GZ-0098"\ncount = 1', r"'GZ-0098A' cannot be told from gun A of 'GZ-0098'"),
    ],
)
def test_a_code_that_cannot_be_told_from_a_gun_is_named(
    sqlite_engine: Engine, master_file: Path, old: str, new: str, message: str
) -> None:
    other = (
        SECOND_PROTOCOL[SECOND_PROTOCOL.index("[[piles]]") :].replace("GZ-0098", "GZ-0098A").replace("count = 3", "")
    )
    master_file.write_text(SMALL + SECOND_PROTOCOL + other, "utf-8")
    change(master_file, old, new)
    with pytest.raises(MasterFileError, match=message):
        load_master_file(sqlite_engine, master_file)


def test_a_code_in_two_ranges_is_named(sqlite_engine: Engine, master_file: Path) -> None:
    text = master_file.read_text("utf-8")
    again = text[text.index("[[piles]]") :].replace("00000000000009", "00000000000010")
    master_file.write_text(text + again, "utf-8")
    with pytest.raises(MasterFileError, match=r"'00000000000010': charger 00000000000010 stands in .*09' as well"):
        load_master_file(sqlite_engine, master_file)


def test_a_missing_file_is_named(sqlite_engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(MasterFileError, match=r"none\.toml: cannot be read: No such file"):
        load_master_file(sqlite_engine, tmp_path / "none.toml")


def learned_by(engine: Engine) -> set[tuple[str, ...]]:
    return {pile.learns for pile in read_directory(engine)}


def test_what_a_model_leaves_out_is_learned(engine: Engine, master_file: Path) -> None:
    load_master_file(engine, master_file)
    assert learned_by(engine) == {("register", "digits")}
    change(master_file, 'quantum_kwh = "0.01"\n', "")
    assert load_master_file(engine, master_file).changed == {"models": 1}
    (pile, _) = read_directory(engine)
    assert pile.learns == ("quantum", "register", "digits")
    assert (pile.quantum_e4kwh, pile.register_kind, pile.register_digits) == (1, "session", 0), "until it is learned"


def test_learned_can_be_said_in_as_many_words(engine: Engine, master_file: Path) -> None:
    said = "\n".join(f'{name} = "learned"' for name in ("rated_power_kw", "register", "quantum_kwh", "register_digits"))
    change(master_file, 'rated_power_kw = 60\nquantum_kwh = "0.01"', said)
    load_master_file(engine, master_file)
    (pile, _) = read_directory(engine)
    assert pile.learns == ("quantum", "rated_power", "register", "digits")
    assert (pile.rated_power_w, pile.quantum_e4kwh) == (180_000, 1)
    change(master_file, said, "")
    assert load_master_file(engine, master_file) == Counts({}, {}), "to leave it out says the same"
    change(master_file, 'current = "dc"', 'current = "ac"\nprotocol = "aaf5"')
    load_master_file(engine, master_file)
    (pile, _) = read_directory(engine)
    assert (pile.rated_power_w, pile.quantum_e4kwh, pile.register_kind) == (44_000, 100, "lifetime")


def test_a_model_that_says_everything_learns_nothing(engine: Engine, master_file: Path) -> None:
    change(master_file, "rated_power_kw = 60", 'rated_power_kw = 60\nregister = "session"')
    load_master_file(engine, master_file)
    assert learned_by(engine) == {()}, "a session counter has no digits to learn"
    change(master_file, 'register = "session"', 'register = "boot"\nregister_digits = 0')
    load_master_file(engine, master_file)
    assert learned_by(engine) == {()}
    change(master_file, "register_digits = 0\n", "")
    load_master_file(engine, master_file)
    assert learned_by(engine) == {("digits",)}


def test_the_demo_leaves_nothing_to_learn(sqlite_engine: Engine) -> None:
    load_master_file(sqlite_engine, DEMO)
    assert learned_by(sqlite_engine) == {()}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rated_power_kw = 60", 'rated_power_kw = "lots"', "rated_power_kw"),
        ("rated_power_kw = 60", "rated_power_kw = 0", "rated_power_kw"),
        ("rated_power_kw = 60", 'rated_power_kw = 60\nregister = "sometimes"', "register"),
        ("rated_power_kw = 60", "rated_power_kw = 60\nregister_digits = 13", "register_digits"),
        ('quantum_kwh = "0.01"', 'quantum_kwh = "Learned"', "quantum_kwh"),
    ],
)
def test_a_value_that_is_neither_known_nor_learned_is_refused(
    sqlite_engine: Engine, master_file: Path, old: str, new: str, message: str
) -> None:
    change(master_file, old, new)
    with pytest.raises(MasterFileError, match=message):
        load_master_file(sqlite_engine, master_file)


def test_a_model_may_stop_when_it_is_offline(engine: Engine, master_file: Path) -> None:
    load_master_file(engine, master_file)
    assert {pile.stops_offline for pile in read_directory(engine)} == {False}
    change(master_file, "rated_power_kw = 60", "rated_power_kw = 60\nstops_offline = true")
    assert load_master_file(engine, master_file).changed == {"models": 1}
    assert {pile.stops_offline for pile in read_directory(engine)} == {True}
