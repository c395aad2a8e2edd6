"""Which orders begin a charge, in every protocol: the commands under which their outcomes are stored."""

from typing import Final

START_COMMANDS: Final = ("remote_start", "parallel_start")
"""Each carries the number of the session that it wants, one outcome per connector."""
