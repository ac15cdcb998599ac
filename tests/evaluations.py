"""Evaluations for tests, made of random numbers: what `proviso evaluate --json` writes, as far as a calibration and a
model card read it."""

import random
from collections.abc import Mapping, Sequence
from typing import Any


def curve(similarities: Sequence[Sequence[float]]) -> list[list[float]]:
    """How many of each list's strangers reach a similarity, as a mean over lists: a step wherever that changes, the
    last with nobody."""
    pooled = sorted(value for one in similarities for value in one)
    steps = range(int(pooled[-1] * 1000) + 2)
    counts = [sum(value >= step / 1000 for value in pooled) / len(similarities) for step in steps]
    return [
        [step / 1000, count] for step, count in zip(steps, counts, strict=True) if not step or count != counts[step - 1]
    ]


def row(name: str, size: int, frames: int, people: int, reached: list[list[float]], lists: int = 1) -> dict[str, Any]:
    return {
        "list": name,
        "list_size": size,
        "references_per_entry": 1,
        "frames_per_probe": frames,
        "fusion": "none",
        "people": people,
        "searches": people * lists,
        "lists": lists,
        "reached": reached,
        "remark": "",
    }


def evaluation(
    people: Mapping[str, int],
    *,
    sizes: Sequence[int] = (10, 50),
    frames: Sequence[int] = (1,),
    seed: int = 1,
    **changed: Any,
) -> dict[str, Any]:
    """`people`: how many strangers of which list, `mixed` or `column=value`. Longer lists are reached more often, and
    those of one group more often than mixed ones."""
    draw = random.Random(seed)
    rows = []
    for name, many in people.items():
        near = 0.0 if name == "mixed" else 0.06
        for size in sizes:
            for each in frames:
                centre = 0.05 + near + 0.02 * len(str(size)) + 0.005 * each
                drawn = [[min(0.95, max(0.0, draw.gauss(centre, 0.07))) for _ in range(many)] for _ in range(2)]
                rows.append(row(name, size, each, many, curve(drawn), 2))
    return {
        "format": "proviso-evaluation/1",
        "made_at": "2026-11-27T00:00:00Z",
        "pack": "mobilefacenet",
        "pipeline": "a" * 64,
        "data": {"name": "drawn", "images": 3000, "identities": 1000},
        "identification": [],
        "groups": [],
        "conditions": [],
        "strangers": rows,
        **changed,
    }
