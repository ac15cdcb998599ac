"""Lists and searches on made-up templates, against brute force."""

import itertools

import numpy as np
import pytest

from proviso.domain.face import Template
from proviso.evaluation.identification import (
    Lists,
    curve,
    false_positives,
    freeze_all,
    identify,
    strangers,
    true_positives,
)
from proviso.evaluation.people import People, fuse, halves, starts_of
from proviso.evaluation.searches import MISSED, Rules, search_lists
from proviso.vision import fusion

DIMENSION = 16


def crowd(pictures, *, seed=0, noise=0.5, unusable=0.0, bursts=False):
    """People with so many pictures each: a direction of their own with noise around it."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(len(pictures)), pictures)
    own = rng.normal(size=(len(pictures), DIMENSION))[owner]

    def templates(rows):
        vectors = rows + noise * rng.normal(size=rows.shape)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    vectors = templates(own)
    searchable = rng.random(len(owner)) >= unusable
    bounds = np.cumsum([0, *pictures])
    rows = tuple(np.arange(low, high) for low, high in itertools.pairwise(bounds))
    burst_of, made = np.full(len(pictures), -1), {}
    if bursts:
        burst_of = np.array([each[-1] for each in rows])
        extra = [templates(own[burst_of]) for _ in range(4)]
        made = {
            int(picture): np.array([picture, *(len(owner) + frame * len(pictures) + p for frame in range(4))])
            for p, picture in enumerate(burst_of)
        }
        vectors = np.concatenate((vectors, *extra))
        searchable = np.concatenate((searchable, np.ones(4 * len(pictures), bool)))
    enrollable = searchable & (rng.random(len(searchable)) >= unusable)
    return People(vectors, searchable, enrollable, rows, halves(len(pictures), seed), made, burst_of, owner)


ONE = Rules()


def searched(people, sizes, rules=ONE, lists=3, **named):
    return search_lists(people, sizes, lists=lists, seed=0, rules=rules, **named)


def test_fusing_is_the_normalised_mean_and_leaves_one_alone():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    fused = fuse(vectors, starts_of([np.array([0, 1]), np.array([2])]))
    assert fused[0] == pytest.approx([np.sqrt(0.5)] * 2)
    assert (fused[1] == vectors[2]).all()


def test_nobody_is_stranger_and_listed_and_sizes_are_nested():
    people = crowd([3] * 40 + [1] * 60)
    found = searched(people, [10, 30])
    for small, large in zip(found[10], found[30], strict=True):
        assert set(small.entries) < set(large.entries)
        assert not set(large.entries) & set(large.strangers)
        assert len(large.entries) == 30
        assert len(large.strangers) == 70
        assert set(large.mated) <= set(large.entries)


def test_both_halves_give_as_many_of_a_list():
    people = crowd([2] * 80)
    for one in searched(people, [20])[20]:
        assert people.freezing[one.entries].sum() == 10


def test_the_same_seed_gives_the_same_searches_and_another_gives_others():
    people = crowd([2] * 60)
    first, again = searched(people, [20])[20][0], searched(people, [20])[20][0]
    other = search_lists(people, [20], lists=1, seed=1, rules=Rules())[20][0]
    assert (first.best == again.best).all()
    assert set(first.entries) != set(other.entries)


def test_what_a_stranger_reaches_is_the_highest_cosine_with_anybody_listed():
    people = crowd([1] * 50)  # one picture each, so the draw has no choice of pictures
    one = searched(people, [20], mated=False)[20][0]
    for person, best in zip(one.strangers, one.best, strict=True):
        cosines = [people.vectors[person] @ people.vectors[entry] for entry in one.entries]
        assert best == pytest.approx(max(cosines), abs=1e-6)


def test_a_probe_is_never_its_own_reference():
    people = crowd([2] * 40, noise=0.5)
    for one in searched(people, [20])[20]:
        assert one.own.max() < 0.999


def test_a_listed_person_is_found_first_only_where_nobody_else_is_as_similar():
    people = crowd([2] * 40, noise=0.0)
    one = searched(people, [20])[20][0]
    assert one.first.all()
    assert one.own == pytest.approx(np.ones(20), abs=1e-6)
    twins = crowd([2] * 40, noise=0.0)
    twins.vectors[:] = twins.vectors[0]
    assert not searched(twins, [20])[20][0].first.any()


def test_a_face_that_the_gate_refuses_is_a_miss_for_the_listed_and_no_search_for_strangers():
    people = crowd([2] * 60, noise=0.0, unusable=0.3)
    one = searched(people, [20], lists=1)[20][0]
    usable = [people.searchable[rows].any() for rows in people.pictures]
    assert all(usable[person] for person in one.strangers)
    assert (one.own == MISSED).sum() > 0
    assert not one.first[one.own == MISSED].any()
    assert all(people.enrollable[people.pictures[person]].any() for person in one.entries)


def test_several_references_and_frames_find_more():
    people = crowd([8] * 60, noise=1.2)
    single = searched(people, [30])[30]
    fused = searched(people, [30], Rules(references=3, frames=3))[30]
    assert true_positives(fused, -2.0).value > true_positives(single, -2.0).value
    assert all(one.references == 90 for one in fused)


def test_the_same_pictures_are_searched_however_many_are_enrolled():
    """Enrolment takes the good ones: if it went first, more references would leave worse probes."""
    people = crowd([4] * 300, noise=0.0, unusable=0.4)
    missed = [
        sum(int((one.own == MISSED).sum()) for one in searched(people, [100], Rules(references=many), lists=5)[100])
        for many in (1, 2, 3)
    ]
    assert missed[0] == missed[1] == missed[2]
    assert missed[0] / 500 == pytest.approx(0.4, abs=0.07)


def test_who_has_too_few_pictures_has_one_reference():
    people = crowd([3] * 20 + [2] * 20)
    one = searched(people, [40], Rules(references=2), lists=1).get(40)
    assert one[0].references == 20 * 2 + 20


def test_under_max_a_list_counts_references_and_takes_the_best():
    people = crowd([4] * 60, noise=0.8)
    one = searched(people, [30], Rules(references=3, fusion="max"), lists=1)[30][0]
    assert len(one.entries) == 10
    assert one.references == 30
    mean = searched(people, [30], Rules(references=1), lists=1)[30][0]
    assert len(mean.entries) == 30


def test_strangers_with_frames_need_so_many_pictures_and_a_burst_needs_one():
    people = crowd([3] * 30 + [1] * 50, bursts=True)
    apart = searched(people, [20], Rules(frames=3), mated=False)[20][0]
    assert set(apart.strangers) == set(range(30))  # whoever cannot be a stranger is listed first
    burst = searched(people, [20], Rules(frames=3, burst_like=True), mated=False)[20][0]
    assert len(burst.strangers) == 60


def test_a_burst_is_never_made_from_a_reference():
    people = crowd([2] * 40, bursts=True, noise=0.5)
    one = searched(people, [20], Rules(frames=3, burst_like=True), lists=1)[20][0]
    assert len(one.mated) == 20
    for place, person in enumerate(one.mated):
        reference = people.vectors[people.pictures[person][0]]  # the other picture is the burst's
        frames = people.vectors[people.bursts[int(people.burst_of[person])][:3]]
        probe = frames.sum(axis=0)
        assert one.own[place] == pytest.approx(reference @ probe / np.linalg.norm(probe), abs=1e-5)


def test_a_list_longer_than_there_are_people_is_left_out():
    people = crowd([2] * 30)
    assert set(searched(people, [10, 31])) == {10}


def test_members_alone_are_listed_and_searched():
    people = crowd([2] * 60)
    members = np.arange(60) < 25
    one = searched(people, [10], members=members)[10][0]
    assert set(one.entries) | set(one.strangers) == set(range(25))


def test_a_threshold_is_frozen_on_one_half_and_tried_on_the_other():
    people = crowd([2] * 200 + [1] * 1000, noise=0.4)
    found = searched(people, [50], lists=4)
    lists = Lists("mixed", found, ~people.freezing)
    frozen = freeze_all(lists, people.freezing, [0.01])
    kept = [one.best[people.freezing[one.strangers]] for one in found[50]]
    reached = sum(int((best >= frozen[50, 0.01]).sum()) for best in kept)
    assert reached <= 0.01 * sum(map(len, kept)) < reached + 2
    row = identify(lists, [0.01], frozen, Rules())[0]
    tried = [one.best[~people.freezing[one.strangers]] for one in found[50]]
    assert row["fpir_achieved"] == pytest.approx(np.mean([(best >= row["threshold"]).mean() for best in tried]))
    assert row["non_mated_people"] == len(tried[0]) == 575
    assert row["mated_people"] == 50
    assert row["tpir_low"] <= row["tpir"] <= row["tpir_high"]
    assert row["fnir"] == 1 - row["tpir"]


def test_too_few_strangers_are_refused_and_not_extrapolated():
    people = crowd([2] * 60 + [1] * 200)
    found = searched(people, [20])
    lists = Lists("mixed", found, ~people.freezing)
    row = identify(lists, [0.01], freeze_all(lists, people.freezing, [0.01]), Rules())[0]
    assert row["refused"]
    assert row["mark"].startswith("refused: 120 non-mated people")
    assert row["tpir"] is row["fpir_achieved"] is row["threshold"] is None


def test_the_target_setting_runs():
    """500 on the list, several references and frames fused, a stranger in 333 at most."""
    people = crowd([6] * 800 + [2] * 1500 + [1] * 1500, noise=0.6)
    rules = Rules(references=3, frames=2)
    found = search_lists(people, [500], lists=2, seed=0, rules=rules)
    lists = Lists("mixed", found, np.ones(people.count, bool))
    row = identify(lists, [0.003], {(500, 0.003): 0.8}, rules)[0]
    assert not row["refused"]
    assert row["mated_people"] == 500
    assert row["references_mean"] == 3
    assert row["fusion"] == "mean"


def test_the_curve_of_strangers_counts_who_reaches_each_similarity():
    best = [np.array([0.1, 0.25, 0.4]), np.array([0.25, 0.3, 0.5])]
    points = curve(best)
    assert points[0] == [0.1, 3.0]
    assert points[-1] == [0.501, 0.0]
    for similarity, count in points:
        assert count == np.mean([(each >= similarity).sum() for each in best])
    assert [similarity for similarity, _ in points] == sorted(similarity for similarity, _ in points)


def test_strangers_are_the_same_number_on_every_list():
    people = crowd([3] * 60 + [1] * 100)
    rows = strangers(people, {"mixed": None}, lists=3, seed=0, rules=Rules(), sizes=(10, 25, 500))
    assert {(row["list_size"], row["frames_per_probe"]) for row in rows} == {(10, 1), (25, 1), (10, 2), (25, 2)}
    for row in rows:
        assert row["searches"] == row["people"] * row["lists"]
        assert row["people"] - 1 < row["reached"][0][1] <= row["people"]  # below 0 is not told
    assert {row["people"] for row in rows if row["frames_per_probe"] == 2} == {60}
    assert "no burst" in rows[-1]["remark"]


def test_rates_of_some_people_count_only_them():
    people = crowd([2] * 100, noise=0.0)
    each = searched(people, [20])[20]
    women = np.arange(100) % 2 == 0
    assert false_positives(each, -1.0, women).value == 1
    assert false_positives(each, -1.0, women).total == sum(int(women[one.strangers].sum()) for one in each) // 3
    assert true_positives(each, 0.99, women).value == 1


def test_fusing_here_is_fusing_in_operation():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5, DIMENSION))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    templates = [Template(vector.astype("<f4").tobytes(), DIMENSION, "pipeline") for vector in vectors]
    there = np.frombuffer(fusion.mean(templates), "<f4")
    assert fuse(vectors, np.array([0]))[0] == pytest.approx(there, abs=1e-6)
