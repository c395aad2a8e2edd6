"""Every message of YKC V1.5/V1.6 as a table: the single source for decoding, encoding and `pilestream decode`.

Names, lengths and scales are those of ykc.md sections 3 and 4.
"""

from core.wire.body import MessageTable
from core.wire.fields import DOWN, UP, Field, Message, raw, slots, text, u8, u16, u32, uint
from core.ykc.fields import bcd, current, temperature, time
from core.ykc.meanings import (
    BALANCE_RESULTS,
    BATTERY_TYPES,
    CARD_FORMAT,
    CARD_STORAGE,
    CHARGER_STATES,
    FAILED_OR_OK,
    GRANTED,
    GUN_HOME,
    GUN_ROLES,
    LOCK_ACTIONS,
    LOCK_ALARMS,
    LOCK_STATES,
    MOBILE_OPERATORS,
    NETWORK_TYPES,
    NO_YES,
    RECORD_MODES,
    RECORD_RESULTS,
    REMOTE_START_FAILURES,
    REMOTE_STOP_FAILURES,
    REQUEST_MODES,
    SPACE_STATES,
    START_REFUSALS,
    STOP_REASONS,
    UPDATE_RESULTS,
    WHEN,
)

_KWH, _YUAN, _PRICE, _VOLT, _AMPERE, _MINUTES = "kWh", "CNY", "CNY/kWh", "V", "A", "min"

_PILE = bcd("pile_code", 7)
_GUN = bcd("gun_no", 1)
_PLAIN_GUN = u8("gun_no")  # the ground lock messages alone number guns in binary
_TRADE = bcd("trade_no", 16, note="all zero: no session")
_SESSION = (_TRADE, _PILE, _GUN)
_LOGICAL_CARD = bcd("logical_card", 8)
_PHYSICAL_CARD = raw("physical_card", 8, note="all zero: none")
_BALANCE = u32("balance", 2, unit=_YUAN)
_PARALLEL_NO = bcd("parallel_no", 6)
_GUN_ROLE = u8("gun_role", values=GUN_ROLES)
_V16 = "1.6"
_CLASSES = ("sharp", "peak", "flat", "valley")

_TARIFF: tuple[Field, ...] = (
    _PILE,
    bcd("model_no", 2),
    *(u32(f"{rate}_{part}_price", 5, unit=_PRICE) for rate in _CLASSES for part in ("energy", "service")),
    u8("loss_ratio"),
    slots("slot_rates", 48, note="half-hours from 00:00; 0 sharp, 1 peak, 2 flat, 3 valley"),
)
_START_REQUEST: tuple[Field, ...] = (
    _PILE,
    _GUN,
    u8("start_mode", values=REQUEST_MODES),
    u8("need_password", values=NO_YES),
    raw("card_or_account", 8, note="all zero: none"),
    raw("password", 16, note="MD5"),
    Field("vin", 17, "text_reversed", note="some firmware sends it forward"),
)
_START_REPLY: tuple[Field, ...] = (
    *_SESSION,
    _LOGICAL_CARD,
    _BALANCE,
    u8("auth", values=GRANTED),
    u8("fail_reason", values=START_REFUSALS),
)
_REMOTE_START: tuple[Field, ...] = (*_SESSION, _LOGICAL_CARD, _PHYSICAL_CARD, _BALANCE)
_REALTIME: tuple[Field, ...] = (
    *_SESSION,
    u8("state", values=CHARGER_STATES),
    u8("gun_home", values=GUN_HOME),
    u8("plugged", values=NO_YES),
    u16("voltage", 1, unit=_VOLT),
    u16("current", 1, unit=_AMPERE),
    temperature("cable_temp"),
    raw("cable_id", 8),
    u8("soc", unit="%"),
    temperature("battery_temp_max"),
    u16("charge_minutes", unit=_MINUTES),
    u16("remain_minutes", unit=_MINUTES),
    u32("energy", 4, unit=_KWH),
    u32("loss_energy", 4, unit=_KWH),
    u32("amount", 4, unit=_YUAN),
    u16("fault_bits", note="numbering not settled"),
)
_BMS_HANDSHAKE: tuple[Field, ...] = (
    *_SESSION,
    raw("bms_proto", 3),
    u8("battery_type", values=BATTERY_TYPES),
    u16("rated_capacity", 1, unit="Ah"),
    u16("rated_voltage", 1, unit=_VOLT),
    text("battery_maker", 4),
    raw("battery_serial", 4),
    u8("prod_year", 1985),
    u8("prod_month"),
    u8("prod_day"),
    uint("charge_count", 3),
    u8("ownership", values={0: "leased", 1: "owned"}),
    u8("reserved"),
    text("vin", 17),
    raw("bms_software", 8),
)
_BMS_PARAMS: tuple[Field, ...] = (
    *_SESSION,
    u16("cell_volt_max", 2, unit=_VOLT),
    current("bms_curr_max"),
    u16("nominal_energy", 1, unit=_KWH),
    u16("bms_volt_max", 1, unit=_VOLT),
    temperature("bms_temp_max"),
    u16("soc", 1, unit="%"),
    u16("battery_voltage", 1, unit=_VOLT),
    u16("pile_volt_max", 1, unit=_VOLT),
    u16("pile_volt_min", 1, unit=_VOLT),
    current("pile_curr_max"),
    current("pile_curr_min"),
)
_CHARGE_END: tuple[Field, ...] = (
    *_SESSION,
    u8("end_soc", unit="%"),
    u16("cell_volt_min", 2, unit=_VOLT),
    u16("cell_volt_max", 2, unit=_VOLT),
    temperature("temp_min"),
    temperature("temp_max"),
    u16("charge_minutes", unit=_MINUTES),
    u16("energy", 1, unit=_KWH),
    u32("charger_no"),
)
_ABORT: tuple[Field, ...] = (*_SESSION, u8("reason_bits"), u16("fault_bits"), u8("error_bits"))
_BMS_DEMAND: tuple[Field, ...] = (
    *_SESSION,
    u16("req_voltage", 1, unit=_VOLT),
    current("req_current"),
    u8("mode", values={1: "constant voltage", 2: "constant current"}),
    u16("bms_voltage", 1, unit=_VOLT),
    current("bms_current"),
    Field("cell_volt_group", 2, "cell_volt_group", unit=_VOLT),
    u8("soc", unit="%"),
    u16("remain_minutes", unit=_MINUTES),
    u16("out_voltage", 1, unit=_VOLT),
    current("out_current"),
    u16("charge_minutes", unit=_MINUTES),
)
_BMS_INFO: tuple[Field, ...] = (
    *_SESSION,
    u8("max_cell_no", 1),
    temperature("temp_max"),
    u8("temp_max_point", 1),
    temperature("temp_min"),
    u8("temp_min_point", 1),
    u16("status_bits"),
)


def _record_class(rate: str) -> tuple[Field, ...]:
    return (
        u32(f"{rate}_price", 5, unit=_PRICE),
        u32(f"{rate}_energy", 4, unit=_KWH),
        u32(f"{rate}_loss_energy", 4, unit=_KWH),
        u32(f"{rate}_amount", 4, unit=_YUAN),
    )


_RECORD: tuple[Field, ...] = (
    *_SESSION,
    time("start_time"),
    time("end_time"),
    *(field for rate in _CLASSES for field in _record_class(rate)),
    uint("meter_start", 5, 4, unit=_KWH),
    uint("meter_end", 5, 4, unit=_KWH),
    u32("energy", 4, unit=_KWH),
    u32("loss_energy", 4, unit=_KWH),
    u32("amount", 4, unit=_YUAN),
    text("vin", 17),
    u8("start_mode", values=RECORD_MODES),
    time("trade_time"),
    u8("stop_reason", values=STOP_REASONS),
    _PHYSICAL_CARD,
)
_LOGIN: tuple[Field, ...] = (
    _PILE,
    u8("pile_type", values={0: "DC", 1: "AC"}),
    u8("gun_count"),
    Field("protocol_version", 1, "uint", 1),
    text("firmware", 8),
    u8("network_type", values=NETWORK_TYPES),
    bcd("sim", 10, note="may hold other nibbles"),
    u8("operator", values=MOBILE_OPERATORS),
)
_LOCK_STATE: tuple[Field, ...] = (
    _PILE,
    _PLAIN_GUN,
    u8("lock_state", values=LOCK_STATES),
    u8("space_state", values=SPACE_STATES),
    u8("battery_pct", unit="%"),
    u8("alarm", values=LOCK_ALARMS),
    raw("reserved", 4),
)
_UPDATE: tuple[Field, ...] = (
    _PILE,
    u8("pile_model", values={1: "DC", 2: "AC"}),
    u16("pile_power", unit="kW"),
    text("host", 16),
    u16("port"),
    text("user", 16),
    text("password", 16),
    text("path", 32),
    u8("when", values=WHEN),
    u8("timeout_minutes", unit=_MINUTES),
)
_PILE_RESULT = (_PILE, u8("result", values=FAILED_OR_OK))
_PILE_COUNT = (_PILE, u8("count"))
_CARD_PAIR = (_LOGICAL_CARD, _PHYSICAL_CARD)
_CARD_CLEARED = (_PHYSICAL_CARD, u8("cleared", values=NO_YES), u8("fail_reason", values=CARD_FORMAT))
_CARD_EXISTS = (_PHYSICAL_CARD, u8("exists", values=NO_YES))

_TABLE: tuple[Message, ...] = (
    Message(0x01, "login", "充电桩登录认证", UP, _LOGIN, 0x02),
    Message(0x02, "login_ack", "登录认证应答", DOWN, (_PILE, u8("result", values={0: "ok", 1: "failed"}))),
    Message(
        0x03, "heartbeat", "充电桩心跳包", UP, (_PILE, _GUN, u8("gun_fault", values={0: "normal", 1: "fault"})), 0x04
    ),
    Message(0x04, "heartbeat_ack", "心跳包应答", DOWN, (_PILE, _GUN, u8("reserved"))),
    Message(0x05, "tariff_check", "计费模型验证请求", UP, (_PILE, bcd("model_no", 2)), 0x06),
    Message(
        0x06,
        "tariff_check_ack",
        "计费模型验证请求应答",
        DOWN,
        (_PILE, bcd("model_no", 2), u8("result", values={0: "same", 1: "different"})),
    ),
    Message(0x09, "tariff_request", "充电桩计费模型请求", UP, (_PILE,), 0x0A),
    Message(0x0A, "tariff_reply", "计费模型请求应答", DOWN, _TARIFF),
    Message(0x12, "read_realtime", "读取实时监测数据", DOWN, (_PILE, _GUN), 0x13),
    Message(0x13, "realtime", "上传实时监测数据", UP, _REALTIME),
    Message(0x15, "bms_handshake", "充电握手", UP, _BMS_HANDSHAKE),
    Message(0x17, "bms_params", "参数配置", UP, _BMS_PARAMS),
    Message(0x19, "charge_end", "充电结束", UP, _CHARGE_END),
    Message(0x1B, "bms_error", "错误报文", UP, (*_SESSION, raw("error_bits", 8))),
    Message(0x1D, "bms_abort", "充电阶段BMS中止", UP, _ABORT),
    Message(0x21, "charger_abort", "充电阶段充电机中止", UP, _ABORT),
    Message(0x23, "bms_demand", "充电过程BMS需求与充电机输出", UP, _BMS_DEMAND),
    Message(0x25, "bms_info", "充电过程BMS信息", UP, _BMS_INFO),
    Message(0x31, "start_request", "充电桩主动申请启动充电", UP, _START_REQUEST, 0x32),
    Message(0x32, "start_reply", "运营平台确认启动充电", DOWN, _START_REPLY),
    Message(
        0x33,
        "remote_start_reply",
        "远程启动充电命令回复",
        UP,
        (*_SESSION, u8("result", values=FAILED_OR_OK), u8("fail_reason", values=REMOTE_START_FAILURES)),
    ),
    Message(0x34, "remote_start", "运营平台远程控制启机", DOWN, _REMOTE_START, 0x33),
    Message(
        0x35,
        "remote_stop_reply",
        "远程停机命令回复",
        UP,
        (_PILE, _GUN, u8("result", values=FAILED_OR_OK), u8("fail_reason", values=REMOTE_STOP_FAILURES)),
    ),
    Message(0x36, "remote_stop", "运营平台远程停机", DOWN, (_PILE, _GUN), 0x35),
    Message(0x3B, "record", "交易记录", UP, _RECORD, 0x40),
    Message(0x40, "record_ack", "交易记录确认", DOWN, (_TRADE, u8("result", values=RECORD_RESULTS))),
    Message(0x41, "balance_reply", "余额更新应答", UP, (_PILE, _PHYSICAL_CARD, u8("result", values=BALANCE_RESULTS))),
    Message(0x42, "balance_update", "远程账户余额更新", DOWN, (_PILE, _GUN, _PHYSICAL_CARD, _BALANCE), 0x41),
    Message(0x43, "card_sync_reply", "离线卡数据同步应答", UP, (*_PILE_RESULT, u8("fail_reason", values=CARD_STORAGE))),
    Message(0x44, "card_sync", "离线卡数据同步", DOWN, _PILE_COUNT, 0x43, _CARD_PAIR, "count"),
    Message(0x45, "card_clear_reply", "离线卡数据清除应答", UP, (_PILE,), None, _CARD_CLEARED),
    Message(0x46, "card_clear", "离线卡数据清除", DOWN, _PILE_COUNT, 0x45, (_PHYSICAL_CARD,), "count"),
    Message(0x47, "card_query_reply", "离线卡数据查询应答", UP, (_PILE,), None, _CARD_EXISTS),
    Message(0x48, "card_query", "离线卡数据查询", DOWN, _PILE_COUNT, 0x47, (_PHYSICAL_CARD,), "count"),
    Message(0x51, "work_params_reply", "充电桩工作参数设置应答", UP, _PILE_RESULT),
    Message(
        0x52,
        "work_params",
        "充电桩工作参数设置",
        DOWN,
        (_PILE, u8("disabled", values={0: "may work", 1: "locked"}), u8("max_power_pct", unit="%")),
        0x51,
    ),
    Message(0x55, "time_sync_reply", "对时设置应答", UP, (_PILE, time("time"))),
    Message(0x56, "time_sync", "对时设置", DOWN, (_PILE, time("time")), 0x55),
    Message(0x57, "tariff_set_reply", "计费模型应答", UP, _PILE_RESULT),
    Message(0x58, "tariff_set", "计费模型设置", DOWN, _TARIFF, 0x57),
    Message(0x61, "lock_state", "地锁数据上送", UP, _LOCK_STATE),
    Message(
        0x62,
        "lock_control",
        "遥控地锁升锁与降锁命令",
        DOWN,
        (_PILE, _PLAIN_GUN, u8("action", values=LOCK_ACTIONS), raw("reserved", 4)),
        0x63,
    ),
    Message(
        0x63,
        "lock_control_reply",
        "充电桩返回数据",
        UP,
        (_PILE, _PLAIN_GUN, u8("result", values={0: "refused", 1: "accepted"}), raw("reserved", 4)),
    ),
    Message(0x91, "reboot_reply", "远程重启应答", UP, _PILE_RESULT),
    Message(0x92, "reboot", "远程重启", DOWN, (_PILE, u8("when", values=WHEN)), 0x91),
    Message(0x93, "update_reply", "远程更新应答", UP, (_PILE, u8("result", values=UPDATE_RESULTS))),
    Message(0x94, "update", "远程更新", DOWN, _UPDATE, 0x93),
    Message(
        0xA1,
        "parallel_start_request",
        "充电桩主动申请并充充电",
        UP,
        (*_START_REQUEST, _GUN_ROLE, _PARALLEL_NO),
        0xA2,
        since=_V16,
    ),
    Message(0xA2, "parallel_start_reply", "运营平台确认并充启动充电", DOWN, (*_START_REPLY, _PARALLEL_NO), since=_V16),
    Message(
        0xA3,
        "parallel_remote_start_reply",
        "远程并充启机命令回复",
        UP,
        (
            *_SESSION,
            u8("result", values=FAILED_OR_OK),
            u8("fail_reason", values=REMOTE_START_FAILURES),
            _GUN_ROLE,
            _PARALLEL_NO,
        ),
        since=_V16,
    ),
    Message(
        0xA4,
        "parallel_remote_start",
        "运营平台远程控制并充启机",
        DOWN,
        (*_REMOTE_START, _PARALLEL_NO),
        0xA3,
        since=_V16,
    ),
)

TABLE = MessageTable(_TABLE, "0x{:02X}".format)
"""The messages with their offsets."""

MESSAGES: dict[int, Message] = TABLE.by_type
"""Messages by their type."""

MESSAGES_BY_NAME: dict[str, Message] = TABLE.by_name
"""Messages by their name in ykc.md."""


def message_name(frame_type: int) -> str | None:
    """The name of a message type, None when the protocol has none of that type."""
    message = MESSAGES.get(frame_type)
    return None if message is None else message.name
