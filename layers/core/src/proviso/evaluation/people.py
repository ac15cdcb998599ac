"""The measured people as arrays, and the one function that makes one template of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from proviso.evaluation.alteration import AS_IS, BURST_MOST, burst
from proviso.evaluation.dataset import Dataset
from proviso.evaluation.faces import Job, Measured

Vectors = NDArray[np.float32]
Indexes = NDArray[np.intp]
Mask = NDArray[np.bool_]


def fuse(vectors: Vectors, starts: Indexes) -> Vectors:
    """Templates of one person made one: the mean of the normalised templates, normalised again.

    vectors (n, d) of length one; group g is the rows from starts[g] to the next start; returns (len(starts), d). A
    group of one row stays bit for bit as it is.
    """
    if len(starts) == len(vectors):
        return vectors
    sums = np.add.reduceat(vectors, starts, axis=0)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    fused: Vectors = (sums / np.maximum(length, np.finfo(np.float32).tiny)).astype(np.float32)
    single = np.diff(np.append(starts, len(vectors))) == 1
    fused[single] = vectors[starts[single]]
    return fused


@dataclass(frozen=True)
class People:
    """All templates, which of them each gate lets through, and whose they are.

    vectors (n, d) are the templates; a row is a picture, the k pictures first and frames of imitated bursts after them.

    pictures[p]: the rows of person p, one a picture. freezing (p,): who belongs to the half on which thresholds are
    frozen. bursts[row]: the rows of the frames imitated from that picture, itself first; empty without --burst-like.
    """

    vectors: Vectors
    searchable: Mask
    enrollable: Mask
    pictures: tuple[Indexes, ...]
    freezing: Mask
    bursts: Mapping[int, Indexes]
    burst_of: Indexes
    """(p,): the picture of each person from which the burst was made; -1 without."""
    owner: Indexes
    """(k,): the person of each of the k pictures."""

    @property
    def count(self) -> int:
        return len(self.pictures)


def halves(count: int, seed: int) -> Mask:
    """Which people (p,) are of the freezing half: every second one of a seeded order."""
    mask = np.zeros(count, bool)
    mask[np.random.default_rng([seed, 1]).permutation(count)[::2]] = True
    return mask


def burst_pictures(data: Dataset, seed: int) -> Indexes:
    """For each person the picture (its index) from which a burst is imitated, drawn by the seed."""
    priority = np.random.default_rng([seed, 2]).random(len(data.pictures))
    chosen = np.full(len(data.people), -1, np.intp)
    for number, picture in enumerate(data.pictures):
        best = chosen[picture.person]
        if best < 0 or priority[number] > priority[best]:
            chosen[picture.person] = number
    return chosen


def burst_jobs(chosen: Indexes) -> list[Job]:
    return [(int(number), burst(frame)) for number in chosen for frame in range(1, BURST_MOST)]


def gather(
    data: Dataset, measured: Mapping[Job, Measured], dimension: int, *, seed: int, chosen: Indexes | None = None
) -> People:
    """The arrays. A picture without a face has a row of zeros that no gate lets through."""
    jobs = [(number, AS_IS) for number in range(len(data.pictures))] + (
        burst_jobs(chosen) if chosen is not None else []
    )
    rows = [measured[job] for job in jobs]
    vectors = np.zeros((len(rows), dimension), np.float32)
    for place, row in enumerate(rows):
        if not row.failure:
            vectors[place] = np.frombuffer(row.vector, "<f4")
    persons = np.array([picture.person for picture in data.pictures], np.intp)
    order = np.argsort(persons, kind="stable")
    bounds = np.searchsorted(persons[order], np.arange(len(data.people) + 1))
    bursts: dict[int, Indexes] = {}
    if chosen is not None:
        for place, (number, _) in enumerate(jobs[len(data.pictures) :]):
            row_number = len(data.pictures) + place
            bursts[number] = np.append(bursts.get(number, np.array([number], np.intp)), row_number)
    return People(
        vectors=vectors,
        searchable=np.array([not row.search for row in rows], bool),
        enrollable=np.array([not row.enrolment for row in rows], bool),
        pictures=tuple(order[low:high] for low, high in pairwise(bounds)),
        freezing=halves(len(data.people), seed),
        bursts=bursts,
        owner=persons,
        burst_of=chosen if chosen is not None else np.full(len(data.people), -1, np.intp),
    )


def starts_of(groups: Sequence[Indexes]) -> Indexes:
    """Where each group begins once they stand one after the other."""
    return np.concatenate(([0], np.cumsum([len(group) for group in groups])[:-1])).astype(np.intp)
