"""`pilestream command`: the words of a command line as an order to a connected charger, and its outcome as words."""

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import pilestream
from core.ykc.codec import encode_raw, raw_fields
from ingest.errors import IngestError
from ingest.orders import ORDERS
from ingest.start_decision import REFUSALS
from service.command import add_command_parser, send_order
from service.settings import Settings
from tests.ingest.charger_frames import CODE
from tests.ingest.order_talk import PILES, said_yes
from tests.ingest.running_gateway import Charger, run, running

Said = tuple[int, str, str]
Play = Callable[["Stage"], Coroutine[Any, Any, None]]


class Stage:
    """A platform's data folder with a gateway and one charger, for command lines."""

    def __init__(self, folder: Path, charger: Charger, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.charger = charger
        self._capsys = capsys

    async def command(self, *words: str, answers: int = 1, **changes: Any) -> tuple[Said, list[bytes]]:
        """Run `pilestream command`; the charger answers so many orders with yes."""
        line = ["command", "--data", str(self.folder), words[0], *words[1:]]
        running_line = asyncio.create_task(asyncio.to_thread(pilestream.main, line))
        orders = []
        for _ in range(answers):
            (order,) = await self.charger.receive()
            orders.append(order)
            await self.charger.send(said_yes(order, PILES["ykc"], **changes))
        code = await running_line
        out, err = self._capsys.readouterr()
        return (code, out, err), orders


def play(tmp_path: Path, capsys: pytest.CaptureFixture[str], scene: Play) -> None:
    async def talk() -> None:
        folder = tmp_path / "data"
        async with running(tmp_path, control_path=folder / "run" / "gateway.sock") as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(encode_raw("time_sync_reply", {"pile_code": CODE, "time": bytes(7)}))
            await here.until(lambda: here.gateway.commands.waiting == 0)
            await scene(Stage(folder, charger, capsys))

    run(talk())


@pytest.mark.server
def test_a_start_prints_its_number_as_words_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scene(stage: Stage) -> None:
        words = (CODE, "start", "--connector", "1", "--card", "1000000573", "--balance", "123.45")
        (code, out, err), (order,) = await stage.command(*words)
        fields = raw_fields(0x34, order[6:-2])
        assert (fields["logical_card"], fields["balance"]) == ("0000001000000573", 12_345)
        assert (code, out, err) == (0, f"remote_start at {CODE}: done, charge {fields['trade_no']}\n", "")
        (code, out, _), (order,) = await stage.command(CODE, "start", "--connector", "2", "--balance", "5", "--json")
        trade_no = raw_fields(0x34, order[6:-2])["trade_no"]
        assert (code, json.loads(out)) == (0, {"ok": True, "trade_no": trade_no})
        (code, out, err), _ = await stage.command("--json", CODE, "stop", "--connector", "2")
        assert (code, json.loads(out)) == (0, {"ok": True})

    play(tmp_path, capsys, scene)


@pytest.mark.server
def test_a_no_is_one_and_a_wrong_order_is_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scene(stage: Stage) -> None:
        said, _ = await stage.command(CODE, "start", "--connector", "1", "--balance", "5", result=0, fail_reason=5)
        assert said[0] == 1 and said[1] == "" and "refused: not_plugged" in said[2]
        said, _ = await stage.command("1" * 14, "clock", answers=0)
        assert said[0] == 1 and "unknown pile" in said[2]
        said, _ = await stage.command(CODE, "qr-codes", "x", answers=0)
        assert said[0] == 2 and "ykc has no order 'qr_codes'" in said[2]
        said, _ = await stage.command(CODE, "start", "--connector", "7", "--balance", "5", answers=0)
        assert said[0] == 2 and "connectors 1 to 2, not 7" in said[2]
        said, _ = await stage.command(CODE, "start", "--balance", "5", "--limit", "3", answers=0)
        assert said[0] == 2 and "--limit needs --until" in said[2]
        for words in (["start"], ["parallel-start", "--connectors", "1,2"]):
            said, _ = await stage.command(CODE, *words, answers=0)
            assert said[0] == 2 and "a start needs --balance" in said[2]
        said, _ = await stage.command(CODE, "start", "--connector", "1", "--balance", "0", answers=0)
        assert said[0] == 2 and "more than 0" in said[2]

    play(tmp_path, capsys, scene)


@pytest.mark.server
def test_cards_come_from_the_line_and_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cards.txt"
    file.write_text("# depot\n" + "\n".join(f"{number:X}:{number}" for number in range(1, 12)) + "\n\n")

    async def scene(stage: Stage) -> None:
        (code, out, _), orders = await stage.command(CODE, "cards-sync", str(file), "D14B0A54:573", answers=2)
        cards = [card for order in orders for card in raw_fields(0x44, order[6:-2])["cards"]]
        assert code == 0 and '"frames_done": 2' in out
        assert len(cards) == 12
        assert cards[-1] == {"logical_card": "0" * 13 + "573", "physical_card": "00000000D14B0A54"}
        (code, out, _), _ = await stage.command(CODE, "cards-query", "D14B0A54")
        assert code == 0 and '"exists"' in out
        said, _ = await stage.command(CODE, "cards-sync", "D14B0A54", answers=0)
        assert said[0] == 2 and "CARD:LOGICAL" in said[2]

    play(tmp_path, capsys, scene)


@pytest.mark.server
@pytest.mark.parametrize(
    ("words", "frame_type", "fields"),
    [
        (["tariff"], 0x58, {"model_no": "0008"}),
        (["tariff", "--model", "0007"], 0x58, {"model_no": "0007"}),
        (["clock"], 0x56, {}),
        (["balance", "--connector", "1", "50"], 0x42, {"balance": 5_000, "physical_card": "0" * 16}),
        (["params", "--disable", "--max-power", "40"], 0x52, {"disabled": 1, "max_power_pct": 40}),
        (["reboot", "--when", "now"], 0x92, {"when": 1}),
        (["reboot"], 0x92, {"when": 2}),
        (["update", "--host", "10.0.0.9", "--path", "fw", "--timeout", "5"], 0x94, {"timeout_minutes": 5}),
        (["lock", "raise", "--connector", "2"], 0x62, {"gun_no": 2, "action": 0x55}),
        (["parallel-start", "--connectors", "1,2", "--balance", "5"], 0xA4, {"gun_no": "01"}),
    ],
)
def test_each_order_has_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], frame_type: int, fields: dict[str, Any]
) -> None:
    async def scene(stage: Stage) -> None:
        (code, _, _), orders = await stage.command(CODE, *words, answers=2 if frame_type == 0xA4 else 1)
        sent = raw_fields(orders[0][5], orders[0][6:-2])
        assert (code, orders[0][5]) == (0, frame_type)
        assert sent | fields == sent

    play(tmp_path, capsys, scene)


def parsed(*words: str) -> tuple[str, dict[str, Any]]:
    parser = argparse.ArgumentParser()
    add_command_parser(parser.add_subparsers())
    options = parser.parse_args(["command", "P", *words])
    order: tuple[str, dict[str, Any]] = options.order(options)
    return order


@pytest.mark.parametrize(
    ("words", "order", "fields"),
    [
        (["start", "--until", "time", "--limit", "90"], "remote_start", {"until": "time", "limit": 5_400}),
        (["start", "--until", "money", "--limit", "30.5"], "remote_start", {"until": "money", "limit": 3_050}),
        (["start", "--until", "energy", "--limit", "12.34"], "remote_start", {"until": "energy", "limit": 1_234}),
        (["start", "--until", "full"], "remote_start", {"until": "full", "limit": 0}),
        (["cancel-booking"], "cancel_booking", {}),
        (["realtime"], "read_realtime", {}),
        (["reboot"], "reboot", {"force": False}),
        (["int-params", "21", "15", "3"], "int_params", {"addr": 21, "values": [15, 3], "count": 1}),
        (["int-params", "21", "--count", "3"], "int_params", {"addr": 21, "values": [], "count": 3}),
        (["str-params", "7", "--hex", "4142"], "str_params", {"addr": 7, "text": "", "data": "4142"}),
        (["tariff", "--hex", "00"], "tariff", {"tariff": "00"}),
        (["qr-codes", "a", "b"], "qr_codes", {"qr_codes": ["a", "b"]}),
        (["cards-clear", "D1"], "card_clear", {"cards": ["D1"]}),
    ],
)
def test_aaf5_words_become_the_protocol_s_units(words: list[str], order: str, fields: dict[str, Any]) -> None:
    assert parsed(*words) == (order, fields)


def test_every_order_can_be_given_on_the_command_line() -> None:
    lines = [
        *(
            ["start", "--balance", "5"],
            ["stop"],
            ["parallel-start", "--connectors", "1,2", "--balance", "5"],
            ["cancel-booking"],
            ["realtime"],
            ["clock"],
        ),
        *(
            ["balance", "1"],
            ["tariff"],
            ["tariff", "--hex", "00"],
            ["params"],
            ["int-params", "1"],
            ["str-params", "1"],
        ),
        *(["qr-codes", "a"], ["cards-sync", "1:1"], ["cards-clear", "1"], ["cards-query", "1"], ["reboot"]),
        *(["update", "--host", "h", "--path", "p"], ["lock", "raise"]),
    ]
    assert {parsed(*line)[0] for line in lines} == {name for orders in ORDERS.values() for name in orders}


@pytest.mark.parametrize(
    "words",
    [
        ["start", "--balance", "1.234"],
        ["start", "--balance", "-1"],
        ["start", "--balance", "NaN"],
        ["parallel-start", "--connectors", "1;2"],
        ["balance", "x"],
    ],
)
def test_values_that_are_none_are_wrong_use(words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parsed(*words)
    assert end.value.code == 2


def test_without_a_platform_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(IngestError, match="is the platform running"):
        send_order(Settings(data=str(tmp_path)), CODE, "time_sync")
    assert pilestream.main(["command", "--data", str(tmp_path), CODE, "clock"]) == 1
    assert "no gateway serves" in capsys.readouterr().err


@pytest.mark.server
def test_a_python_program_gives_orders_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scene(stage: Stage) -> None:
        settings = Settings(data=str(stage.folder))
        order = asyncio.create_task(
            asyncio.to_thread(send_order, settings, CODE, "lock_control", {"action": "lower"}, connector=1)
        )
        (frame,) = await stage.charger.receive()
        await stage.charger.send(said_yes(frame, PILES["ykc"], result=0))
        assert await order == {"ok": False, "error": "refused"}

    play(tmp_path, capsys, scene)


def test_the_page_of_orders_names_every_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    for orders in ORDERS.values():
        for order in orders.values():
            assert f"| `{order.name}` |" in page, order.name
    for reason in REFUSALS:
        assert f"`{reason}`" in page, reason
