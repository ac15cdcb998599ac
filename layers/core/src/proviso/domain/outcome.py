"""Outcomes (S22): what became of a confirmed candidate, as its recipients found it. Each is kept, the latest stands.

It is asked for during a day. What nobody records is closed as "not recorded", which is counted and published like any
other result, and holds up nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from proviso.domain.contacts import same_place

ASKED_FOR = timedelta(hours=24)
"""How long after its confirmation a candidate is shown to its recipients, and its outcome asked for."""


class Result(StrEnum):
    """Was the person spoken to, and were they who was listed? `not_recorded` is said by retain alone."""

    NOT_ENGAGED = "not_engaged"
    ENGAGED_RIGHT = "engaged_right"
    ENGAGED_WRONG = "engaged_wrong"
    NOT_RECORDED = "not_recorded"


ENGAGED = (Result.ENGAGED_RIGHT, Result.ENGAGED_WRONG)


class Action(StrEnum):
    """What was done then; `none` where nobody was engaged, or nothing came of it."""

    NONE = "none"
    CONVERSATION = "conversation"
    HELP = "help"
    SEARCH = "search"
    ARREST = "arrest"
    REMOVAL = "removal"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One of them, by whom and when. Holds on the evidence follow from it in the database (S24)."""

    id: str
    candidate_id: str
    result: Result
    action: Action
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Takes:
    """Of which places and categories somebody is told: none named are all of them."""

    places: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def takes(self, place: str, category: str) -> bool:
        return (not self.places or same_place(place, self.places)) and (
            not self.categories or category in self.categories
        )


def outcome_fault(result: Result, action: Action) -> str | None:
    """Why a person cannot say this, or None."""
    if result is Result.NOT_RECORDED:
        return "result: say what you found; what nobody records is closed as not recorded by itself"
    if action is not Action.NONE and result not in ENGAGED:
        return f"action: {action.value} needs that somebody was engaged"
    return None
