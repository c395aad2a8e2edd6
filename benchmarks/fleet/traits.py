"""What one charger's firmware does its own way: all of it allowed, or at least common."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.fleet.firmware import firmware_of
from benchmarks.fleet.piles import AAF5, SimPile
from core.ykc.codec import ChecksumOrder

V1_5: Final = 15
V1_6: Final = 16

BIG_ENDIAN_SHARE: Final = 0.1
V1_5_SHARE: Final = 0.25
ASKING_SHARE: Final = 0.2
LOCK_SHARE: Final = 0.06
EXTENDED_SHARE: Final = 0.03


class Traits(msgspec.Struct, frozen=True):
    """A firmware's ways, those of YKC by ykc.md section 6.

    `version`: of the protocol, x 10. `asks_platform`: cards, accounts and vehicles start by 0x31, else by the charger's
    own list. `has_lock`: a parking lock stands before each connector. `extended`: the derivative YLC, whose heartbeat
    and realtime frames are longer.
    """

    checksum_order: ChecksumOrder
    loss_equals_energy: bool
    final_reading: bool
    amount_to_fen: bool
    phase_ms: int
    firmware: str
    version: int = V1_6
    asks_platform: bool = False
    has_lock: bool = False
    extended: bool = False


class Aaf5Traits(msgspec.Struct, frozen=True):
    """The ways of an AAF5 firmware (aaf5.md sections 3, 5 and 6); whether its guns have letters stands in `SimPile`.

    `serial`: session numbers of 32 characters in its frames, and any 201 is compared with the record it answers. Else
    any 201 answers the newest record. `temperatures`: 104 has the four temperature bytes. `floods`: an unanswered 202
    is repeated at once. `states`: it tells preparing (1) and fault (6) too. `asks_platform`: cards are asked for by
    204. `tail`: 106 has a whitelist version. `firmware`: four numbers. `heartbeat_s`, `missed_heartbeats`, `status_s`:
    its parameters 21 to 23.
    """

    serial: bool
    temperatures: bool
    floods: bool
    states: bool
    asks_platform: bool
    tail: bool
    protocol_version: int
    firmware: str
    heartbeat_s: int = 15
    missed_heartbeats: int = 3
    status_s: int = 15


def draw_traits(random: np.random.Generator, pile: SimPile) -> Traits:
    """The ways of one charger."""
    order: ChecksumOrder = "be" if random.random() < BIG_ENDIAN_SHARE else "le"
    loss_equals_energy = bool(random.random() < 0.7)
    final_reading = bool(random.random() < 0.7)
    amount_to_fen = bool(random.random() < 0.2)
    phase_ms = int(random.integers(1_000, 10_000))
    dice = random.random(4)
    return Traits(
        checksum_order=order,
        loss_equals_energy=loss_equals_energy,
        final_reading=final_reading,
        amount_to_fen=amount_to_fen,
        phase_ms=phase_ms,
        firmware=firmware_of(pile),
        version=V1_5 if dice[0] < V1_5_SHARE else V1_6,
        asks_platform=bool(dice[1] < ASKING_SHARE),
        has_lock=bool(dice[2] < LOCK_SHARE) and pile.protocol != AAF5,
        extended=bool(dice[3] < EXTENDED_SHARE),
    )


def draw_aaf5_traits(random: np.random.Generator, pile: SimPile) -> Aaf5Traits:
    """The ways of one AAF5 charger: guns with letters have the firmware F, the others that of P (aaf5.md)."""
    if not pile.gun_letters:
        return Aaf5Traits(
            serial=True,
            temperatures=True,
            floods=False,
            states=True,
            asks_platform=False,
            tail=bool(random.random() < 0.5),
            protocol_version=34,
            firmware=firmware_of(pile),
        )
    return Aaf5Traits(
        serial=False,
        temperatures=bool(random.random() < 0.4),
        floods=bool(random.random() < 0.3),
        states=bool(random.random() < 0.6),
        asks_platform=bool(random.random() < 0.5),
        tail=False,
        protocol_version=26,
        firmware=firmware_of(pile),
    )
