from core.meter.profile import MeterProfile

class TrustedLine:
    quantum: int
    has_reference: bool
    reference_ms: int
    reference_value: int
    baseline_ms: int
    baseline_value: int
    step_from_ms: int
    count: int
    accepted_e4kwh: int
    overcounted_e4kwh: int
    forgiven: int
    segments: int
    unsure_low_e4kwh: int
    unsure_high_e4kwh: int
    rested_e4kwh: int
    unexplained_e4kwh: int
    frozen_e4kwh: int
    frozen_high_e4kwh: int
    flags: int
    begin_flags: int
    reading_flags: int
    earlier_flags: int
    earlier_index: int
    def __init__(self, profile: MeterProfile) -> None: ...
