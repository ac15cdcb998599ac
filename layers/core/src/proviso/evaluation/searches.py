"""Drawing lists and searching them: who is listed, who is a stranger, and what similarity each reaches.

Lists of one seed are nested (the list of 50 is part of the list of 100), so sizes are compared on the same people and
one product of matrices serves them all. For each list a person gives one probe, drawn by the seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proviso.evaluation.people import Indexes, Mask, People, Vectors, fuse, starts_of

Floats = NDArray[np.float64]
MISSED = -2.0
"""Below every cosine: what a failure to acquire reaches."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How people are enrolled and searched. `burst_like`: frames of a probe come from one picture."""

    references: int = 1
    frames: int = 1
    fusion: str = "mean"
    burst_like: bool = False

    @property
    def named_fusion(self) -> str:
        return self.fusion if self.references > 1 or self.frames > 1 else "none"


@dataclass(frozen=True, slots=True)
class OneList:
    """The searches of one list. strangers (m,) are people and best (m,) the highest similarity that each reaches on it;
    mated (q,) are listed people, own (q,) the similarity to their own entry (MISSED where no face could be used), and
    first (q,) whether no other entry is as similar."""

    entries: Indexes
    references: int
    strangers: Indexes
    best: Floats
    mated: Indexes
    own: Floats
    first: Mask


def search_lists(
    people: People,
    sizes: Sequence[int],
    *,
    lists: int,
    seed: int,
    rules: Rules,
    members: Mask | None = None,
    mated: bool = True,
) -> dict[int, list[OneList]]:
    """`lists` lists of each size that the data allow. A size for which too few can be enrolled is left out.

    members (p,): draw lists and strangers from these people alone. mated: prefer for the list whoever has a picture
    left to search with; else prefer whoever cannot be a stranger, so that as many strangers as possible are left.
    Under fusion `max` a size counts references, as a search over them does.
    """
    inside = np.ones(people.count, bool) if members is None else members
    found: dict[int, list[OneList]] = {}
    for number in range(lists):
        draw = _Draw(people, np.random.default_rng([seed, 3, number]), rules, inside, mated)
        for size, one in draw.search(sizes).items():
            found.setdefault(size, []).append(one)
    return {size: each for size, each in found.items() if len(each) == lists}


class _Draw:
    """One seeded order of people and of each person's pictures, and the searches on the lists it gives."""

    def __init__(self, people: People, rng: np.random.Generator, rules: Rules, inside: Mask, mated: bool) -> None:
        self._people, self._rules, self._mated = people, rules, mated
        self._burst = rules.burst_like and rules.frames > 1
        self._order = rng.permutation(people.count)
        priority = rng.random(len(people.searchable))
        # The pictures of each person in a drawn order.
        order = np.lexsort((priority[: len(people.owner)], people.owner))
        total = np.bincount(people.owner, minlength=people.count)
        begins = np.cumsum(total) - total
        self._pictures: list[Indexes] = np.split(order, begins[1:])
        # What a listed person is searched with is set apart before anything is enrolled: references are chosen by their
        # quality, and what they would leave over is worse than a camera's picture, the more so the more are enrolled.
        place = np.empty(len(order), np.intp)
        place[order] = np.arange(len(order)) - begins[people.owner[order]]
        apart = np.zeros(len(order), bool)
        self._apart = 1 if self._burst else rules.frames
        if mated:
            apart = place < self._apart
            if self._burst:
                apart[:] = False
                apart[people.burst_of] = True
        enrollable = people.enrollable[: len(order)]
        self._total, self._enrollable, self._left_over = total, enrollable, enrollable & ~apart
        self._can_enrol = inside & self._any(enrollable)
        self._can_mate = self._can_enrol & self._any(self._left_over) & (total > self._apart) & mated
        searchable = people.searchable[: len(order)]
        if self._burst:
            self._can_stray = inside & np.array([len(self._frames(person)) > 0 for person in range(people.count)], bool)
        else:
            self._can_stray = inside & (np.bincount(people.owner[searchable], minlength=people.count) >= rules.frames)

    def _any(self, rows: Mask) -> Mask:
        """Who has at least one of these pictures."""
        return np.bincount(self._people.owner[rows], minlength=self._people.count) > 0

    def _references(self, person: int) -> Indexes:
        """The rows enrolled: N where the person has so many beside those to search with, else one."""
        rows = self._pictures[person]
        many = self._rules.references if self._total[person] >= self._rules.references + self._apart else 1
        return rows[(self._left_over if self._can_mate[person] else self._enrollable)[rows]][:many]

    def _frames(self, person: int) -> Indexes:
        """The rows of a listed person's probe that the search gate lets through; none: a failure to acquire."""
        people, frames = self._people, self._rules.frames
        rows = people.bursts[int(people.burst_of[person])] if self._burst else self._pictures[person]
        rows = rows[:frames]
        return rows[people.searchable[rows]]

    def _stranger(self, person: int) -> Indexes:
        """The rows of a stranger's probe: the first that may be searched."""
        if self._burst:
            return self._frames(person)
        rows = self._pictures[person]
        return rows[self._people.searchable[rows]][: self._rules.frames]

    def _listed(self) -> Indexes:
        """Who would be on a list, in its order: both halves in turn, the preferred first."""
        preferred = self._can_mate if self._mated else self._can_enrol & ~self._can_stray
        ranked = []
        for tier in (preferred, self._can_enrol & ~preferred):
            order = self._order[tier[self._order]]
            one, two = (order[self._people.freezing[order] == half] for half in (True, False))
            both = np.full((max(len(one), len(two)), 2), -1, np.intp)
            both[: len(one), 0], both[: len(two), 1] = one, two
            ranked.append(both.reshape(-1)[both.reshape(-1) >= 0])
        return np.concatenate(ranked)

    def search(self, sizes: Sequence[int]) -> dict[int, OneList]:
        listed = self._listed()
        if not len(listed):
            return {}
        listed = listed[: max(sizes)]
        references = [self._references(person) for person in listed]
        counted = np.cumsum([len(rows) if self._rules.fusion == "max" else 1 for rows in references])
        entries = {size: int(np.searchsorted(counted, size, side="right")) for size in sizes}
        entries = {size: many for size, many in entries.items() if counted[-1] >= size}
        if not entries:
            return {}
        most = max(entries.values())
        rank = np.full(self._people.count, most)
        rank[listed[:most]] = np.arange(most)
        strangers = np.flatnonzero(self._can_stray & (rank >= min(entries.values())))
        similar = self._similarities([self._stranger(int(person)) for person in strangers], references[:most])
        mates = listed[:most][self._can_mate[listed[:most]]]
        probes = [self._frames(int(person)) for person in mates]
        own_similar = self._similarities(probes, references[:most])
        return {
            size: self._one(strangers, similar, mates, own_similar, rank, listed[:many], references[:many])
            for size, many in entries.items()
        }

    @staticmethod
    def _one(
        strangers: Indexes,
        similar: Vectors,
        mates: Indexes,
        own_similar: Vectors,
        rank: Indexes,
        listed: Indexes,
        references: Sequence[Indexes],
    ) -> OneList:
        many = len(listed)
        out = rank[strangers] >= many
        there = rank[mates] < many
        # In double precision from here on, as thresholds are: a float32 would meet one that was rounded to it.
        within = own_similar[there, :many].astype(np.float64)
        places = (np.arange(len(within)), rank[mates[there]])
        own = within[places]
        within[places] = MISSED - 1
        first = own > within.max(axis=1) if many and len(within) else np.zeros(len(within), bool)
        return OneList(
            entries=listed,
            references=sum(len(rows) for rows in references),
            strangers=strangers[out],
            best=similar[out, :many].max(axis=1).astype(np.float64),
            mated=mates[there],
            own=own,
            first=first & (own > MISSED),
        )

    def _similarities(self, probes: Sequence[Indexes], references: Sequence[Indexes]) -> Vectors:
        """Cosines (probes, entries) under the fusion rule; MISSED in the rows of probes without a frame."""
        out = np.full((len(probes), len(references)), MISSED, np.float32)
        there = np.array([len(rows) > 0 for rows in probes], bool)
        if not there.any():
            return out
        used = [rows for rows in probes if len(rows)]
        left, right = self._people.vectors[np.concatenate(used)], self._people.vectors[np.concatenate(references)]
        if self._rules.fusion == "mean":
            out[there] = fuse(left, starts_of(used)) @ fuse(right, starts_of(references)).T
        else:
            by_frame = np.maximum.reduceat(left @ right.T, starts_of(references), axis=1)
            out[there] = np.maximum.reduceat(by_frame, starts_of(used), axis=0)
        return out
