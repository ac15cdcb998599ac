"""What has to be gone by when (S23, S24): rules without a store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.deployment import DeploymentState
from proviso.domain.holdings import (
    DeploymentHeld,
    ListHeld,
    of_backups,
    of_deployment,
    of_frames,
    of_groups,
    of_kept,
    of_list,
    of_queues,
    of_strays,
)
from proviso.domain.notice import Kind, confirmed_notice, lost_notice, raised_notice
from proviso.domain.retention import (
    CLOSE_AFTER,
    CLOSE_WITHIN,
    LATE_AFTER,
    LIST_UNUSED_AFTER,
    QUEUES,
    QUEUES_KEEP,
    ListStanding,
    QueuesSeen,
    close_after,
    look_again,
    over_since,
    queue_counts,
)
from tests.samples import END, NOW, START, candidate, confirmation, deployment, policy

SECOND = timedelta(seconds=1)


def test_a_deployment_is_over_when_it_was_stopped_or_its_window_ended_whichever_was_first():
    stopped = deployment(state=DeploymentState.STOPPED, finished_at=NOW)
    assert over_since(stopped) == NOW
    written_days_later = deployment(state=DeploymentState.ENDED, finished_at=NOW + timedelta(days=3))
    assert over_since(written_days_later) == END
    assert over_since(replace(written_days_later, search_until=NOW)) == NOW
    refused = replace(stopped, started_at=START, search_until=START - timedelta(days=1))
    assert over_since(refused) == NOW  # S37: a court's refusal ends the search before it began, and the stop counts


def test_it_closes_well_within_a_day_and_before_its_evidence_is_too_old():
    assert close_after(policy(evidence_hours=24)) == CLOSE_AFTER < CLOSE_WITHIN
    assert close_after(policy(evidence_hours=1)) == timedelta(hours=1)


def test_queues_count_as_zero_only_after_a_look_or_after_their_longest_retention():
    empty = QueuesSeen(NOW + SECOND, tuple((name, 0) for name in QUEUES))
    counts = queue_counts(NOW, NOW + SECOND, empty)
    assert not isinstance(counts, str)
    assert {count.store for count in counts} == {f"queue {name}" for name in QUEUES}
    assert isinstance(queue_counts(NOW + SECOND, NOW + SECOND, empty), str)
    assert isinstance(queue_counts(NOW, NOW + QUEUES_KEEP - SECOND, None), str)
    assert not isinstance(queue_counts(NOW, NOW + QUEUES_KEEP, None), str)


@pytest.mark.parametrize("waited", [SECOND, timedelta(minutes=1), timedelta(hours=1), timedelta(hours=11, minutes=59)])
def test_who_waits_for_a_queue_looks_again_ever_more_seldom_and_never_too_late(waited):
    again = look_again(NOW, NOW + waited)
    assert NOW + waited < again <= NOW + QUEUES_KEEP
    assert again - (NOW + waited) <= max(waited / 4, timedelta(0))


def test_a_list_goes_when_it_is_asked_to_or_was_never_used():
    made = ListStanding("list-1", NOW, None, None, used=False)
    assert made.erase_at == NOW + LIST_UNUSED_AFTER
    assert replace(made, delete_requested_at=NOW + SECOND).erase_at == NOW + SECOND
    assert replace(made, used=True).erase_at is None
    assert replace(made, erased_at=NOW).erase_at is None


def test_a_lost_notice_is_the_one_that_was_meant():
    raised = candidate()
    assert lost_notice(raised, Kind.RAISED, "DEMONSTRATION", raised.decide_by) == raised_notice(raised, "DEMONSTRATION")
    proof = confirmation()
    made = lost_notice(proof.candidate, Kind.CONFIRMED, proof.message_prefix, proof.useful_until)
    assert made == confirmed_notice(proof)


# --- what is held -----------------------------------------------------------------------------------------------------

HELD = DeploymentHeld("d-1", "stopped", "list-1", NOW, 24, 2, 1, NOW, 1, NOW + timedelta(days=7))


def overdue(lines):
    return [(line.store, line.what) for line in lines if line.overdue]


def test_a_deployment_may_be_held_for_a_day_after_its_end_and_its_evidence_for_its_hours():
    assert overdue(of_deployment(HELD, NOW + timedelta(hours=23), 3)) == []
    late = list(of_deployment(HELD, NOW + CLOSE_WITHIN + SECOND, 3))
    assert {store for store, _ in overdue(late)} == {"database", "notices", "outbox"}
    assert {store for store, _ in overdue(of_deployment(HELD, NOW + CLOSE_WITHIN + LATE_AFTER + SECOND, 3))} == {
        *("database", "notices", "outbox", "evidence")
    }
    (held,) = [line for line in late if line.why == "S24: held"]
    assert (held.count, held.until, held.overdue) == (1, HELD.held_until, False)


def test_evidence_of_a_short_policy_is_overdue_by_that():
    short = replace(HELD, evidence_hours=1, held=0)
    assert [line.until for line in of_deployment(short, NOW, 0) if line.store == "evidence"] == [
        NOW + timedelta(hours=1)
    ]
    assert overdue(of_deployment(short, NOW + timedelta(hours=2), 0)) == [("evidence", "deployment d-1")]


def test_a_closed_deployment_holds_nothing_but_what_is_held():
    closed = replace(HELD, state="closed", evidence=0, oldest=None)
    assert [line.why for line in of_deployment(closed, NOW + timedelta(days=2), 0)] == ["S24: held"]
    assert overdue(of_deployment(closed, NOW + timedelta(days=2), 1)) == [("outbox", "deployment d-1")]


@pytest.mark.parametrize(
    ("asked", "gone_by", "until"),
    [
        (None, None, NOW + LIST_UNUSED_AFTER + LATE_AFTER),
        (NOW, None, NOW + CLOSE_WITHIN),
        (None, NOW + timedelta(days=2), NOW + timedelta(days=2)),
    ],
)
def test_a_list_is_held_until_it_goes_by_itself_or_with_its_deployment(asked, gone_by, until):
    one = ListHeld("list-1", NOW, asked, gone_by, entries=2, references=0)
    assert [line.what for line in of_list(replace(one, entries=0), NOW, 0)] == ["list list-1: entries"]
    assert overdue(of_list(one, until, 3)) == []
    assert [what for _, what in overdue(of_list(one, until + SECOND, 3))] == [
        "list list-1: entries",
        "list list-1: pictures",
    ]


def test_backups_wait_for_their_second_certificate():
    assert not of_backups("d-1", NOW, NOW + LATE_AFTER).overdue
    assert of_backups("d-1", NOW, NOW + LATE_AFTER + SECOND).overdue


def test_frames_strays_and_queues():
    assert [(line.count, line.overdue) for line in of_frames(5, 2, 120, NOW)] == [(3, False), (2, True)]
    assert list(of_frames(0, 0, 120, NOW)) == []
    assert [line.overdue for line in of_strays("s", "w", 1, NOW, None)] == [False]
    assert [line.overdue for line in of_strays("s", "w", 1, NOW, NOW - timedelta(hours=1))] == [True]
    assert list(of_strays("s", "w", 0, NOW, NOW)) == []
    seen = QueuesSeen(NOW, (("dead faces", 2), ("faces", 0), ("unknown", 3)))
    assert [(line.what, line.count) for line in of_queues(seen, NOW)] == [("dead faces", 2)]
    assert list(of_queues(None, NOW)) == []


def test_groups_of_single_candidates_are_held_until_the_last_and_late_after_the_first():
    """S28."""
    assert list(of_groups(0, None, None, NOW)) == []
    last = NOW + timedelta(hours=3)
    (line,) = of_groups(2, NOW, last, NOW + LATE_AFTER)
    assert (line.count, line.until, line.overdue, line.why[:3]) == (2, last, False, "S28")
    (line,) = of_groups(2, NOW, last, NOW + LATE_AFTER + timedelta(seconds=1))
    assert line.overdue


def test_what_stays_for_good_is_named_too():
    lines = list(of_kept({"audit records": 7}))
    assert {line.until for line in lines} == {None}
    assert not any(line.overdue for line in lines)
    assert ("audit records", 7) in {(line.what, line.count) for line in lines}
