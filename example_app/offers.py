"""What Lumo sells: plans and one-off costs. Their names and descriptions are in the texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FibrePlan:
    """A fibre plan; `id` names its texts."""

    id: str
    speed_mbit: int
    price_cents: int
    is_popular: bool = False


@dataclass(frozen=True, slots=True)
class MobilePlan:
    """A mobile plan; `data_gb` None = unlimited."""

    id: str
    data_gb: int | None
    price_cents: int
    is_popular: bool = False


@dataclass(frozen=True, slots=True)
class Fee:
    """A cost paid once; 0 cents = free."""

    id: str
    price_cents: int


FIBRE: Final = (
    FibrePlan("fibre_100", 100, 1490),
    FibrePlan("fibre_500", 500, 1990, is_popular=True),
    FibrePlan("fibre_1000", 1000, 2490),
)
MOBILE: Final = (
    MobilePlan("mobile_10", 10, 990),
    MobilePlan("mobile_40", 40, 1490, is_popular=True),
    MobilePlan("mobile_max", None, 2190),
)
FEES: Final = (Fee("connection", 0), Fee("house", 9900), Fee("router", 4900), Fee("sim", 0))
