"""The command line's contract: exit codes, data on standard output, words on standard error."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pilestream import main

ROOT = Path(__file__).parents[1]
GOOD = "680C000000025503141278230500DA4C"
GOOD_AAF5 = "AAF50F00101065000000000005006A"
WRONG_CHECKSUM = "6822000000015503141278230500020F56342E312E353000010101010101010101010104675A"


def run(
    *arguments: str, stdin: str | bytes = "", cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `pilestream` as a process."""
    answer = subprocess.run(
        [sys.executable, str(ROOT / "pilestream.py"), *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
    )
    return subprocess.CompletedProcess(answer.args, answer.returncode, answer.stdout.decode(), answer.stderr.decode())


def decode(text: str | bytes, protocol: str = "ykc") -> list[dict[str, Any]]:
    answer = run("decode", protocol, stdin=text)
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_decode_gives_one_object_a_line_and_goes_on_after_a_bad_one() -> None:
    lines = decode(f"{GOOD}\nzz\n{WRONG_CHECKSUM}\n\n{GOOD.lower()}\n")
    assert [line["ok"] for line in lines] == [True, False, False, False, True]
    assert [line.get("error") for line in lines] == [None, "hex", "checksum", "hex", None]
    assert lines[0]["type"] == "0x02"
    assert lines[0]["name"] == "login_ack"
    assert lines[0]["fields"] == {"pile_code": "55031412782305", "result": 0}
    assert all(line["detail"] for line in lines if not line["ok"])


def test_decode_reads_a_last_line_without_a_line_break_and_bytes_that_are_no_text() -> None:
    lines = decode(b"\xff\xfe\n" + GOOD.encode())
    assert [line["ok"] for line in lines] == [False, True]


@pytest.mark.parametrize(("arguments", "code"), [(("config",), 0), (("status",), 1), (("decode", "ykc"), 0)])
def test_a_reader_that_has_enough_is_no_error(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run(
        [sys.executable, str(ROOT / "pilestream.py"), *arguments],
        input=f"{GOOD}\n".encode(),
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        check=False,
    )
    os.close(writer)
    assert (answer.returncode, answer.stderr) == (code, b"")


def test_a_disk_that_is_full_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        answer = subprocess.run(
            [sys.executable, str(ROOT / "pilestream.py"), "config"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert answer.returncode == 1
    assert answer.stderr.startswith(b"pilestream: OSError: ")


def test_decode_reads_the_second_protocol_and_prints_the_envelope() -> None:
    good, wrong_sum, other_protocol = decode(f"{GOOD_AAF5}\n{GOOD_AAF5[:-2]}6B\n{GOOD}\n", "aaf5")
    assert (good["type"], good["name"], good["fields"]["counter"]) == (101, "heartbeat_ack", 5)
    assert good["envelope"] == {"seq": "10", "checksum_order": "sum", "flag": 16, "kept": {}}
    assert (wrong_sum["error"], other_protocol["error"]) == ("checksum", "start")


def test_every_command_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"(?m)^    ([a-z]+)\b", capsys.readouterr().out)
    assert {"serve", "demo", "replay", "evaluate"} <= set(commands)
    for command in commands:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert "example: pilestream" in " ".join(capsys.readouterr().out.split()), command


@pytest.mark.parametrize("arguments", [(), ("decode",), ("decode", "ocpp"), ("demo", "--seconds", "soon")])
def test_wrong_use_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).returncode == 2


def test_wrong_setting_exits_with_2_and_names_the_right_one() -> None:
    answer = run("config", PILESTREAM_YKC_PROT="1")
    assert answer.returncode == 2
    assert "did you mean 'ykc_port'" in answer.stderr


def test_config_shows_values_in_force_without_passwords(tmp_path: Path) -> None:
    answer = run(
        "config", cwd=tmp_path, PILESTREAM_CLICKHOUSE="clickhouse://me:geheim@db:9000/p", PILESTREAM_YKC_PORT="12"
    )
    assert "ykc_port = 12" in answer.stdout
    assert "geheim" not in answer.stdout + answer.stderr


def test_questions_to_an_empty_folder_are_answered_with_what_to_do(tmp_path: Path) -> None:
    answer = run("anomalies", PILESTREAM_DATA=str(tmp_path / "nothing"))
    assert answer.returncode == 1
    assert "holds no data yet" in answer.stderr
    assert answer.stdout == ""


def test_pages_without_sign_in_refuse_an_address_that_others_reach(tmp_path: Path) -> None:
    answer = run("serve", PILESTREAM_DATA=str(tmp_path), PILESTREAM_DASHBOARD_BIND="0.0.0.0")
    assert answer.returncode == 1
    assert "no sign-in yet" in answer.stderr
    assert not (tmp_path / "clickhouse").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"BIND": "0.0.0.0"}, ["bind", "ykc_port, aaf5_port", "charger_networks", "allow_plain"]),
        ({"BIND": "::", "YKC_PORT": "-1", "DETECT_PORT": "0"}, ["bind", "detect_port", "charger_networks"]),
        ({"CHARGER_NETWORKS": "10.0.0.0/33"}, ["charger_networks", "'10.0.0.0/33' is no network"]),
        ({"CHARGER_NETWORKS": "10.0.0.1/8"}, ["charger_networks", "host bits"]),
        ({"TLS_CERTIFICATE": "a.pem", "TLS_KEY": "a.key"}, ["tls_certificate, tls_key", "tls_port"]),
        ({"TLS_CLIENT_CA": "ca.pem"}, ["tls_client_ca", "tls_port"]),
        ({"TLS_PORT": "0"}, ["tls_port", "set tls_certificate and tls_key"]),
        ({"TLS_PORT": "0", "TLS_CERTIFICATE": "a.pem"}, ["tls_port", "set tls_key"]),
        (
            {"TLS_PORT": "0", "TLS_CERTIFICATE": "a.pem", "TLS_KEY": "a.key"},
            ["tls_certificate", "a.pem cannot be read"],
        ),
    ],
)
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_ports_less_safe_than_they_look_are_refused_at_the_start(
    tmp_path: Path, command: str, settings: dict[str, str], words: list[str]
) -> None:
    environment = {f"PILESTREAM_{name}": value for name, value in settings.items()}
    answer = run(command, cwd=tmp_path, PILESTREAM_DATA=str(tmp_path / "data"), **environment)
    assert answer.returncode == 2, answer.stderr
    assert "Traceback" not in answer.stderr
    for word in words:
        assert word in answer.stderr
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_is_named_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--sessions", "1", "--data", "/proc/x"]) == 1
    assert capsys.readouterr().err == "pilestream: /proc/x cannot be used: No such file or directory\n"


def test_a_number_that_is_empty_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timeline", ""]) == 2
    assert "is empty" in capsys.readouterr().err
