"""The address of ClickHouse: read, written, shown without its password; errors that say what to do."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.client import SERVER_SETTINGS, ClickHouseAddress, DatabaseUnreachable, connect
from analytics.errors import AnalyticsError

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1)
NAMES = TEXT.filter(lambda text: text.strip("/") == text)


@given(
    host=st.sampled_from(["127.0.0.1", "::1", "db.example.org"]),
    port=st.integers(1, 65535),
    user=TEXT,
    password=st.text(st.characters(blacklist_categories=["Cs", "Cc"])),
    database=NAMES,
)
def test_an_address_reads_what_it_writes(host: str, port: int, user: str, password: str, database: str) -> None:
    address = ClickHouseAddress(host, port, user, password, database)
    assert ClickHouseAddress.from_url(address.url()) == address


def test_parts_may_be_left_out() -> None:
    assert ClickHouseAddress.from_url("clickhouse://h") == ClickHouseAddress("h", 9000, "default", "", "default")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://u:secret@h/db", "scheme 'http' is not known"),
        ("clickhouse:///db", "the host is missing"),
        ("clickhouse://u:secret@h:99999/db", "the port is not a number below 65536"),
        ("clickhouse://u:secret@h:port/db", "the port is not a number below 65536"),
    ],
)
def test_a_wrong_address_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(AnalyticsError, match=f"{message}; expected clickhouse://") as caught:
        ClickHouseAddress.from_url(url)
    assert "secret" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    address = ClickHouseAddress("h", 9000, "u", "secret", "db")
    assert f"{address} {address!r} {[address]}" == " ".join(["clickhouse://u:***@h:9000/db"] * 2) + (
        " [clickhouse://u:***@h:9000/db]"
    )


def test_nobody_there_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(
        DatabaseUnreachable, match=r"ClickHouse at clickhouse://u:\*\*\*@127.0.0.1:1/d cannot be used: "
    ):
        connect(ClickHouseAddress("127.0.0.1", 1, "u", "secret", "d"))
    assert caplog.records == []


@pytest.mark.server
def test_settings_go_with_every_query(clickhouse: ClickHouseAddress) -> None:
    client = connect(clickhouse, max_block_size=4096)
    names = [*SERVER_SETTINGS, "max_block_size"]
    found = client.execute("SELECT name, value FROM system.settings WHERE name IN %(names)s", {"names": names})
    assert dict(found) == {name: str(value) for name, value in (SERVER_SETTINGS | {"max_block_size": 4096}).items()}
    client.disconnect()


@pytest.mark.server
def test_a_database_that_is_not_there_is_named(clickhouse: ClickHouseAddress) -> None:
    with pytest.raises(DatabaseUnreachable, match="Database none does not exist"):
        connect(msgspec.structs.replace(clickhouse, database="none"))
