"""The page of promises names each promise, and for each either tests that exist or that it is open."""

import re

from tests.faults.fault_points import ROOT

PAGE = ROOT / "docs" / "promises.md"
PROMISES = 15


def test_every_promise_has_tests_that_exist_or_is_open() -> None:
    rows = re.findall(r"^\| P(\d+) \|(.*)\|(.*)\|(.*)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, PROMISES + 1))
    for number, _, tests, state in rows:
        paths = [PAGE.parent / path for path in re.findall(r"\]\((\S+?)\)", tests)]
        assert all(path.exists() for path in paths), f"P{number} names a file that is not there"
        assert paths or state.strip().startswith("open"), f"P{number} has neither a test nor is it open"
