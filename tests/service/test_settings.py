"""Settings come from a file, the environment and flags, in that order of weight, and bad ones are named."""

from pathlib import Path

import pytest

from service.errors import SettingsError
from service.settings import CLOSED, Settings, load_settings


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_flag_outweighs_environment_outweighs_file(tmp_path: Path) -> None:
    (tmp_path / "pilestream.toml").write_text('ykc_port = 1\ndashboard_port = 2\nlanguage = "en"\n')
    settings = load_settings(
        {"ykc_port": 5, "bind": None}, {"PILESTREAM_YKC_PORT": "3", "PILESTREAM_DASHBOARD_PORT": "4"}
    )
    assert (settings.ykc_port, settings.dashboard_port, settings.language) == (5, 4, "en")
    assert settings.bind == Settings().bind


def test_unknown_name_is_answered_with_the_nearest_right_one() -> None:
    with pytest.raises(SettingsError, match=r"PILESTREAM_YKC_PROT in the environment .* did you mean 'ykc_port'"):
        load_settings({}, {"PILESTREAM_YKC_PROT": "1"})


def test_wrong_value_is_named_with_its_origin(tmp_path: Path) -> None:
    (tmp_path / "pilestream.toml").write_text('ykc_port = "many"\n')
    with pytest.raises(SettingsError, match=r"ykc_port in pilestream\.toml cannot be 'many'"):
        load_settings({}, {})


def test_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pilestream.toml").write_text("ykc_port = \n")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings({}, {})


def test_passwords_are_masked_when_printed() -> None:
    url = "clickhouse://reader:s3cret@db.example:9000/pilestream"
    masked = load_settings({}, {"PILESTREAM_CLICKHOUSE": url}).masked()
    assert masked["clickhouse"] == "clickhouse://reader:***@db.example:9000/pilestream"
    assert "s3cret" not in repr(masked)


def test_data_folder_comes_from_the_environment(tmp_path: Path) -> None:
    settings = load_settings({}, {"PILESTREAM_DATA": str(tmp_path / "elsewhere")})
    assert settings.folder == tmp_path / "elsewhere"
    assert settings.database_url.endswith("elsewhere/backoffice.db")


def test_a_platform_with_a_port_of_its_own_takes_no_other() -> None:
    assert load_settings({}, {}).aaf5_port == Settings().aaf5_port > 0
    assert load_settings({"ykc_port": 0}, {}).aaf5_port == CLOSED
    assert load_settings({"ykc_port": 0, "aaf5_port": 7}, {}).aaf5_port == 7


def test_accounts_come_from_the_file_and_their_passwords_are_masked(tmp_path: Path) -> None:
    (tmp_path / "pilestream.toml").write_text(
        '[[start_accounts]]\nname = "depot"\npassword = "8842"\nbalance_fen = 50000\n'
        '[[aaf5_values]]\npile = "20231212000010"\nqr_codes = ["https://example.org/1"]\n'
    )
    settings = load_settings({}, {})
    assert settings.start_accounts[0].password == "8842"
    assert settings.aaf5_values[0].qr_codes == ("https://example.org/1",)
    assert "8842" not in str(settings.masked())


def test_an_account_with_an_unknown_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "pilestream.toml").write_text('[[start_accounts]]\ncrad = "1"\n')
    with pytest.raises(SettingsError, match="crad"):
        load_settings({}, {})


def test_a_list_comes_from_the_file_or_with_commas_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "pilestream.toml").write_text('charger_networks = ["10.0.0.0/8"]\n')
    assert load_settings({}, {}).charger_networks == ("10.0.0.0/8",)
    settings = load_settings({}, {"PILESTREAM_CHARGER_NETWORKS": "10.1.0.0/16,2001:db8::/32"})
    assert settings.charger_networks == ("10.1.0.0/16", "2001:db8::/32")


@pytest.mark.parametrize("setting", ["max_connections=0", "login_timeout_s=0", "unidentified_per_address=-1"])
def test_a_limit_that_would_let_nobody_in_is_refused(setting: str) -> None:
    name, _, value = setting.partition("=")
    with pytest.raises(SettingsError, match=f"PILESTREAM_{name.upper()} in the environment cannot be '{value}'"):
        load_settings({}, {f"PILESTREAM_{name.upper()}": value})
