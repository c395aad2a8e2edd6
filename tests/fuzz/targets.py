"""What is fuzzed: each target is a check for any bytes, how to get behind its checksums, and what to begin with."""

from collections.abc import Callable
from functools import partial

import msgspec

from tests.fuzz import seeds
from tests.fuzz.aaf5_properties import check_aaf5_body, check_aaf5_bytes, check_aaf5_line
from tests.fuzz.corpus_file import kept_inputs
from tests.fuzz.detection_properties import check_detection
from tests.fuzz.link_properties import check_aaf5_link, check_ykc_link
from tests.fuzz.record_properties import check_records, seal_records
from tests.fuzz.sealing import Seal, seal_aaf5, seal_either, seal_ykc
from tests.fuzz.stream_properties import check_aaf5_stream, check_ykc_stream
from tests.fuzz.ykc_properties import check_ykc_body, check_ykc_bytes, check_ykc_line

Check = Callable[[bytes], None]
Seeds = Callable[[], list[bytes]]


class Target(msgspec.Struct, frozen=True):
    """`check` raises for an input that breaks a promise, and for nothing else. `seeds` gives the first inputs.

    `weight`: its part of the time; what is mostly Python runs slower and gets more.
    """

    check: Check
    seeds: Seeds
    seal: Seal | None = None
    longest: int = 2048
    weight: int = 1


TARGETS: dict[str, Target] = {
    "ykc_splitter": Target(check_ykc_bytes, seeds.ykc_streams, seal_ykc),
    "ykc_body": Target(check_ykc_body, seeds.ykc_bodies, longest=252, weight=2),
    "ykc_line": Target(check_ykc_line, partial(seeds.lines, "ykc"), longest=600),
    "ykc_stream": Target(check_ykc_stream, seeds.ykc_streams, seal_ykc),
    "ykc_link": Target(check_ykc_link, seeds.ykc_streams, seal_ykc, weight=3),
    "aaf5_splitter": Target(check_aaf5_bytes, seeds.aaf5_streams, seal_aaf5),
    "aaf5_body": Target(check_aaf5_body, seeds.aaf5_bodies, longest=1017, weight=2),
    "aaf5_line": Target(check_aaf5_line, partial(seeds.lines, "aaf5"), longest=1200),
    "aaf5_stream": Target(check_aaf5_stream, seeds.aaf5_streams, seal_aaf5),
    "aaf5_link": Target(check_aaf5_link, seeds.aaf5_streams, seal_aaf5, weight=3),
    "detection": Target(check_detection, seeds.mixed_streams, seal_either),
    "spool_records": Target(check_records, seeds.segments, seal_records),
}


def first_inputs(name: str) -> list[bytes]:
    """What a target begins with: its seeds and the inputs kept from earlier runs, without doubles."""
    return list(dict.fromkeys([*TARGETS[name].seeds(), *kept_inputs(name)]))
