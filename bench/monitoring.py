"""How often the tests of S26 and S27 suspend a deployment with which nothing is wrong, and how soon one with which
something is. Writes the picture of docs/monitoring.md; prints its tables.

    PYTHONPATH=.:layers/core/src .venv/bin/python bench/monitoring.py [--runs 2000]

Seeds are fixed. People pass one after the other; each is seen in so many frames (`FRAMES`), and either resembles
somebody on the list in all of them or in none, which is the worst case for a test that counts faces. After each false
candidate it is looked at, as the database does.
"""

import argparse
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from proviso.domain.evalues import ln_e_false, ln_e_group, ln_e_groups, ln_e_hits
from proviso.domain.rates import rate

LIMIT = 0.001
RATES_BAR = math.log(4 / 0.01)
GROUPS_BAR = math.log(1 / 0.01)
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "monitoring.svg"


def _geometric(mean: float) -> Callable[[random.Random], int]:
    return lambda rng: 1 + int(math.log(1 - rng.random()) / math.log(1 - 1 / mean))


def _uneven(rng: random.Random) -> int:
    """Most are seen a few times, some for minutes: a Pareto tail, cut at 200."""
    return min(1 + int(3 * ((1 - rng.random()) ** (-1 / 1.5) - 1)), 200)


FRAMES: dict[str, tuple[Callable[[random.Random], int], float]] = {
    "seen once": (lambda rng: 1, 1.0),
    "seen five times": (lambda rng: 5, 5.0),
    "five times on average": (_geometric(5), 5.0),
    "very unevenly": (_uneven, 5.83),
}
"""How often a passer-by is seen, and the mean of it."""


def false_candidates_until(
    rng: random.Random, frames: str = "seen once", factor: float = 1.0, allowed: float = 20.0, naive: bool = False
) -> int | None:
    """False candidates until it is suspended; None when nobody was suspended by the time that the limit allows
    `allowed` of them. `factor`: how many times the limit the truth is. `naive`: each hit counts as one of its own."""
    size, mean = FRAMES[frames]
    hits = squares = candidates = 0
    people = 0.0
    while True:
        people += -math.log(1 - rng.random()) / (LIMIT * factor)
        if people * LIMIT > allowed:
            return None
        seen = size(rng)
        hits, squares, candidates = hits + seen, squares + seen * seen, candidates + 1
        expected = LIMIT * people * mean
        found = ln_e_false(hits, expected) if naive else ln_e_hits(hits, candidates, expected, squares / hits)
        if found >= RATES_BAR:
            return candidates


def group_until(
    rng: random.Random,
    share: float,
    high: float,
    odds: float = 1.0,
    recorded: float = 1.0,
    only_the_group: bool = False,
    most: int = 300,
) -> int | None:
    """False candidates until a group suspends it; None when none did among `most`. `share`: the truth, `high`: as it
    was declared, `odds`: how many times as often the group is mistaken as the others. Of so many a group is recorded;
    `only_the_group`: of those of the group all, of the others none."""
    q = odds * share / (1 - share + odds * share)
    x = 0
    for n in range(1, most + 1):
        of_it = rng.random() < q
        said = rng.random() < recorded or only_the_group
        x += of_it and said
        if ln_e_groups([ln_e_group(x, [(n, high)])]) >= GROUPS_BAR:
            return n
    return None


def quantiles(found: Sequence[int | None]) -> tuple[float, float, float]:
    """How many were suspended; and the median and the nine tenths of when, infinite where fewer were."""
    ordered = sorted(math.inf if one is None else one for one in found)
    share = sum(one is not None for one in found) / len(found)
    return share, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.9)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    print("S26, nothing wrong, twenty false candidates allowed: suspended, of", runs)
    for frames in FRAMES:
        for naive in (False, True):
            rng = random.Random(26)
            count = sum(false_candidates_until(rng, frames, naive=naive) is not None for _ in range(runs))
            found = rate(count, runs)
            name = f"{frames}{', each hit by itself' if naive else ''}"
            print(f"  {name:45} {count:5}  {found.low:.4f} to {found.high:.4f}")
    print("S26, false candidates until it is suspended: share, median, 90 %")
    curves: dict[str, list[tuple[float, float]]] = {}
    for frames in FRAMES:
        for factor in (2.0, 3.0, 5.0, 10.0, 20.0):
            rng = random.Random(int(factor * 100))
            found_ = [false_candidates_until(rng, frames, factor, allowed=200) for _ in range(min(runs, 400))]
            share, median, most = quantiles(found_)
            print(f"  {frames:25} x {factor:4.0f}: {share:5.2f} {median:6} {most:6}")
            curves.setdefault(f"S26, {frames}", []).append((factor, median))
    print("S27, nothing wrong, 200 false candidates: suspended, of", runs)
    for share, high, recorded, only in (
        (0.1, 0.1, 1.0, False),
        (0.1, 0.1, 0.4, False),
        (0.1, 0.1, 0.0, True),
        (0.05, 0.1, 1.0, False),
        (0.5, 0.5, 1.0, False),
    ):
        rng = random.Random(27)
        count = sum(
            group_until(rng, share, high, 1.0, recorded, only, most=200) is not None for _ in range(min(runs, 1000))
        )
        found = rate(count, min(runs, 1000))
        said = "of the group alone" if only else f"{recorded:.0%}"
        print(
            f"  share {share:4}, declared {high:4}, recorded {said:18} {count:4}  {found.low:.4f} to {found.high:.4f}"
        )
    print("S27, false candidates until it is suspended: share, median, 90 %")
    for share, high, recorded in ((0.1, 0.1, 1.0), (0.1, 0.15, 1.0), (0.1, 0.1, 0.6), (0.5, 0.5, 1.0)):
        for odds in (2.0, 3.0, 5.0, 10.0, 20.0):
            rng = random.Random(int(odds * 100 + share * 10))
            found_ = [group_until(rng, share, high, odds, recorded, most=600) for _ in range(min(runs, 200))]
            kept, median, most = quantiles(found_)
            case = f"share {share}, declared {high}, recorded {recorded:.0%}"
            print(f"  {case} x {odds:4.0f}: {kept:5.2f} {median:6} {most:6}")
            if recorded == 1.0 and share == high:
                curves.setdefault(f"S27, group of {share:.0%}", []).append((odds, median))
    PICTURE.write_text(picture(curves), encoding="utf-8")
    print(PICTURE.name)


def picture(curves: dict[str, list[tuple[float, float]]]) -> str:
    """Factor to the right, false candidates up, both in logarithms; a line a case."""
    width, height, left, bottom = 720, 420, 70, 60

    def x(factor: float) -> float:
        return left + (math.log(factor) - math.log(2)) / math.log(10) * (width - left - 200)

    def y(count: float) -> float:
        return height - bottom - math.log(count / 3) / math.log(200 / 3) * (height - bottom - 30)

    colours = ("#1b4f72", "#2e86c1", "#85c1e9", "#7f8c8d", "#b03a2e", "#e59866")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        ' font-size="12"><title>False candidates until a suspension, by how many times too many there are</title>'
        f'<rect width="{width}" height="{height}" fill="white"/>'
    ]
    for factor in (2, 3, 5, 10, 20):
        parts.append(
            f'<line x1="{x(factor):.0f}" y1="30" x2="{x(factor):.0f}" y2="{height - bottom}" stroke="#e5e7e9"/>'
            f'<text x="{x(factor):.0f}" y="{height - bottom + 18}" text-anchor="middle">x {factor}</text>'
        )
    for count in (3, 5, 10, 20, 50, 100, 200):
        parts.append(
            f'<line x1="{left}" y1="{y(count):.0f}" x2="{x(20):.0f}" y2="{y(count):.0f}" stroke="#e5e7e9"/>'
            f'<text x="{left - 8}" y="{y(count) + 4:.0f}" text-anchor="end">{count}</text>'
        )
    for number, (name, points) in enumerate(curves.items()):
        shown = [(x(factor), y(count)) for factor, count in points if count < 200]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in shown)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colours[number]}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colours[number]}"/>' for a, b in shown]
        parts.append(
            f'<rect x="{width - 180}" y="{40 + 20 * number}" width="12" height="3" fill="{colours[number]}"/>'
            f'<text x="{width - 160}" y="{45 + 20 * number}">{name}</text>'
        )
    parts.append(
        f'<text x="{left}" y="18">false candidates until it is suspended (median)</text>'
        f'<text x="{left}" y="{height - 12}">how many times the limit, or how many times as often as the others</text>'
        "</svg>\n"
    )
    return "".join(parts)


if __name__ == "__main__":
    main()
