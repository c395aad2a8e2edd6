"""Every message of the AAF5 family as a table: the single source for decoding, encoding and `pilestream decode`.

Names, lengths and scales are those of aaf5.md sections 2 and 3. Replies: the server answers a report with the number
below it, a charger an order with the number above it (section 1).
"""

from core.aaf5.bcd_time import BCD8
from core.wire.body import MessageTable
from core.wire.fields import DOWN, UNKNOWN, UP, Field, Message, Rest, raw, slots, u8, u16, u32

STATUS = 104
RECORD = 202

_KWH = "kWh"
_YUAN = "CNY"


def _c_text(name: str, length: int, note: str = "") -> Field:
    return Field(name, length, "c_text", note=note)


def _bcd8(name: str) -> Field:
    return Field(name, BCD8.length, "time", time=BCD8)


def _energy(name: str) -> Field:
    return u32(name, 2, unit=_KWH)


def _money(name: str) -> Field:
    return u32(name, 2, unit=_YUAN)


def _volt(name: str) -> Field:
    return u16(name, 1, unit="V")


def _ampere(name: str) -> Field:
    return u16(name, 1, unit="A")


_HEAD = (u16("reserved1", note="user id in the firmware F, else 0"), u16("reserved2"))
_PILE = _c_text("pile_code", 32, "may end with a gun letter")
_UP_HEAD = (*_HEAD, _PILE)
_GUN = u8("gun_no", note="1..; 0 on a single-gun pile")
_GUN_TYPE = u8("gun_type", values={1: "DC", 2: "AC"})
_START_MODE = u8("start_mode", values={0: "local card", 1: "backend", 2: "local administrator"})
_REPORTED_STRATEGY = u8("strategy", note="two numberings exist: keep the number, do not convert")
_SERIAL = _c_text("serial", 32)
_SERIAL_TAIL = ((_SERIAL,),)
_CARD = _c_text("card", 32)
_OK = {0: "ok"}
_PARAMETER_OP = u8("op", values={0: "query", 1: "set"})
_ORDER = u32("addr", values={2: "stop charging", 10: "cancel booking", 11: "reboot"})

_LOGIN: tuple[Field, ...] = (
    *_UP_HEAD,
    u8("flag"),
    u8("ver_major"),
    u8("ver_minor"),
    raw("ver_patch", 2, note="the order of its bytes differs between makers"),
    u16("project_type"),
    u32("boot_count"),
    u8("upload_mode"),
    u16("login_interval"),
    u8("run_var"),
    u8("gun_count"),
    u8("heartbeat_period", unit="s"),
    u8("heartbeat_miss_max"),
    u32("record_count"),
    _bcd8("pile_time"),
    raw("time2", 8),
    raw("time3", 8),
    raw("time4", 8),
    raw("random", 4, note="echoed in 105"),
    u16("protocol_version", 1),
)
_LOGIN_ACK: tuple[Field, ...] = (*_HEAD, raw("random", 4, note="copy of the random of 106"), u8("result", values=_OK))
_LOGIN_ACK_TAIL = (u8("value1"), raw("key_block", 128), u32("value2"))
_STATUS: tuple[Field, ...] = (
    *_UP_HEAD,
    u8("gun_count"),
    _GUN,
    _GUN_TYPE,
    u8(
        "work_state",
        values={
            0: "idle",
            1: "preparing",
            2: "charging",
            3: "finished",
            4: "start failed",
            5: "booked",
            6: "fault",
        },
    ),
    u8("soc", unit="%"),
    u32(
        "alarm",
        values={
            0: "none",
            2: "rental expired",
            3: "emergency stop",
            4: "door",
            1001: "charge board link",
            1002: "meter link lost",
        },
    ),
    u8("car_conn", values={0: "not connected", 1: "half connected", 2: "connected"}),
    _money("amount"),
    u32("var2"),
    u32("var3"),
    _volt("dc_voltage"),
    _ampere("dc_current"),
    _volt("bms_voltage"),
    u16("bms_current", 1, unit="A", note="0.01 A in one firmware"),
    u8("bms_mode"),
    _volt("ac_voltage_a"),
    _volt("ac_voltage_b"),
    _volt("ac_voltage_c"),
    _ampere("ac_current_a"),
    _ampere("ac_current_b"),
    _ampere("ac_current_c"),
    u16("remain_minutes", unit="min"),
    u32("duration", unit="s"),
    _energy("energy"),
    _energy("meter_before"),
    _energy("meter_now"),
    _START_MODE,
    _REPORTED_STRATEGY,
    u32("strategy_param"),
    u8("appt_flag"),
    _c_text("card", 32, "card or user id"),
    u8("appt_timeout"),
    _bcd8("start_time"),
    _money("card_balance"),
    u32("upgrade_mode"),
    u32("power", 1, unit="kW", note="about 0.1 W in one firmware: check against voltage and current"),
    u32("sys3"),
    u32("sys4"),
    u32("sys5"),
)
_STATUS_TEMPERATURES = tuple(
    u8(f"temp_{place}", note="offset not published") for place in ("outlet", "ambient", "gun", "water")
)
_RECORD: tuple[Field, ...] = (
    *_UP_HEAD,
    _GUN_TYPE,
    _GUN,
    _CARD,
    _bcd8("start_time"),
    _bcd8("end_time"),
    u32("duration", unit="s"),
    u8("soc_start", unit="%"),
    u8("soc_end", unit="%"),
    u32("end_reason", note="numbering differs between makers"),
    _energy("energy"),
    _energy("meter_before"),
    _energy("meter_after"),
    _money("amount"),
    u32("reserved3"),
    _money("balance_before"),
    u32("record_index", note="orders the records of one pile, used again"),
    u32("record_total"),
    u8("reserved4"),
    _REPORTED_STRATEGY,
    u32("strategy_param"),
    _c_text("vin", 17),
    _c_text("plate", 8),
    Field(
        "half_hour_energy",
        96,
        "uint_list",
        2,
        count=48,
        unit=_KWH,
        note="the first covers 00:00-00:30 of the charger's clock",
    ),
    _START_MODE,
)
_START: tuple[Field, ...] = (
    *_HEAD,
    _GUN,
    u32("effective", values={0: "at once"}),
    u32("reserved3"),
    u32("strategy", values={0: "until full", 1: "time", 2: "money", 3: "energy"}),
    u32("strategy_param", note="s, 0.01 CNY or 0.01 kWh by the strategy"),
    _bcd8("start_time"),
    u8("appt_timeout"),
    _CARD,
    u8("value1"),
    u32("value2"),
    _SERIAL,
)
_ACCOUNT_STATES = {
    0: "valid",
    1: "illegal",
    2: "balance too low",
    3: "un-blacklist",
    4: "blacklist",
    5: "bad card number",
    6: "reported lost",
    7: "cancelled",
    8: "wrong password",
    9: "charging on another pile",
}
_START_RESULTS = {0: "ok", 100001: "ended before charging", 100002: "no start within 120 s"}
_UNNAMED_9 = (*_HEAD, raw("value1", 32), u8("value2"), u8("value3"))
_REQUEST = (*_UP_HEAD, u8("value1"))
_TARIFF: tuple[Field, ...] = (
    *_UP_HEAD,
    u16("value1"),
    *(raw(f"triple_{number}", 3) for number in range(1, 11)),
    slots("numbers", 32),
    u16("value2"),
)
_QR_CODES = (*_UP_HEAD, _bcd8("time"), *(_c_text(f"qr_code_{number}", 64) for number in range(1, 5)))
_PARAMETER_VALUES = Rest("values", "uint_list", 4, "count", ("op", 1))
_STATUS_LVNENG = (
    u16("reserved1"),
    Field("reserved2", 2, "uint", offset=2),
    Field("pile_code", 32, "c_text", offset=4),
    Field("bytes_36_38", 3, "bytes", offset=36),
    Field("time_at_50", 8, "time", offset=50, time=BCD8),
    Field("u32_at_89", 4, "uint", offset=89, note="fits a meter reading in 0.01 kWh; not certain"),
    Field("u32_at_97", 4, "uint", offset=97, note="fits a meter reading in 0.01 kWh; not certain"),
)


def _unpublished(number: int, name: str, title: str) -> Message:
    return Message(number, name, title, UNKNOWN, layout_known=False, note="extension of one maker, known by name only")


_TABLE: tuple[Message, ...] = (
    Message(
        1,
        "int_params",
        "整型工作参数",
        DOWN,
        (*_HEAD, _PARAMETER_OP, u32("addr"), u8("count"), u16("byte_len", note="when set")),
        2,
        rest=_PARAMETER_VALUES,
    ),
    Message(
        2,
        "int_params_reply",
        "整型工作参数应答",
        UP,
        (*_UP_HEAD, _PARAMETER_OP, u32("addr"), u8("count"), u8("result", values={0: "ok", 1: "unknown address"})),
        rest=Rest("values", "uint_list", 4, "count", ("op", 0)),
    ),
    Message(
        3,
        "str_params",
        "字符型工作参数",
        DOWN,
        (*_HEAD, _PARAMETER_OP, u32("addr", values={2: "clock (BCD8)"}), u16("byte_len")),
        4,
        rest=Rest("data", "bytes", 1, "byte_len", ("op", 1)),
    ),
    Message(
        4,
        "str_params_reply",
        "字符型工作参数应答",
        UP,
        (*_UP_HEAD, _PARAMETER_OP, u32("addr"), u8("result", values=_OK)),
        rest=Rest("data", "bytes", 1, None, ("op", 0)),
    ),
    Message(
        5,
        "control",
        "控制命令",
        DOWN,
        (*_HEAD, _GUN, _ORDER, u8("count"), u16("byte_len"), u32("param", note="0x55 to stop charging")),
        6,
        tails=_SERIAL_TAIL,
    ),
    Message(
        6,
        "control_reply",
        "控制命令应答",
        UP,
        (*_UP_HEAD, _GUN, _ORDER, u8("count"), u8("result", values=_OK)),
        tails=_SERIAL_TAIL,
    ),
    Message(7, "start", "开启充电控制", DOWN, _START, 8),
    Message(
        8,
        "start_reply",
        "开启充电控制应答",
        UP,
        (*_UP_HEAD, _GUN, u32("result", values=_START_RESULTS)),
        tails=_SERIAL_TAIL,
    ),
    Message(9, "unnamed_9", "", UNKNOWN, _UNNAMED_9, note="no meaning published"),
    Message(10, "unnamed_10", "", UNKNOWN, layout_known=False, note="known by its number only"),
    Message(11, "tariff_request", "", UP, _REQUEST, 12),
    Message(12, "tariff", "", DOWN, _TARIFF, note="sizes and types are published, the meaning is not"),
    Message(13, "qr_codes", "", DOWN, _QR_CODES),
    Message(14, "qr_request", "", UP, _REQUEST, 13),
    Message(101, "heartbeat_ack", "心跳应答", DOWN, (*_HEAD, u16("counter"))),
    Message(102, "heartbeat", "心跳包", UP, (*_UP_HEAD, u16("counter", note="+1 per heartbeat, per gun")), 101),
    Message(103, "status_ack", "状态信息包应答", DOWN, (*_HEAD, _GUN, u32("value1"), u32("value2"), _SERIAL)),
    Message(
        STATUS,
        "status",
        "充电桩状态信息包上报",
        UP,
        _STATUS,
        103,
        tails=(_STATUS_TEMPERATURES, (_SERIAL,)),
        whole_only=True,
    ),
    Message(105, "login_ack", "签到应答", DOWN, _LOGIN_ACK, tails=(_LOGIN_ACK_TAIL,)),
    Message(106, "login", "签到信息", UP, _LOGIN, 105, tails=((u32("whitelist_version", note="V3.4"),),)),
    Message(107, "alarms_ack", "", DOWN, layout_known=False, note="layout not published"),
    Message(108, "alarms", "", UP, (*_UP_HEAD, raw("alarm_bits", 32, note="256 points, numbering not published")), 107),
    Message(
        109,
        "status_lvneng",
        "",
        UP,
        _STATUS_LVNENG,
        layout_known=False,
        body_length=199,
        note="status of the 绿能 V3.4 variant; layout not published: a sign of life, no reading",
    ),
    Message(110, "status_lvneng_ack", "", UNKNOWN, layout_known=False, note="known by its number only"),
    Message(
        201,
        "record_ack",
        "充电记录应答",
        DOWN,
        (*_HEAD, _GUN, _CARD, u32("record_index"), u32("value1"), _SERIAL),
    ),
    Message(RECORD, "record", "充电记录上报", UP, _RECORD, 201, tails=_SERIAL_TAIL, whole_only=True),
    Message(
        203,
        "account_reply",
        "帐户查询应答",
        DOWN,
        (*_HEAD, u8("result", values=_ACCOUNT_STATES), raw("reserved3", 3), _money("balance")),
    ),
    Message(
        204,
        "account_query",
        "用户帐户查询",
        UP,
        (
            *_UP_HEAD,
            _c_text("card", 32, "at least 10 decimal digits"),
            _money("card_balance"),
            u8("blacklisted"),
            raw("password", 32),
            raw("random", 48),
        ),
        203,
    ),
    Message(205, "password_reply", "", DOWN, layout_known=False, note="known by name only"),
    Message(206, "password_query", "", UP, layout_known=False, note="check of a charging password, known by name only"),
    Message(301, "bms_ack", "BMS信息应答", DOWN, _HEAD),
    Message(302, "bms_info", "", UP, layout_known=False, reply=301, note="layout not published"),
    *(_unpublished(number, f"trickle_control_{number}", "") for number in range(601, 605)),
    *(_unpublished(number, f"price_change_{number}", "") for number in range(701, 703)),
    *(_unpublished(number, f"firmware_upload_{number}", "") for number in range(1001, 1011)),
    *(_unpublished(number, f"maker_reboot_{number}", "") for number in range(1011, 1013)),
    *(_unpublished(number, f"price_table_{number}", "") for number in range(1101, 1105)),
)

TABLE = MessageTable(_TABLE, str)
"""The messages with their offsets."""

MESSAGES: dict[int, Message] = TABLE.by_type
"""Messages by their command number."""

MESSAGES_BY_NAME: dict[str, Message] = TABLE.by_name
"""Messages by their name in aaf5.md."""


def message_name(frame_type: int) -> str | None:
    """The name of a command, None when the family has none of that number."""
    message = MESSAGES.get(frame_type)
    return None if message is None else message.name
