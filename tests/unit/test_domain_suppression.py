"""S27, S28, S32: from everything that is published, no small group can be worked out. An attacker tries, who has every
file
in any order and knows the rule itself; and finds what a table that grows with each deployment would give away."""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from proviso.domain.record_schema import GROUPS_SCHEMA, schema_fault
from proviso.domain.suppression import (
    CHAINS,
    ENOUGH,
    LEAST,
    LONGEST,
    NOT_RECORDED,
    TRUTHS,
    Headline,
    _cells,
    batch_values,
    next_batch,
    tables,
    totals_of,
    truth_columns,
)

DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)
Said = dict[str, dict[tuple[str, str], int]]
Deployment = tuple[Headline, Said]


def groups_of(axis: str) -> list[str]:
    return [group for part in CHAINS[axis][0] for group in part]


# --- the attacker -----------------------------------------------------------------------------------------------------


def attack(records: Sequence[Mapping[str, Any]], files: Sequence[Mapping[str, Any]]) -> list[str]:
    """What can be worked out of these files that must not be: for each set of deployments that they tell apart, each
    group and truth, the range in which its count must lie. Found by linear programming, so with everything at once."""
    headline = {one["deployment"]: one["truth"] for one in records}
    sets = [frozenset(file["deployments"]) for file in files]
    atoms = _atoms(sets)
    found = []
    for axis in CHAINS:
        groups = groups_of(axis)
        place = {cell: number for number, cell in enumerate(itertools.product(range(len(atoms)), groups, TRUTHS))}
        rows, sums = [], []

        def constrain(cells: Sequence[tuple[int, str, str]], total: int) -> None:
            row = [0] * len(place)  # noqa: B023
            for cell in cells:
                row[place[cell]] = 1  # noqa: B023
            rows.append(row)  # noqa: B023
            sums.append(total)  # noqa: B023

        for number, atom in enumerate(atoms):
            for truth in TRUTHS:
                constrain([(number, group, truth) for group in groups], sum(headline[one][truth] for one in atom))
        for file, members in zip(files, sets, strict=True):
            inside = [number for number, atom in enumerate(atoms) if atom <= members]
            for table in file["tables"]:
                for cell in table["cells"] if table["axis"] == axis else ():
                    named = itertools.product(inside, cell["groups"], cell["truth"])
                    constrain(list(named), cell["count"])
        for watched in {frozenset(atoms_in(atoms, members)) for members in sets} | {
            frozenset([number]) for number in range(len(atoms))
        }:
            for group, truth in itertools.product(groups, TRUTHS):
                total = sum(headline[one][truth] for number in watched for one in atoms[number])
                if total < LEAST:
                    continue  # everybody can read that in the headline
                least, most = _range(rows, sums, [place[number, group, truth] for number in watched], len(place))
                own = _published(files, sets, atoms, watched, axis, group, truth)
                pinned = most - least + 1 < LEAST and not (own and least >= LEAST)
                if most < LEAST or pinned:
                    found.append(f"{group}, {truth}: {least} to {most}")
    return found


def atoms_in(atoms: Sequence[frozenset[str]], members: frozenset[str]) -> list[int]:
    return [number for number, atom in enumerate(atoms) if atom <= members]


def _atoms(sets: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """The deployments that no file tells apart."""
    together: dict[tuple[bool, ...], set[str]] = defaultdict(set)
    for one in frozenset().union(*sets):
        together[tuple(one in members for members in sets)].add(one)
    return [frozenset(members) for members in together.values()]


def _published(
    files: Sequence[Mapping[str, Any]],
    sets: Sequence[frozenset[str]],
    atoms: Sequence[frozenset[str]],
    watched: frozenset[int],
    axis: str,
    group: str,
    truth: str,
) -> bool:
    """Is this very cell published, by itself?"""
    wanted = frozenset().union(*(atoms[number] for number in watched))
    return any(
        members == wanted and cell["groups"] == [group] and cell["truth"] == [truth]
        for file, members in zip(files, sets, strict=True)
        for table in file["tables"]
        if table["axis"] == axis
        for cell in table["cells"]
    )


def _range(rows: list[list[int]], sums: list[int], wanted: Sequence[int], width: int) -> tuple[int, int]:
    """The constraints are those of a transport, whose corners are whole numbers."""
    aim = [0] * width
    for number in wanted:
        aim[number] = 1
    low = linprog(aim, A_eq=rows, b_eq=sums)
    high = linprog([-one for one in aim], A_eq=rows, b_eq=sums)
    assert low.success
    assert high.success
    return round(low.fun), round(-high.fun)


# --- histories --------------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: Any) -> list[Deployment]:
    """Deployments with skewed groups: most of one, few of others, some of which nothing is recorded."""
    made = []
    shares = {axis: draw(st.lists(st.sampled_from([0, 1, 3, 20]), min_size=6, max_size=6)) for axis in CHAINS}
    for number in range(draw(st.integers(2, 7))):
        counts = {truth: draw(st.sampled_from([0, 1, 3, 9, 15, 22, 31])) for truth in TRUTHS}
        said: Said = {}
        for axis in CHAINS:
            said[axis] = {}
            for truth in TRUTHS:
                left = counts[truth]
                for group, share in zip(groups_of(axis)[:-1], shares[axis], strict=False):
                    here = min(left, draw(st.integers(0, share)))
                    said[axis][group, truth] = here
                    left -= here
        made.append((Headline(f"d{number}", DAY_ONE + timedelta(days=90 * number), **counts), said))
    return made


def together(members: Sequence[Deployment]) -> Said:
    summed: Said = {axis: defaultdict(int) for axis in CHAINS}
    for _, said in members:
        for axis, counts in said.items():
            for key, count in counts.items():
                summed[axis][key] += count
    return summed


def file_of(number: int, members: Sequence[Deployment]) -> dict[str, Any]:
    made = batch_values(
        name=f"operator-{number}",
        number=number,
        operator={"kind": "police", "name": "x"},
        demonstration=None,
        published_at="2026-01-01T00:00:00Z",
        batch=[one for one, _ in members],
        said=together(members),
    )
    assert schema_fault(made, GROUPS_SCHEMA) is None
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


def record_of(one: Headline) -> dict[str, Any]:
    return {"deployment": one.deployment_id, "truth": {truth: getattr(one, truth) for truth in TRUTHS}}


def in_batches(history: Sequence[Deployment]) -> Iterator[dict[str, Any]]:
    """As retain does, after each deployment."""
    waiting: list[Deployment] = []
    number = 0
    for one in history:
        waiting.append(one)
        while (batch := next_batch([headline for headline, _ in waiting], one[0].published_at)) is not None:
            number += 1
            ids = {headline.deployment_id for headline in batch}
            yield file_of(number, [each for each in waiting if each[0].deployment_id in ids])
            waiting = [each for each in waiting if each[0].deployment_id not in ids]


def growing(history: Sequence[Deployment]) -> Iterator[dict[str, Any]]:
    """What must not be: one table over all until now, again after each deployment."""
    for number in range(1, len(history) + 1):
        yield file_of(number, history[:number])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(histories())
def test_nothing_small_can_be_worked_out_of_all_that_is_published(history: list[Deployment]) -> None:
    files = list(in_batches(history))
    assert attack([record_of(one) for one, _ in history], files) == []
    members = [one for file in files for one in file["deployments"]]
    assert len(members) == len(set(members)), "no deployment is in two tables"


def test_the_attacker_finds_what_a_growing_table_gives_away() -> None:
    """The mutation: with it the test above is red."""
    first = Headline("d0", DAY_ONE, 60, 60, 60)
    last = Headline("d1", DAY_ONE + timedelta(days=1), 12, 12, 12)
    even: Said = {"sex": {(g, t): 30 for g in ("female", "male") for t in TRUTHS}}
    few: Said = {"sex": {**{("female", t): 3 for t in TRUTHS}, **{("male", t): 9 for t in TRUTHS}}}
    history = [(first, even), (last, few)]
    records = [record_of(one) for one, _ in history]
    assert "female, false: 3 to 3" in attack(records, list(growing(history)))
    assert attack(records, list(in_batches(history))) == []


@settings(max_examples=30, deadline=None, derandomize=True)
@given(histories())
def test_batches_are_closed_by_what_everybody_can_read(history: list[Deployment]) -> None:
    """Other groups, and the same headline counts: the same batches."""
    others = [(one, {axis: {} for axis in CHAINS}) for one, _ in history]
    assert [f["deployments"] for f in in_batches(history)] == [f["deployments"] for f in in_batches(others)]


# --- who knows the rule too: counted out for small bounds -------------------------------------------------------------


def _splits(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _splits(total - first, parts - 1):
            yield (first, *rest)


@pytest.mark.parametrize(
    ("axis", "least", "totals"),
    [
        ("sex", 2, (8, 8)),
        ("sex", 3, (12,)),
        ("sex", 3, (12, 12)),
        ("sex", 4, (16,)),
        ("age", 2, (8,)),
        ("age", 3, (12,)),
        ("age", 2, (8, 8)),
        ("ethnicity", 2, (8,)),
        ("ethnicity", 2, (12,)),
        ("ethnicity", 3, (12,)),
    ],
)
def test_who_knows_the_rule_learns_no_more(axis: str, least: int, totals: tuple[int, ...]) -> None:
    """Every table that there could be: what is published of it, and for each answer all values that a cell may have."""
    groups = groups_of(axis)
    columns = [(truth,) for truth in TRUTHS[: len(totals)]]
    possible: dict[Any, dict[tuple[str, str], set[int]]] = defaultdict(lambda: defaultdict(set))
    for split in itertools.product(*(list(_splits(total, len(groups))) for total in totals)):
        counts = {
            (group, truth): split[column][row]
            for column, (truth,) in enumerate(columns)
            for row, group in enumerate(groups)
        }
        answer = _cells(CHAINS[axis], counts, columns, least)
        for cell, count in counts.items():
            possible[answer][cell].add(count)
    for answer, cells in possible.items():
        shown = {(cell.groups[0], cell.truth[0]) for cell in answer if len(cell.groups) == 1}
        for cell, values in cells.items():
            if cell in shown:
                assert len(values) == 1
                assert min(values) >= least
            else:
                assert max(values) >= least, (answer, cell, values)
                assert len(values) >= least, (answer, cell, values)


# --- the rule ---------------------------------------------------------------------------------------------------------


def headline(number: int, true: int, false: int, other: int = 0) -> Headline:
    return Headline(f"d{number}", DAY_ONE + timedelta(days=number), true, false, other)


def test_a_batch_closes_with_enough_of_both_or_after_a_year() -> None:
    soon = DAY_ONE + timedelta(days=3)
    assert next_batch([headline(1, 39, 100)], soon) is None
    batch = next_batch([headline(3, 9, 9), headline(2, 1, 0), headline(1, 39, 40)], soon)
    assert [one.deployment_id for one in batch or ()] == ["d1", "d2"]
    few = [headline(1, 20, 0, 19), headline(200, 1, 0)]
    assert next_batch(few, DAY_ONE + LONGEST) is None
    assert next_batch(few, DAY_ONE + LONGEST + timedelta(days=1)) == few
    assert next_batch([headline(1, 20, 0, 19)], DAY_ONE + LONGEST * 3) is None


@pytest.mark.parametrize(
    ("totals", "columns"),
    [
        ((40, 40, 40), (("true",), ("false",), ("other",))),
        ((900, 9, 40), (("true",), ("other",))),
        ((900, 39, 0), (("true",),)),
        ((30, 20, 9), (("true", "false"),)),
        ((20, 10, 5), ()),
        ((0, 0, 0), ()),
    ],
)
def test_which_truths_stand_for_themselves(totals: tuple[int, int, int], columns: Any) -> None:
    assert truth_columns(dict(zip(TRUTHS, totals, strict=True))) == columns


def test_what_is_not_recorded_is_a_cell_and_a_small_one_merges() -> None:
    totals = totals_of([headline(1, 0, ENOUGH)])
    said = {"sex": {("female", "false"): 10, ("male", "false"): 21}}
    (sex, age, _) = tables(said, totals)
    assert [(cell.groups, cell.count) for cell in sex.cells] == [(("female",), 10), (("male", NOT_RECORDED), 30)]
    assert age.cells == (), "of which nothing was said"
    enough = {"sex": {("female", "false"): 10, ("male", "false"): 20}}
    assert [cell.count for cell in tables(enough, totals)[0].cells] == [10, 20, 10]
    none = {"sex": {("female", "false"): 0, ("male", "false"): 40}}
    assert tables(none, totals)[0].cells == (), "a zero tells as much as a one"


@pytest.mark.parametrize("said", [{("female", "false"): 41}, {("unknown", "false"): 1}])
def test_more_said_than_there_is_publishes_nothing(said: Any) -> None:
    with pytest.raises(ValueError, match="sex"):
        tables({"sex": said}, {"true": 0, "false": 40, "other": 0})
