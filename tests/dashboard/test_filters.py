"""Filters and address say the same, whatever is typed."""

from hypothesis import given
from hypothesis import strategies as st

from dashboard.sessions.filters import CODES, RANGES, START_MODES, STATES, Filters, order_of

NOW_MS = 1_795_336_267_000
DAY_MS = 86_400_000


def several(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True).map(tuple)


@given(
    st.builds(
        Filters,
        range=st.sampled_from(RANGES),
        stations=several(("1", "2", "44")),
        owners=several(("2", "3")),
        states=several(STATES),
        codes=several(CODES),
        reading=st.sampled_from(["corrected", "raw"]),
        modes=several(START_MODES),
        pile=st.text("0123456789", max_size=14),
        vin=st.text("ABCDEFGH0123456789&=%+ ", max_size=17).map(str.strip),
        trade=st.text("0123456789ABCDEF", max_size=32),
    )
)
def test_the_address_gives_the_same_filters_again(filters: Filters) -> None:
    assert Filters.from_search(filters.to_search()) == filters


@given(st.text(max_size=80))
def test_any_address_is_taken(search: str) -> None:
    filters = Filters.from_search("?" + search)
    filters.parameters(NOW_MS, "Asia/Shanghai")
    assert Filters.from_search(filters.to_search()) == filters


def test_what_is_not_known_is_left_out() -> None:
    assert Filters.from_search("?range=never&stations=1,x&codes=8,99&states=held,nonsense&reading=maybe") == Filters(
        stations=("1",), codes=("8",), states=("held",)
    )
    assert Filters().to_search() == ""


def test_codes_go_to_the_reading_that_was_chosen() -> None:
    raw = Filters(codes=("8", "6"), reading="raw").parameters(NOW_MS, "Asia/Shanghai")
    assert (raw["codes_any"], raw["codes_raw_any"]) == ([], [8, 6])


def test_days_are_cut_in_local_time() -> None:
    midnight = 1_795_276_800_000
    today = Filters(range="today").parameters(NOW_MS, "Asia/Shanghai")
    yesterday = Filters(range="yesterday").parameters(NOW_MS, "Asia/Shanghai")
    assert today["from_ms"] == midnight
    assert (yesterday["from_ms"], yesterday["to_ms"]) == (midnight - DAY_MS, midnight)


def test_only_known_columns_order() -> None:
    assert order_of([{"colId": "amount_fen", "sort": "asc"}]) == {"sort": "amount_fen", "descending": 0}
    assert order_of([{"colId": "1; DROP", "sort": "asc"}]) == {"sort": "start_ms", "descending": 1}
    assert order_of(None) == {"sort": "start_ms", "descending": 1}
