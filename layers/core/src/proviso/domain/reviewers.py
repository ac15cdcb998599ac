"""How reviewers answer tests (S19): what an authoriser is shown of each, every rate with its count and interval."""

from dataclasses import dataclass
from datetime import datetime

from proviso.domain.rates import Rate, rate


@dataclass(frozen=True, slots=True)
class ReviewerAnswers:
    """One reviewer's tests since their latest training. `non_mates` and `mates` count answers of confirm or reject by
    what was right; "cannot tell" counts as neither right nor wrong. `unanswered`: come due, and left until too late.

    `limit_percent` is the strictest error limit of the deployments that are not over; `denied`: surely wrong more often
    than that, as the database says when it refuses a decision.
    """

    sub: str
    trained_until: datetime | None
    rated_from: datetime | None
    non_mates: int
    confirmed_non_mates: int
    mates: int
    rejected_mates: int
    cannot_tell: int
    unanswered: int
    limit_percent: int
    denied: bool

    @property
    def tests(self) -> int:
        """All that were answered."""
        return self.non_mates + self.mates + self.cannot_tell

    @property
    def wrong(self) -> Rate | None:
        """Of all tests answered with confirm or reject; None where there are none: not measured."""
        return _measured(self.confirmed_non_mates + self.rejected_mates, self.non_mates + self.mates)

    @property
    def strangers_confirmed(self) -> Rate | None:
        """Of the pairs of different people: the error that stops somebody in the street."""
        return _measured(self.confirmed_non_mates, self.non_mates)

    @property
    def mates_rejected(self) -> Rate | None:
        """Of the pairs that show one person."""
        return _measured(self.rejected_mates, self.mates)


def _measured(count: int, total: int) -> Rate | None:
    return rate(count, total) if total else None
