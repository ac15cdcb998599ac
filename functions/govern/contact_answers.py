"""What the routes on contacts answer, for the API's description."""

from pydantic import Field

from proviso.domain.contacts import State
from proviso.domain.people import Role
from proviso.edge.answers import Answer, Moment


class ChannelState(Answer):
    """How the subscriptions of one address stand; the worst of them."""

    state: State
    since: Moment


class Reach(Answer):
    """What the last look at SNS found. `confirmed`: SNS sends there, which is all that it tells."""

    checked_at: Moment
    email: ChannelState
    phone: ChannelState


class Contact(Answer):
    """Where somebody is told, and of what."""

    sub: str
    email: str | None
    phone: str | None
    language: str
    places: list[str] = Field(description="empty for all")
    categories: list[str] = Field(description="empty for all")
    roles: list[Role] = Field(description="those of their roles that are told anything")
    set_by: str
    set_at: Moment
    reach: Reach | None = Field(description="null until the subscriptions were looked at since the last change")


class Contacts(Answer):
    """All contacts."""

    contacts: list[Contact]


class RemovedContact(Answer):
    """The addresses are gone."""

    removed: bool
