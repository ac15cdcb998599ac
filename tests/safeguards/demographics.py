"""Every name under which something about people could be kept: columns, fields of the domain, keys of messages."""

import importlib
import pkgutil
from dataclasses import fields, is_dataclass
from typing import Any

from proviso import domain
from tests.safeguards.house import House

WORDS = (
    *("gender", "sex", "female", "male", "race", "racial", "ethnic", "ethnicity", "ancestry", "skin", "tone", "colour"),
    *("nationality", "religion", "faith", "birth", "age_group", "estimated_age", "demographic", "demographics"),
    *("group_of", "subgroup", "disability"),
)


def columns(house: House) -> list[str]:
    found = house.sql(
        "master",
        "SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public'",
    )
    return [row["name"] for row in found]


def fields_of_the_domain() -> list[str]:
    """`Candidate.similarity` and so on, slots of plain classes included."""
    found: list[str] = []
    for module in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and kind.__module__ == module.name:
                found += [f"{kind.__name__}.{name}" for name in _names(kind)]
    return found


def _names(kind: Any) -> list[str]:
    if is_dataclass(kind):
        return [one.name for one in fields(kind)]
    slots = getattr(kind, "__slots__", ())
    return [slots] if isinstance(slots, str) else list(slots)


def telling(names: list[str]) -> list[str]:
    """Those that have one of the words in them, as a word or a part between underscores."""
    return [name for name in names if any(f"_{word}_" in f"_{name.lower().replace('.', '_')}_" for word in WORDS)]
