"""Which firmware a charger runs: a few versions per model, as a fleet that is updated station by station has them."""

import zlib
from typing import Final

from benchmarks.fleet.piles import AAF5, SimPile

VERSIONS: Final = {
    "R-120": ("V3.2.0", "V3.2.6", "V3.4.1"),
    "S-60": ("V1.8.2", "V1.9.0"),
    "T-180": ("V2.0.9", "V2.1.4", "V2.2.0"),
    "U-240": ("V4.0.1", "V4.1.0", "V4.1.3", "V4.2.0"),
    "V-7": ("V1.0.5", "V1.1.2"),
    "W-120": ("2.6.7.1", "2.6.8.0", "2.7.1.0"),
    "X-160": ("3.4.7.0", "3.5.0.2"),
}
OTHER_VERSIONS: Final = ("V1.4.0", "V1.5.2", "V1.6.1")
OTHER_VERSIONS_AAF5: Final = ("2.6.7.1", "3.4.7.0")

CARELESS: Final = frozenset({("T-180", "V2.1.4"), ("W-120", "2.6.8.0")})
"""Versions that often leave out, repeat or swap steps: what `pilestream conformance --by firmware` is there to find."""


def firmware_of(pile: SimPile) -> str:
    """The version that a charger runs."""
    versions = VERSIONS.get(pile.model, OTHER_VERSIONS_AAF5 if pile.protocol == AAF5 else OTHER_VERSIONS)
    return versions[zlib.crc32(pile.code.encode()) % len(versions)]


def is_careless(pile: SimPile) -> bool:
    """Whether its version has a weak spot in the order of steps."""
    return (pile.model, firmware_of(pile)) in CARELESS
