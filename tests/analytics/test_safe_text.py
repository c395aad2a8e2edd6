"""What a charger sent is neither a formula to a spreadsheet nor an order to a terminal."""

import pytest

from analytics.safe_text import printable, safe_cell


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_becomes_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-3.25", "-0.3300", "12", "2.6.7.1", "", "大岗", 7, None])
def test_all_else_stays_as_it_is(value: object) -> None:
    assert safe_cell(value) == value


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b[31mb\n\x9b\u202e") == "a\ufffd[31mb\ufffd\ufffd\ufffd"
    assert printable("粤A12345 ✓") == "粤A12345 ✓"
