"""Figures as people read them, and figures that others published."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

WORDS = {
    "true": "true: engaged, and it was them",
    "false": "false: rejected by a reviewer, or engaged and the wrong person",
    "not_engaged": "confirmed, nobody was engaged",
    "unconfirmed": "unconfirmed: nobody decided in time, or it was stopped",
    "not_recorded": "confirmed, what came of it was not recorded",
    "open": "confirmed, outcome still asked for",
    "other": "neither known to be true nor false",
}
ELSEWHERE = (
    (
        "National Physical Laboratory, 2023: the Metropolitan Police's system",
        "TPIR 89 % at FPIR 1 in 6,000; list of 10,000, threshold 0.6 of that system",
        "searches of recruited people, in a test",
    ),
    (
        "Metropolitan Police, September 2024 to September 2025",
        "203 deployments; 3,147,436 faces seen; 2,077 candidates; 10 false (8 of them Black people); 962 arrests",
        "unit of 'faces seen' not stated",
    ),
    (
        "Essex trial, 2026",
        "about half of the seeded people identified, with a demographic gap",
        "seeded passages of recruited people; denominators not stated here",
    ),
)
"""Who and when, what, and what it was counted in. Beside a record, not under it: the units differ."""


def percent(proportion: str) -> str:
    """A proportion of a record as a percentage, with all of its figures and no exponent."""
    return format((Decimal(proportion) * 100).normalize(), "f")


def value(rate: Mapping[str, Any]) -> str:
    """The rate itself, three figures; nothing where nothing was counted."""
    if not rate["of"]:
        return "nothing counted"
    return f"{format(_figures(Decimal(rate['count']) / Decimal(rate['of']) * 100), 'f')} %"


def interval(rate: Mapping[str, Any]) -> str:
    """Where the true rate lies with 95 % confidence."""
    if not rate["of"]:
        return ""
    return f"{percent(rate['low'])} % to {percent(rate['high'])} %"


def _figures(number: Decimal, count: int = 3) -> Decimal:
    if not number:
        return Decimal(0)
    return round(number, count - 1 - number.adjusted()).normalize()


def when(moment: str | None) -> str:
    """A time of a record for people, in UTC."""
    return "not recorded" if moment is None else moment.replace("T", " ")[:16] + " UTC"


def said(word: str) -> str:
    """A word of the machine for people."""
    return word.replace("_", " ")
