"""The course of a session in numbers: support's "five steps to a meal, and this charger eats 1, 3, 4, 5"."""

from collections.abc import Mapping, Sequence

from core.conformance.steps import Deviation, StepSeen


def order_text(numbers: Mapping[str, int], seen: Mapping[str, StepSeen], deviations: Sequence[Deviation]) -> str:
    """The numbers of the steps as they came. Where the order is kept, steps that may change places stand by number.

    `seen` holds the first one of each step. A step that was repeated against the rules is written as often as it came.
    """
    times = {deviation.step: deviation.times for deviation in deviations if deviation.kind == "repeated"}
    mixed = any(deviation.kind == "out_of_order" for deviation in deviations)
    names = [name for name in numbers if name in seen]
    if mixed:
        names.sort(key=lambda name: seen[name])
    return " ".join(str(numbers[name]) for name in names for _time in range(times.get(name, 1)))


def pattern_text(numbers: Mapping[str, int], conflicts: Mapping[str, set[str]], deviations: Sequence[Deviation]) -> str:
    """What is wrong with the order, as requirement B11 writes it: SKIP(2) SWAP(2,3) REPEAT(2x3)."""
    words = []
    for deviation in sorted(deviations, key=lambda one: numbers.get(one.step, 0)):
        number = numbers.get(deviation.step)
        if number is None:
            continue
        if deviation.kind in ("missing", "never_answered"):
            words.append(f"SKIP({number})")
        elif deviation.kind == "repeated":
            words.append(f"REPEAT({number}x{deviation.times})")
        elif deviation.kind == "out_of_order":
            swapped = {number, *(numbers[name] for name in conflicts.get(deviation.step, ()) if name in numbers)}
            words.append(f"SWAP({','.join(map(str, sorted(swapped)))})")
    return " ".join(words)
