"""What the routes on holds answer, for the API's description."""

from proviso.domain.holds import HoldKind
from proviso.edge.answers import Answer, Moment


class Hold(Answer):
    """What keeps a candidate's evidence."""

    id: str
    candidate_id: str
    kind: HoldKind
    reason: str
    held_by: str
    held_at: Moment
    until: Moment
    released_by: str | None
    released_at: Moment | None


class Holds(Answer):
    """All holds on a candidate's evidence."""

    holds: list[Hold]


class Released(Answer):
    """The hold is over."""

    released: bool
