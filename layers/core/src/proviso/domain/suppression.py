"""Tables of groups from which no small cell can be worked out (S27, S28, S32).

Who reads them knows a lot: this very rule, the headline counts of every record (true, false and other candidates of
each
deployment, which are never suppressed) and every table that was ever published. So:

- *Batches are disjoint and closed once.* A table that grows with each deployment gives the last one by subtraction.
- *When a batch is closed is decided by headline counts alone.* "As soon as no cell is small" would tell that one cell
  was at nine before the last deployment. Which truths stand for themselves is decided by headline counts alone too.
- *Groups are merged along a fixed chain*, never by their size. Of the chain the first step is published at which every
  cell, "not recorded" included, holds at least `LEAST`; when none does, the table is withheld, and its batch is over.
- *One axis at a time.* No table crosses two.

What a merged or withheld cell may be, given all that, is more than `LEAST` different values, and may always be `LEAST`
or more: tests/unit/test_domain_suppression.py counts them all for small bounds. What is not covered, because headline
counts are public: of a deployment with three candidates everybody knows that no group has more than three.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LEAST = 10
ENOUGH = 40
"""How many true and how many false candidates close a batch."""
LONGEST = timedelta(days=365)
"""After how long a batch is closed with fewer, if it holds `ENOUGH` candidates in all."""
NOT_RECORDED = "not recorded"
TRUTHS = ("true", "false", "other")
Partition = tuple[tuple[str, ...], ...]
CHAINS: Mapping[str, tuple[Partition, ...]] = {
    "sex": (
        (("female",), ("male",), (NOT_RECORDED,)),
        (("female",), ("male", NOT_RECORDED)),
    ),
    "age": (
        (("under_18",), ("18_34",), ("35_54",), ("55_plus",), (NOT_RECORDED,)),
        (("under_18", "18_34"), ("35_54", "55_plus"), (NOT_RECORDED,)),
        (("under_18", "18_34"), ("35_54", "55_plus", NOT_RECORDED)),
    ),
    "ethnicity": (
        (("asian",), ("black",), ("mixed",), ("white",), ("other",), (NOT_RECORDED,)),
        (("asian",), ("black",), ("white",), ("mixed", "other", NOT_RECORDED)),
        (("asian", "black", "mixed", "other"), ("white",), (NOT_RECORDED,)),
        (("asian", "black", "mixed", "other"), ("white", NOT_RECORDED)),
    ),
}
REMARK = (
    "Groups are what reviewers said they saw, optional and never inferred. A batch of deployments is published once; a"
    f" cell holds at least {LEAST} candidates, or groups are merged, or the table is withheld."
)
Counts = Mapping[tuple[str, str], int]
"""(group, truth) → how many candidates."""


@dataclass(frozen=True, slots=True)
class Headline:
    """What a final record says of one deployment, to everybody."""

    deployment_id: str
    published_at: datetime
    true: int
    false: int
    other: int

    @property
    def total(self) -> int:
        return self.true + self.false + self.other


@dataclass(frozen=True, slots=True)
class Cell:
    """So many candidates of these groups, and of these truths."""

    groups: tuple[str, ...]
    truth: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Table:
    """One axis of one batch. No cells: withheld."""

    axis: str
    cells: tuple[Cell, ...]


def next_batch(waiting: Iterable[Headline], now: datetime, enough: int = ENOUGH) -> list[Headline] | None:
    """The deployments of the next batch, in the order of their final records; None when they are not enough yet.

    Only what everybody can read decides.
    """
    batch: list[Headline] = []
    for one in sorted(waiting, key=lambda one: (one.published_at, one.deployment_id)):
        batch.append(one)
        if min(sum(each.true for each in batch), sum(each.false for each in batch)) >= enough:
            return batch
    if not batch or now - batch[0].published_at < LONGEST or sum(one.total for one in batch) < enough:
        return None
    return batch


def totals_of(batch: Iterable[Headline]) -> dict[str, int]:
    """The batch's headline counts."""
    held = list(batch)
    return {truth: sum(getattr(one, truth) for one in held) for truth in TRUTHS}


def tables(
    said: Mapping[str, Counts], totals: Mapping[str, int], least: int = LEAST, enough: int = ENOUGH
) -> list[Table]:
    """The tables of a batch. `said`: by axis, what was said of its candidates, "not recorded" left out: that is what
    is left of the totals. ValueError when more was said than there are candidates."""
    columns = truth_columns(totals, enough, least)
    return [
        Table(axis, _cells(CHAINS[axis], _complete(said.get(axis, {}), totals, axis), columns, least))
        for axis in CHAINS
    ]


def truth_columns(totals: Mapping[str, int], enough: int = ENOUGH, least: int = LEAST) -> tuple[tuple[str, ...], ...]:
    """Which truths stand for themselves: those with enough candidates. Of the others those with at least `least` make
    one column together, if that is enough. The rest is left out: joined to a large column, it would pin that down."""
    alone = tuple((truth,) for truth in TRUTHS if totals[truth] >= enough)
    rest = tuple(truth for truth in TRUTHS if least <= totals[truth] < enough)
    joined = (rest,) if len(rest) > 1 and sum(totals[truth] for truth in rest) >= enough else ()
    return (*alone, *joined)


def _complete(said: Counts, totals: Mapping[str, int], axis: str) -> dict[tuple[str, str], int]:
    groups = [group for part in CHAINS[axis][0] for group in part if group != NOT_RECORDED]
    if unknown := {group for group, _ in said} - set(groups):
        raise ValueError(f"{axis} knows no {', '.join(sorted(unknown))}")
    full = {(group, truth): said.get((group, truth), 0) for group in groups for truth in TRUTHS}
    for truth in TRUTHS:
        left = totals[truth] - sum(full[group, truth] for group in groups)
        if left < 0:
            raise ValueError(f"{axis}: more was said of {truth} candidates than there are")
        full[NOT_RECORDED, truth] = left
    return full


def _cells(
    chain: Sequence[Partition], counts: Counts, columns: Sequence[tuple[str, ...]], least: int
) -> tuple[Cell, ...]:
    for partition in chain:
        cells = tuple(
            Cell(groups, truth, sum(counts[group, one] for group in groups for one in truth))
            for groups in partition
            for truth in columns
        )
        if all(cell.count >= least for cell in cells):
            return cells
    return ()


def batch_values(
    *,
    name: str,
    number: int,
    operator: Mapping[str, str],
    demonstration: str | None,
    published_at: str,
    batch: Sequence[Headline],
    said: Mapping[str, Counts],
) -> dict[str, Any]:
    """What is published of a batch."""
    totals = totals_of(batch)
    return {
        "format": "proviso-groups/1",
        "demonstration": demonstration,
        "batch": name,
        "operator": dict(operator),
        "number": number,
        "published_at": published_at,
        "deployments": [one.deployment_id for one in batch],
        "totals": totals,
        "tables": [
            {
                "axis": table.axis,
                "cells": [
                    {"groups": list(cell.groups), "truth": list(cell.truth), "count": cell.count}
                    for cell in table.cells
                ],
                "withheld": not table.cells,
            }
            for table in tables(said, totals)
        ],
        "remark": REMARK,
    }
