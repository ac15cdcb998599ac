"""Seeded tests of reviewers (S19): given after a decision, in the transaction that records it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from proviso.domain.audit import deployment_act
from proviso.domain.review_ports import ReviewWork
from proviso.domain.seeding import SeededTest, plan

ACTOR = "function:review"


def top_up(
    work: ReviewWork,
    *,
    deployment_id: str,
    reviewer: str,
    now: datetime,
    chance: Callable[[], float],
    new_id: Callable[[], str],
) -> list[datetime]:
    """Give the reviewer the tests that are planned; when they come due.

    Where no pair can be drawn any more (all removed, too old, or added by this reviewer) that is recorded: the share
    that the policy asks for is then not kept, and whoever reads the record must see it.
    """
    setting = work.test_setting(deployment_id, reviewer)
    planned = plan(setting, deployment_id=deployment_id, reviewer=reviewer, now=now, chance=chance, new_id=new_id)
    due = [test.raised_at for test in planned if _given(work, test)]
    if len(due) < len(planned):
        details = {"reviewer": reviewer, "not_given": len(planned) - len(due)}
        work.audit(deployment_act(deployment_id, now, ACTOR, "tests_without_pictures", details))
    return due


def _given(work: ReviewWork, test: SeededTest) -> bool:
    """A pool without mated pairs gives the other kind: a test that is owed does not lapse for that."""
    return work.add_test(test) or (test.mated and work.add_test(replace(test, mated=False)))
