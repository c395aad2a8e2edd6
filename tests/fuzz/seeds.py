"""What fuzzing begins with: the public sample frames, and every message that is described, from a charger we know."""

from core.aaf5 import codec as aaf5_codec
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.wire.fields import Message
from core.ykc import codec as ykc_codec
from core.ykc.messages import MESSAGES as YKC_MESSAGES
from tests.fuzz.corpus_file import real_frames
from tests.fuzz.record_properties import records_of
from tests.ingest import aaf5_frames, charger_frames

YKC_CODE = bytes.fromhex(charger_frames.CODE)
AAF5_CODE = aaf5_frames.AAF5_CODE.encode("ascii")


def ykc_bodies() -> list[bytes]:
    """Type byte and body."""
    described = [
        bytes([number]) + body
        for number, message in YKC_MESSAGES.items()
        for body in _bodies(message, {"pile_code": YKC_CODE, "gun_no": b"\1"})
    ]
    return [frame[5:-2] for frame in real_frames("ykc")] + described


def aaf5_bodies() -> list[bytes]:
    """Two bytes of command and a body, in each size that a message has."""
    described = [
        number.to_bytes(2, "little") + body
        for number, message in AAF5_MESSAGES.items()
        for body in _bodies(message, {"pile_code": AAF5_CODE, "gun_no": b"\1"})
    ]
    return [frame[6:-1] for frame in real_frames("aaf5")] + described


def ykc_streams() -> list[bytes]:
    """Frames alone and together; a login with a charge and its record behind it."""
    trade_no = charger_frames.trade_no_of()
    charge = [
        charger_frames.login(),
        charger_frames.heartbeat(),
        charger_frames.realtime(),
        charger_frames.charging(trade_no, 5, 1),
        charger_frames.charging(trade_no, 90_000, 2),
        charger_frames.record(trade_no),
    ]
    described = [ykc_codec.wrap_body(data[0], data[1:]) for data in ykc_bodies()]
    return _streams(real_frames("ykc") + described, charge)


def aaf5_streams() -> list[bytes]:
    """As `ykc_streams`."""
    charge = [aaf5_frames.aaf5_login(), *_status_frames(), aaf5_frames.aaf5_record(), aaf5_frames.aaf5_record()]
    bodies = ((int.from_bytes(data[:2], "little"), data[2:]) for data in aaf5_bodies())
    described = [aaf5_codec.wrap_body(number, body) for number, body in bodies]
    return _streams(real_frames("aaf5") + described, charge)


def mixed_streams() -> list[bytes]:
    """First bytes of connections: of each protocol, behind garbage, and one protocol's frame inside the other's."""
    ykc, aaf5 = charger_frames.login(), aaf5_frames.aaf5_login()
    inside = [aaf5_codec.wrap_body(108, ykc), ykc_codec.wrap_body(0x44, aaf5)]
    return [ykc, aaf5, b"\x68\xaa" + ykc, b"h" * 9 + aaf5, b"GET / HTTP/1.1\r\n\r\n", *inside, ykc[:-1], aaf5[:-1]]


def lines(protocol: str) -> list[bytes]:
    """Frames as hex text, with blanks too, and the frames themselves for what is no text."""
    frames = real_frames(protocol)
    return frames + [frame.hex().encode() for frame in frames] + [frames[0].hex(" ").encode() + b"\n"]


def segments() -> list[bytes]:
    """Pieces of the spool."""
    return records_of([frame for protocol in ("ykc", "aaf5") for frame in real_frames(protocol)[:4]])


def _bodies(message: Message, known: dict[str, bytes]) -> list[bytes]:
    """A body of zeros in each size that the message has, but for the fields named in `known`."""
    bodies = []
    for size in {*message.sizes, message.length + message.group_length, message.body_length}:
        body = bytearray(size)
        for field in message.fields:
            value = known.get(field.name)
            if value is not None and field.offset + len(value) <= size:
                body[field.offset : field.offset + len(value)] = value
        bodies.append(bytes(body))
    return bodies


def _status_frames() -> list[bytes]:
    """104 before, in and after a charge, in its three sizes (aaf5.md section 3)."""
    message = AAF5_MESSAGES[104]
    offsets = {field.name: field.offset for field in message.all_fields}
    frames = []
    for state, energy, size in ((0, 0, 169), (2, 5, 173), (2, 900, 205), (3, 900, 205)):
        body = bytearray(size)
        body[offsets["pile_code"] : offsets["pile_code"] + len(AAF5_CODE)] = AAF5_CODE
        body[offsets["gun_no"]] = 1
        body[offsets["work_state"]] = state
        body[offsets["car_conn"]] = 2
        body[offsets["energy"] : offsets["energy"] + 2] = energy.to_bytes(2, "little")
        body[offsets["meter_now"] : offsets["meter_now"] + 4] = (100_000 + energy).to_bytes(4, "little")
        body[offsets["start_time"] : offsets["start_time"] + 8] = bytes.fromhex("20261122080000ff")
        frames.append(aaf5_codec.wrap_body(104, bytes(body)))
    return frames


def _streams(frames: list[bytes], charge: list[bytes]) -> list[bytes]:
    """Frames alone, a charge, and frames with a byte between them, or each without its last byte."""
    return [*frames, *charge, b"".join(charge), b"\0".join(frames[::3][:8]), b"".join(f[:-1] for f in frames[:4])]
