"""A bill names the rules that made it: the version is raised when they give another result."""

from core.session import RULE_VERSION
from tests.core.rule_results import recorded, results


def test_the_rules_give_what_their_version_gave() -> None:
    known, now = recorded(), results()
    changed = [name for name, digest in now.items() if digest != known["results"].get(name)]
    assert not changed and known["rule_version"] == RULE_VERSION, (
        f"other results of {changed}: if that is meant, raise RULE_VERSION above {known['rule_version']}, "
        "and run `python -m tests.core.rule_results`"
    )
