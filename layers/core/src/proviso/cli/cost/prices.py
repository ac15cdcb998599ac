"""The price file: what AWS asks for a unit, in which region, where that is from; and how it is changed by hand."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.resources import files
from math import inf, isfinite
from pathlib import Path
from typing import Any

FALLBACK = "us-east-1"
ASSUMED = "assumed"


class PricesFault(ValueError):
    """A price file, or a price given by hand, cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a price is from: the public page, what it says, and the date of that text where it has one."""

    address: str
    says: str
    dated: date | None


@dataclass(frozen=True, slots=True)
class Price:
    """One price for one region. `region` is the one that it is really of (another where this one's was not found,
    `assumed` where nobody's was, `given` by hand); `free` units a month are free for good; `checked` is False where no
    source says it."""

    key: str
    title: str
    unit: str
    amount: float
    region: str
    free: float
    checked: bool
    sources: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tier:
    """Rekognition: calls up to so many a month, each at this price."""

    up_to: float
    price: float
    region: str


@dataclass(frozen=True, slots=True)
class Prices:
    """All prices of a region."""

    region: str
    read: date
    by_key: Mapping[str, Price]
    sources: Mapping[str, Source]
    rekognition: tuple[Tier, ...]
    face_month: float

    def of(self, key: str) -> Price:
        """PricesFault where the file has no such price."""
        if key not in self.by_key:
            raise PricesFault(f"the price file has no price {key!r}")
        return self.by_key[key]

    def doubtful(self, used: Collection[str] | None = None) -> list[str]:
        """A sentence for each price that is not this region's, or that no source says; of those `used` alone, where
        that is given (Rekognition's always)."""
        found = []
        for one in self.by_key.values():
            if used is not None and one.key not in used:
                continue
            if one.region == ASSUMED:
                found.append(f"{one.key} ({one.title}): not found, ${one.amount:g} a {one.unit} assumed")
            elif one.region not in (self.region, "given"):
                found.append(f"{one.key} ({one.title}): not found for {self.region}, {one.region}'s taken")
            elif not one.checked:
                found.append(f"{one.key} ({one.title}): no source that could be read says so")
        if any(tier.region != self.region for tier in self.rekognition):
            found.append(f"Rekognition beyond its first tier: not found for {self.region}, {FALLBACK}'s taken")
        return found

    def changed(self, given: Sequence[str]) -> "Prices":
        """With prices given by hand, each `KEY=DOLLARS`. PricesFault where one cannot be read."""
        changed = dict(self.by_key)
        for text in given:
            key, found, value = text.partition("=")
            if not found or key not in changed:
                raise PricesFault(f"--price {text}: write KEY=DOLLARS with a KEY of {', '.join(sorted(changed))}")
            changed[key] = replace(
                changed[key], amount=_dollars(value, f"--price {text}"), region="given", checked=True
            )
        return replace(self, by_key=changed)


def read_prices(region: str, path: Path | None = None) -> Prices:
    """The shipped price file, or another of its form. PricesFault where it cannot be read or lacks something."""
    name = str(path) if path else "the shipped price file"
    try:
        text = path.read_text("utf-8") if path else (files(__package__) / "prices.toml").read_text("utf-8")
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PricesFault(f"{name} cannot be read: {error}") from None
    try:
        return _prices(values, region)
    except PricesFault as fault:
        raise PricesFault(f"{name}: {fault}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise PricesFault(f"{name} has not the form of prices.toml: {type(error).__name__} at {error}") from None


def _prices(values: Mapping[str, Any], region: str) -> Prices:
    if values["version"] != 1 or values["currency"] != "USD" or not isinstance(values["read"], date):
        raise PricesFault("version must be 1, currency USD and read a date")
    known = {"eu-west-2", FALLBACK} | {name for one in values["prices"].values() for name in one if "-" in name}
    if region not in known:
        raise PricesFault(f"no price of the region {region!r} is there; it has {', '.join(sorted(known))}")
    sources = {
        name: Source(str(one["address"]), str(one["says"]), one.get("dated")) for name, one in values["sources"].items()
    }
    tiers = values["rekognition"]["tiers"]
    chosen = tiers.get(region) or tiers[FALLBACK]
    return Prices(
        region=region,
        read=values["read"],
        by_key={key: _price(key, one, region, sources) for key, one in values["prices"].items()},
        sources=sources,
        rekognition=tuple(
            Tier(
                float(one.get("up_to", inf)),
                _dollars(one["price"], "rekognition"),
                str(one.get("of", region if region in tiers else FALLBACK)),
            )
            for one in chosen
        ),
        face_month=_dollars(values["rekognition"]["face_month"], "rekognition.face_month"),
    )


def _price(key: str, one: Mapping[str, Any], region: str, sources: Mapping[str, Source]) -> Price:
    found = next((name for name in (region, FALLBACK, ASSUMED) if name in one), None)
    if found is None:
        raise PricesFault(f"{key} has a price neither for {region} nor for {FALLBACK}")
    missing = [name for name in one["sources"] if name not in sources]
    if missing or not one["sources"]:
        raise PricesFault(f"{key} names no source, or one that is not there: {', '.join(missing)}")
    return Price(
        key=key,
        title=str(one["title"]),
        unit=str(one["unit"]),
        amount=_dollars(one[found], key),
        region=found,
        free=_dollars(one.get("free", 0), f"{key}.free"),
        checked=bool(one.get("checked", True)),
        sources=tuple(one["sources"]),
        note=str(one.get("note", "")),
    )


def _dollars(value: Any, what: str) -> float:
    try:
        amount = float(value)
    except (TypeError, ValueError):
        raise PricesFault(f"{what}: {value!r} is no number") from None
    if not isfinite(amount) or amount < 0 or isinstance(value, bool):
        raise PricesFault(f"{what}: {value!r} is no amount of dollars, 0 or more")
    return amount
