"""A tariff version as YKC writes it, in 0x0A and 0x58."""

from typing import Any

from core.tariff_version import TariffVersion


def tariff_fields(pile_code: str, version: TariffVersion) -> dict[str, Any]:
    """The fields of 0x0A and 0x58: all prices and half-hours of a version."""
    fields: dict[str, Any] = {
        "pile_code": pile_code,
        "model_no": version.model_no,
        "loss_ratio": 0,
        "slot_rates": bytes(version.slot_classes),
    }
    prices = zip(
        ("sharp", "peak", "flat", "valley"),
        version.electricity_price_e5yuan,
        version.service_price_e5yuan,
        strict=True,
    )
    for name, electricity, service in prices:
        fields[f"{name}_energy_price"] = electricity
        fields[f"{name}_service_price"] = service
    return fields
