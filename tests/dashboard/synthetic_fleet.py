"""A small fleet with a day of charges, written straight into the tables: what the pages are built and tested against.

Everything follows from `seed` and `now_ms`. Each charge is of one `Story`, so that every kind of trouble the pages
explain occurs at least once. The figures are plausible and consistent with each other, but made by a plain integer
simulation of its own, not by the product's calculator or biller.
"""

import datetime
import random
from collections import defaultdict
from typing import Any

import msgspec
from clickhouse_driver import Client

from tests.dashboard.synthetic_master import (
    BEIJING,
    CLASS_PRICES,
    DAY,
    HOUR,
    MINUTE,
    PILES_PER_STATION,
    SLOT,
    SLOT_CLASSES,
    STATIONS,
    fill_master,
    insert,
    operator_of,
    pile_code,
    station_of,
)
from tests.dashboard.synthetic_verdicts import CLEAN, FACTS

STORIES = (
    ["clean"] * 22
    + ["late_start", "spike", "zero_mid", "gap", "lost_bill", "bill_x1000", "zero_bill", "clock", "occupancy", "failed"]
    + ["rollback", "occupancy", "late_start", "card"]
)
METER_PROFILE = 0x1A2B3C4D5E6F7081  # learned of the meter that measured the charge with the record of a thousand times
FAULTY_PILE, TARGET_VIN = 9, "LZYTAGBW8K1038271"
OFFLINE_PILE = 17  # nothing heard for a while
CLOSED_PILE = 30  # heard until a moment ago, then its connection was closed
AWAY = (OFFLINE_PILE, CLOSED_PILE)


class Story(msgspec.Struct):
    """One charge as it truly was."""

    name: str
    pile_id: int
    connector: int
    trade_no: str
    start_ms: int
    end_ms: int
    power_w: int
    readings: list[dict[str, Any]]
    true_e4kwh: int


def record_no(story: Story) -> str:
    """The number under which the charger sent the record of that charge: one has lost the platform's."""
    return f"{story.trade_no[:-4]}9999" if story.name == "card" else story.trade_no


class SyntheticFleet(msgspec.Struct):
    """What was written: the charges by story and the moment that counts as now."""

    now_ms: int
    stories: list[Story]

    def of(self, name: str) -> Story:
        """The first finished charge of that story."""
        return next(story for story in self.stories if story.name == name)


def fill(client: Client, now_ms: int, *, seed: int = 7, hours: int = 26) -> SyntheticFleet:
    """Fill an empty database with the fleet and its last `hours`, `now_ms` being now."""
    chance = random.Random(seed)
    fill_master(client, now_ms)
    writer = _Writer(now_ms, chance)
    count = 0
    for pile_id in range(1, len(STATIONS) * PILES_PER_STATION + 1):
        if pile_id == FAULTY_PILE:
            writer.idle(pile_id, 1, state=1)
            writer.idle(pile_id, 2, state=2)
            continue
        for connector in (1, 2):
            clock = now_ms - hours * HOUR + chance.randrange(3 * HOUR)
            while clock < now_ms - 2 * MINUTE:
                running_room = now_ms - clock
                story = STORIES[count % len(STORIES)]
                count += 1
                length = chance.randrange(18, 62) * MINUTE if story != "failed" else 10_000
                if length > running_room:
                    story = "running"
                clock = writer.charge(story, pile_id, connector, clock, length)
                clock += chance.randrange(20, 340) * MINUTE
            writer.idle(pile_id, connector, state=2)
    writer.flush(client)
    return SyntheticFleet(now_ms=now_ms, stories=writer.stories)


class _Writer:
    """Collects the rows of all tables."""

    def __init__(self, now_ms: int, chance: random.Random) -> None:
        self.now_ms = now_ms
        self.chance = chance
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.stories: list[Story] = []
        self.offset = 0

    def flush(self, client: Client) -> None:
        minute = self.now_ms // MINUTE * MINUTE
        for pile_id in range(1, len(STATIONS) * PILES_PER_STATION + 1):
            quiet = 25 * MINUTE if pile_id == OFFLINE_PILE else 0
            for back in range(12):
                last = self.now_ms - quiet - back * MINUTE - 3_000
                self._add(
                    "presence",
                    pile_id,
                    connection_id=pile_id,
                    first_ms=minute - quiet - back * MINUTE,
                    last_ms=last,
                    frames=9,
                    heartbeats=6,
                    bytes=400,
                )
        for pile_id, ago in ((OFFLINE_PILE, 24 * MINUTE), (CLOSED_PILE, 2_000)):
            self._add(
                "connection_events",
                pile_id,
                connection_id=pile_id,
                event_ms=self.now_ms - ago,
                event="closed",
                detail="idle",
                peer="10.20.1.17:51422",
                pile=pile_code(pile_id),
                bytes_in=812_331,
                frames_in=9_921,
                quarantined_bytes=0,
            )
        self._add(
            "connection_events",
            0,
            connection_id=999,
            event_ms=self.now_ms - 71 * MINUTE,
            event="login_refused",
            detail="unknown_pile",
            peer="10.20.9.9:40112",
            pile="32010699000001",
            bytes_in=34,
            frames_in=1,
            quarantined_bytes=0,
        )
        for table, rows in self.rows.items():
            insert(client, table, rows)

    def _add(self, table: str, pile_id: int, **values: Any) -> None:
        self.offset += 100
        self.rows[table].append(
            {
                "operator_id": operator_of(pile_id) if pile_id else 1,
                "pile_id": pile_id,
                **values,
                "segment_id": 1,
                "segment_offset": self.offset,
            }
        )

    def _reading(self, pile_id: int, connector: int, ms: int, **values: Any) -> dict[str, Any]:
        row = {
            "connector": connector,
            "event_ms": ms,
            "receive_ms": ms,
            "stored": 0,
            "trade_hi": 0,
            "trade_lo": 0,
            "frame_pile": int(pile_code(pile_id), 16),
            "gun_bcd": connector,
            "protocol": "ykc",
            "seq": (ms // 15_000) % 65_536,
            "checksum_order": "le",
            "state": 2,
            "gun_home": 1,
            "plugged": 0,
            "voltage_dv": 0,
            "current_da": 0,
            "soc": 0,
            "charge_minutes": 0,
            "energy_e4kwh": 0,
            "amount_e4yuan": 0,
            "fault_bits": 0,
            "connection_id": pile_id,
            "exact": 1,
            "live_accepted_e4kwh": 0,
            "live_amount_fen": 0,
            "live_flags": 0,
        } | values
        self._add("readings", pile_id, **row)
        return row

    def idle(self, pile_id: int, connector: int, *, state: int) -> None:
        """The last idle reading of a connector, unless its last charge still stands."""
        running = any(s.pile_id == pile_id and s.connector == connector and s.name == "running" for s in self.stories)
        if not running and pile_id != OFFLINE_PILE:
            plugged = int(state == 2 and (pile_id * 2 + connector) % 9 == 0)
            bits = 1 << 7 if state == 1 else 0
            self._reading(
                pile_id,
                connector,
                self.now_ms - 2 * MINUTE - pile_id * 1000,
                state=state,
                plugged=plugged,
                fault_bits=bits,
            )
        if state == 1:
            self._event(pile_id, connector, self.now_ms - 43 * MINUTE, "fault", "", "")

    def _event(self, pile_id: int, connector: int, ms: int, event: str, trade_no: str, detail: str) -> None:
        self._add(
            "connector_events",
            pile_id,
            connector=connector,
            event_ms=ms,
            event=event,
            state=3,
            plugged=1,
            trade_no=trade_no,
            detail=detail,
        )

    def charge(self, name: str, pile_id: int, connector: int, start_ms: int, length: int) -> int:
        """Write one charge of story `name`; gives its end."""
        end_ms = min(start_ms + length, self.now_ms - 1_000)
        trade_no = f"{pile_code(pile_id)}{connector:02d}{_stamp(start_ms)}{len(self.stories) % 10_000:04d}"
        power_w = self.chance.randrange(42, 110) * 1000
        story = Story(name, pile_id, connector, trade_no, start_ms, end_ms, power_w, [], 0)
        hi, lo = int(trade_no[:16], 16), int(trade_no[16:], 16)
        reported_from = start_ms + (3 * MINUTE if name == "late_start" else 0)
        gap = (start_ms + length // 2, start_ms + length // 2 + 422_000) if name == "gap" else (0, 0)
        energy, dropped = 0, 0
        ms = start_ms + 5_000
        while ms <= end_ms:
            progress = (ms - start_ms) / length
            watts = int(power_w * (1 if progress < 0.7 else max(0.22, 1 - (progress - 0.7) * 2.4)))
            watts += self.chance.randrange(-600, 600) if name != "failed" else -watts
            energy += watts * 15 // 360
            index = len(story.readings)
            shown = energy - dropped
            if name == "zero_mid" and index in (31, 32, 58):
                shown = 0
            if name == "spike" and index == 44:
                shown += 500_000_000
            if name == "rollback" and index == 50:
                dropped = energy
                shown = 0
            if ms >= reported_from and not gap[0] < ms < gap[1]:
                story.readings.append(
                    self._reading(
                        pile_id,
                        connector,
                        ms,
                        trade_hi=hi,
                        trade_lo=lo,
                        state=3,
                        plugged=1,
                        voltage_dv=6_200 + int(progress * 500),
                        current_da=watts * 100 // (6_200 + int(progress * 500)),
                        soc=min(99, 22 + int(progress * 70)),
                        charge_minutes=(ms - start_ms) // MINUTE,
                        energy_e4kwh=shown,
                        live_accepted_e4kwh=energy,
                        live_amount_fen=energy * 120 // 10_000,
                        live_flags=0,
                    )
                )
            ms += 15_000
        story.true_e4kwh = energy
        self.stories.append(story)
        self._around(story)
        self._decided(story)
        return end_ms

    def _around(self, story: Story) -> None:
        """The order, the plug, the states and the connection of a charge."""
        p, c, t = story.pile_id, story.connector, story.trade_no
        self._event(p, c, story.start_ms - 70_000, "plugged", "", "")
        if story.name != "card":
            self._add(
                "commands",
                p,
                connector=c,
                command="remote_start",
                trade_no=t,
                sent_ms=story.start_ms - 4_000,
                answered_ms=story.start_ms - 3_400,
                outcome="ok",
                detail="",
                request="",
                reply="",
            )
        self._event(p, c, story.start_ms, "started", t, "")
        self._event(p, c, story.start_ms + 5_000, "charging", t, "")
        if story.name == "running":
            return
        self._event(p, c, story.end_ms, "stopped", t, "")
        stay = 51 * MINUTE if story.name == "occupancy" else 2 * MINUTE
        if story.end_ms + stay < self.now_ms:
            self._event(p, c, story.end_ms + stay, "unplugged", "", "")
        if story.name == "gap":
            middle = story.start_ms + (story.end_ms - story.start_ms) // 2
            for event, ms, detail in (("closed", middle + 30_000, "idle"), ("login", middle + 415_000, "")):
                self._add(
                    "connection_events",
                    p,
                    connection_id=p + 500,
                    event_ms=ms,
                    event=event,
                    detail=detail,
                    peer="10.20.1.4:50120",
                    pile=pile_code(p),
                    bytes_in=1000,
                    frames_in=20,
                    quarantined_bytes=0,
                )

    def _overlaps(self, story: Story) -> list[tuple[int, int, str, int, str]]:
        """The charge with the record of a thousand times lies in the time of two others of its vehicle."""
        if story.name != "bill_x1000":
            return []
        others = [one for one in self.stories if one.name in ("clean", "gap")][:2]
        return [
            (one.pile_id, one.connector, one.trade_no, 7 * MINUTE + number, ("vin", "dual_gun")[number])
            for number, one in enumerate(others)
        ]

    def _decided(self, story: Story) -> None:
        """The pile's record, the session, its codes and its bill."""
        facts = FACTS.get(story.name, CLEAN)
        has_bill = facts["bill"] is not None and story.name != "running"
        billed = facts["bill"](story.true_e4kwh) if has_bill else 0
        shift = 10 * MINUTE if story.name == "clock" else 0
        if has_bill:
            self._add(
                "pile_bill_uploads",
                story.pile_id,
                connector=story.connector,
                trade_no=record_no(story),
                receive_ms=story.end_ms + 2_000,
                start_ms=story.start_ms + shift,
                end_ms=story.end_ms + shift,
                trade_time_ms=story.end_ms + shift,
                class_price_e5yuan=[158_000, 142_000, 116_000, 73_000],
                class_energy_e4kwh=[0, 0, billed, 0],
                class_loss_energy_e4kwh=[0, 0, 0, 0],
                class_amount_e4yuan=[0, 0, billed * 116 // 100, 0],
                meter_start_e4kwh=1_834_000_000,
                meter_end_e4kwh=1_834_000_000 + billed,
                energy_e4kwh=billed,
                loss_energy_e4kwh=billed,
                amount_e4yuan=billed * 116 // 100,
                vin=TARGET_VIN if story.connector == 1 else "",
                start_mode=2 if story.name == "card" else 1,
                stop_reason=0x41 if story.name != "failed" else 0x5A,
                physical_card="00000000D14B0A54" if story.name == "card" else "0000000000000000",
                content_digest=story.start_ms,
                connection_id=story.pile_id,
            )
            self._add(
                "frames",
                story.pile_id,
                connection_id=story.pile_id,
                receive_ms=story.end_ms + 2_000,
                direction="up",
                protocol="ykc",
                verdict="ok",
                frame_type=0x3B,
                seq=512,
                connector=story.connector,
                trade_no=record_no(story),
                bytes=bytes.fromhex("68A20002003B" + record_no(story) + "00" * 142 + "FFFF"),
            )
        final = facts["final"](story.true_e4kwh)
        tail = 20_000 * (story.power_w // 1000) // 36 if story.name == "lost_bill" else 2
        slots = _slots(story, final)
        session = {
            "station_id": station_of(story.pile_id),
            "pile": pile_code(story.pile_id),
            "connector": story.connector,
            "trade_no": story.trade_no,
            "revision": 1,
            "inputs_digest": story.start_ms,
            "batch_id": 1,
            "computed_ms": story.end_ms + 3_000,
            "rule_version": 1,
            "life": "open" if story.name == "running" else facts["life"],
            "zone": "Asia/Shanghai",
            "local_day": _local_day(story.end_ms),
            "start_ms": story.start_ms,
            "end_ms": story.end_ms,
            "end_low_ms": story.end_ms,
            "end_high_ms": story.end_ms,
            "readings": len(story.readings),
            "charging_readings": len(story.readings),
            "start_command_ms": 0 if story.name == "card" else story.start_ms - 4_000,
            "start_acked": int(story.name != "card"),
            "order_created_ms": story.start_ms - 4_000,
            "naive_energy_e4kwh": _naive(story),
            "naive_span_ms": story.end_ms - story.start_ms,
            "best_e4kwh": story.true_e4kwh,
            "low_e4kwh": max(0, story.true_e4kwh - 2),
            "high_e4kwh": story.true_e4kwh + tail,
            "quality": facts["quality"],
            "flags": facts["flags"],
            "counter_energy_e4kwh": story.true_e4kwh,
            "counter_last_ms": story.end_ms,
            "power_energy_e4kwh": story.true_e4kwh * 1003 // 1000,
            "quantum_e4kwh": 1,
            "pmax_w": 132_000,
            "longest_gap_ms": 422_000 if story.name == "gap" else 15_000,
            "register_kind": "session",
            "quantum_source": "configured",
            "pmax_source": "learned" if story.name == "bill_x1000" else "configured",
            "register_source": "configured",
            "meter_profile_id": METER_PROFILE if story.name == "bill_x1000" else 0,
            "overlaps": self._overlaps(story),
            "bill_number": record_no(story) if record_no(story) != story.trade_no else "",
            "bill_state": facts["bill_state"] if story.name != "running" else "waiting",
            "has_bill": int(has_bill),
            "different_bills": 0,
            "bill_receive_ms": story.end_ms + 2_000 if has_bill else 0,
            "bill_start_ms": story.start_ms + shift if has_bill else 0,
            "bill_end_ms": story.end_ms + shift if has_bill else 0,
            "bill_energy_e4kwh": billed,
            "bill_amount_e4yuan": billed * 116 // 100,
            "bill_class_energy_e4kwh": [0, 0, billed, 0],
            "bill_meter_start_e4kwh": 1_834_000_000 if has_bill else 0,
            "bill_meter_end_e4kwh": 1_834_000_000 + billed if has_bill else 0,
            "bill_stop_reason": 0x41 if has_bill else 0,
            "start_mode": (2 if story.name == "card" else 1) if has_bill else 0,
            "vin": TARGET_VIN if has_bill and story.connector == 1 else "",
            "physical_card": "00000000D14B0A54" if story.name == "card" else "",
            "final_rule": 0 if story.name == "running" else facts["rule"],
            "final_energy_e4kwh": None if story.name == "running" else final,
            "final_quality": facts["quality"],
            "inside_physical_limit": 1,
            "slot_start_ms": [s[0] for s in slots],
            "slot_of_day": [s[1] for s in slots],
            "slot_energy_e4kwh": [s[2] for s in slots],
            "slot_tariff_version": [1 for _ in slots],
            "slot_method": "bill_classes" if facts["rule"] == 1 else "measured",
            "tariff_stale": 0,
        }
        if story.name == "running":
            session |= _as_of_first_reading(story)
        self._plain("session_revisions", story.pile_id, session)
        if session["meter_profile_id"]:
            self.rows["meter_profiles"].append(_learned_meter(story))
        if story.name != "running":
            self._codes_and_bill(story, facts, billed if has_bill else None, final, slots)

    def _plain(self, table: str, pile_id: int, row: dict[str, Any]) -> None:
        self.rows[table].append({"operator_id": operator_of(pile_id), "pile_id": pile_id, **row})

    def _codes_and_bill(
        self, story: Story, facts: dict[str, Any], billed: int | None, final: int, slots: list[tuple[int, int, int]]
    ) -> None:
        key = {"connector": story.connector, "trade_no": story.trade_no, "revision": 1, "inputs_digest": story.start_ms}
        codes = {"codes_raw": facts["raw"], "codes": facts["codes"], "causes": facts["causes"]}
        observed = billed if billed is not None else 0
        hits = [(c, "raw", facts["reason"], "", observed, _naive(story), "e4kwh") for c in facts["raw"]]
        hits += [(c, "corrected", facts["reason"], "", observed, story.true_e4kwh, "e4kwh") for c in facts["codes"]]
        self._plain("session_codes", story.pile_id, {**key, "batch_id": 1, **codes, "hits": hits})
        classes = [SLOT_CLASSES[slot] for _ms, slot, _e in slots]
        electricity = [_fee(e, CLASS_PRICES[0][k]) for (_ms, _slot, e), k in zip(slots, classes, strict=True)]
        service = [_fee(e, CLASS_PRICES[1][k]) for (_ms, _slot, e), k in zip(slots, classes, strict=True)]
        amount = (sum(electricity) + sum(service) + 500) // 1000
        electricity_fen = (sum(electricity) + 500) // 1000
        by_class = [sum(e for (_m, _s, e), k in zip(slots, classes, strict=True) if k == c) for c in range(4)]
        bill = {
            "station_id": station_of(story.pile_id),
            "pile": pile_code(story.pile_id),
            **key,
            "batch_id": 1,
            "computed_ms": story.end_ms + 3_000,
            "status": "provisional" if story.name == "lost_bill" else "final",
            "local_day": _local_day(story.end_ms),
            "start_ms": story.start_ms,
            "end_ms": story.end_ms,
            "pile_energy_e4kwh": billed,
            "platform_energy_e4kwh": story.true_e4kwh,
            "low_e4kwh": story.true_e4kwh - 2,
            "high_e4kwh": story.true_e4kwh + 2,
            "quality": facts["quality"],
            "final_rule": facts["rule"],
            "final_energy_e4kwh": final,
            "slot_of_day": [s[1] for s in slots],
            "slot_energy_e4kwh": [s[2] for s in slots],
            "slot_class": classes,
            "slot_electricity_e5yuan": electricity,
            "slot_service_e5yuan": service,
            "class_energy_e4kwh": by_class,
            "electricity_e5yuan": sum(electricity),
            "service_e5yuan": sum(service),
            "amount_fen": amount,
            "electricity_fen": electricity_fen,
            "service_fen": amount - electricity_fen,
            "pile_amount_e4yuan": billed * 116 // 100 if billed is not None else None,
            "tariff_stale": 0,
            "held": facts["held"],
            **codes,
            "vin": TARGET_VIN if billed is not None and story.connector == 1 else "",
            "start_mode": 1,
        }
        if story.name == "zero_bill":
            earlier = bill | {"status": "provisional", "computed_ms": story.end_ms + 900, "inputs_digest": 5}
            self._plain("bill_revisions", story.pile_id, earlier)
            bill |= {"revision": 2}
        self._plain("bill_revisions", story.pile_id, bill)


def _learned_meter(story: Story) -> dict[str, Any]:
    """What was learned of the meter of that charge."""
    return {
        "profile_id": METER_PROFILE,
        "pile_id": story.pile_id,
        "connector": story.connector,
        "valid_from_ms": story.start_ms - HOUR,
        "learned_from_day": _local_day(story.start_ms - 90 * DAY),
        "learned_to_day": _local_day(story.start_ms - DAY),
        "pmax_w": 132_000,
        "sessions": 412,
        "differences": 40_960,
        "reasons": ["pmax: 132.0 kW, the 99.9th percentile of 40960 readings"],
        "computed_ms": story.start_ms - HOUR,
    }


def _as_of_first_reading(story: Story) -> dict[str, Any]:
    """A charge under way has one revision, made with its first reading; it stands still until the charge ends."""
    first_ms, first_e4kwh = story.start_ms + 5_000, story.readings[0]["energy_e4kwh"] if story.readings else 0
    return {
        "end_ms": first_ms,
        "end_low_ms": first_ms,
        "end_high_ms": first_ms,
        "readings": 1,
        "charging_readings": 1,
        "naive_energy_e4kwh": 0,
        "naive_span_ms": 0,
        "best_e4kwh": 0,
        "low_e4kwh": 0,
        "high_e4kwh": 66,
        "quality": "ESTIMATED",
        "flags": ["TAIL_GAP"],
        "counter_energy_e4kwh": first_e4kwh,
        "counter_last_ms": first_ms,
        "power_energy_e4kwh": 0,
        "slot_start_ms": [],
        "slot_of_day": [],
        "slot_energy_e4kwh": [],
        "slot_tariff_version": [],
        "slot_method": "none",
    }


def _naive(story: Story) -> int:
    return story.readings[-1]["energy_e4kwh"] - story.readings[0]["energy_e4kwh"] if story.readings else 0


def _fee(energy_e4kwh: int, price_e5yuan: int) -> int:
    return (energy_e4kwh * price_e5yuan + 5000) // 10_000


def _stamp(ms: int) -> str:
    moment = datetime.datetime.fromtimestamp((ms + BEIJING) / 1000, tz=datetime.UTC)
    return moment.strftime("%y%m%d%H%M%S")


def _local_day(ms: int) -> Any:
    return datetime.datetime.fromtimestamp((ms + BEIJING) / 1000, tz=datetime.UTC).date()


def _slots(story: Story, final: int) -> list[tuple[int, int, int]]:
    """Half-hours from start to end with the energy of each; the last takes what rounding left."""
    first, last = (story.start_ms + BEIJING) // SLOT, (story.end_ms + BEIJING) // SLOT
    span = max(1, story.end_ms - story.start_ms)
    slots, left = [], final
    for number in range(first, last + 1):
        begin, end = number * SLOT - BEIJING, (number + 1) * SLOT - BEIJING
        share = final * max(0, min(end, story.end_ms) - max(begin, story.start_ms)) // span
        energy = left if number == last else share
        left -= energy
        slots.append((begin, number % 48, energy))
    return slots
