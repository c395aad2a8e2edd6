"""What the numbers in YKC's fields mean (ykc.md sections 4, 4.1 and 4.2)."""

FAILED_OR_OK = {0: "failed", 1: "ok"}
GRANTED = {0: "refused", 1: "granted"}
NO_YES = {0: "no", 1: "yes"}
REQUEST_MODES = {1: "card", 2: "account and password", 3: "VIN"}
RECORD_MODES = {1: "app", 2: "card online", 4: "offline card", 5: "VIN"}
GUN_ROLES = {0: "main", 1: "auxiliary"}
WHEN = {1: "now", 2: "when idle"}
CHARGER_STATES = {0: "offline", 1: "fault", 2: "idle", 3: "charging"}
GUN_HOME = {0: "no", 1: "yes", 2: "unknown"}
RECORD_RESULTS = {0: "stored", 1: "invalid bill"}
CARD_FORMAT = {0: "ok", 1: "bad card format"}
CARD_STORAGE = {1: "bad card format", 2: "storage full"}
BALANCE_RESULTS = {0: "ok", 1: "wrong pile id", 2: "wrong card"}
UPDATE_RESULTS = {0: "ok", 1: "wrong pile id", 2: "wrong model", 3: "download timed out"}
NETWORK_TYPES = {0: "SIM", 1: "LAN", 2: "WAN", 3: "other"}
MOBILE_OPERATORS = {0: "China Mobile", 2: "Telecom", 3: "Unicom", 4: "other"}
LOCK_STATES = {0x00: "not in position", 0x55: "raised", 0xFF: "lowered"}
SPACE_STATES = {0x00: "free", 0xFF: "occupied"}
LOCK_ALARMS = {0x00: "none", 0xFF: "arm broken while standing by", 0x55: "arm move failed"}
LOCK_ACTIONS = {0x55: "raise", 0xFF: "lower"}
BATTERY_TYPES = {
    1: "lead acid",
    2: "NiMH",
    3: "LFP",
    4: "LMO",
    5: "LCO",
    6: "NCM/NCA",
    7: "LiPo",
    8: "LTO",
    0xFF: "other",
}
START_REFUSALS = {
    1: "no such account",
    2: "frozen",
    3: "balance too low",
    4: "card has an unsettled record",
    5: "pile disabled",
    6: "account not allowed on this pile",
    7: "wrong password",
    8: "station capacity exhausted",
    9: "VIN unknown",
    0x0A: "pile has an unsettled record",
    0x0B: "card start unsupported",
}
REMOTE_START_FAILURES = {
    0: "none",
    1: "wrong pile id",
    2: "gun already charging",
    3: "device fault",
    4: "device offline",
    5: "gun not plugged",
}
REMOTE_STOP_FAILURES = {0: "none", 1: "wrong pile id", 2: "gun not charging", 3: "other"}

_FAULTS_AT_START = (
    "control system",
    "pilot lost",
    "breaker",
    "meter link",
    "balance",
    "module",
    "emergency stop",
    "surge arrester",
    "BMS not ready",
    "temperature",
    "battery reversed",
    "electronic lock",
    "closing failed",
    "insulation",
    "reserved",
    "BHM timeout",
    "BRM timeout",
    "BCP timeout",
    "BRO(AA) timeout",
    "BCS timeout",
    "BCL timeout",
    "BSM timeout",
    "battery voltage present in BHM phase",
    "battery voltage differs more than 5 % from BCP",
    "BRO went AA to 00 in precharge",
    "host configuration timeout",
    "charger not ready",
)
_FAULTS_WHILE_CHARGING = (
    "locked out",
    "pilot lost",
    "breaker",
    "meter link",
    "balance",
    "AC protection",
    "DC protection",
    "module",
    "emergency stop",
    "surge arrester",
    "temperature",
    "output abnormal",
    "no current",
    "electronic lock",
    "reserved",
    "total voltage",
    "total current",
    "cell voltage",
    "pack over-temperature",
    "highest cell voltage",
    "highest pack over-temperature",
    "BMV cell voltage",
    "BMT over-temperature",
    "battery state",
    "vehicle forbids charging",
    "pile lost power",
    "BCS timeout",
    "BCL timeout",
    "BSM timeout",
    "BST timeout",
    "BSD timeout",
    "CCS timeout",
)
STOP_REASONS = {
    0x00: "none given",
    0x40: "stopped by app",
    0x41: "SOC 100 %",
    0x42: "energy limit",
    0x43: "money limit",
    0x44: "time limit",
    0x45: "stopped by hand",
    **{0x4A + i: f"start failed: {fault}" for i, fault in enumerate(_FAULTS_AT_START)},
    **{0x6A + i: f"aborted: {fault}" for i, fault in enumerate(_FAULTS_WHILE_CHARGING)},
    0x90: "unknown",
    0x91: "CP fault",
    0x92: "ground fault",
    0x93: "relay stuck",
    0x94: "leakage self-test",
    0x95: "diode check",
}
"""Names of the reserved codes are left out; 0x91-0x95 are those of the YLC variant."""
