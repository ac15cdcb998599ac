"""Seeded tests of reviewers (S19): given after a decision, in the transaction that records it."""

from collections.abc import Callable
from datetime import datetime

from proviso.domain.review_ports import ReviewWork
from proviso.domain.seeding import plan


def top_up(
    work: ReviewWork,
    *,
    deployment_id: str,
    reviewer: str,
    now: datetime,
    chance: Callable[[], float],
    new_id: Callable[[], str],
) -> list[datetime]:
    """Give the reviewer the tests that are short; when they come due."""
    setting = work.test_setting(deployment_id, reviewer)
    planned = plan(setting, deployment_id=deployment_id, reviewer=reviewer, now=now, chance=chance, new_id=new_id)
    return [test.raised_at for test in planned if work.add_test(test)]
