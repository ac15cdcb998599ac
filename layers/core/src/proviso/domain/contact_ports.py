"""What the stages ask for about contacts: the outbox bucket's three documents and SNS's subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from proviso.domain.contacts import Address, Channel, Contact, Members, Reach
from proviso.domain.notice import Kind, Notice
from proviso.domain.ports import NoticeLedger
from proviso.domain.subscriptions import Listing


class ContactBoard(Protocol):
    """govern's side: contacts/<account>.json and members/<deployment>.json out, subscriptions/<account>.json back."""

    def put_contact(self, contact: Contact) -> None:
        """Write it; alert hears of it and makes or ends subscriptions."""

    def remove_contact(self, sub: str) -> None:
        """Delete it; alert hears of it and ends its subscriptions. Removing what is gone is no fault."""

    def put_members(self, deployment_id: str, members: Members) -> None: ...

    def reach(self, sub: str) -> Reach | None:
        """What alert last found; None when it never looked, or when that cannot be understood."""


class ContactDesk(Protocol):
    """alert's side of the same documents."""

    def contact(self, sub: str) -> Contact | None:
        """None when there is none; ValueError when it cannot be understood."""

    def contacts(self, subs: Sequence[str]) -> dict[str, Contact]:
        """Those of these accounts that have one which can be understood."""

    def subs(self) -> list[str]:
        """Every account that has one, readable or not."""

    def members(self, deployment_id: str) -> Members | None:
        """None when there are none; ValueError when they cannot be understood."""

    def reach(self, sub: str) -> Reach | None: ...

    def put_reach(self, sub: str, reach: Reach) -> None: ...

    def remove_reach(self, sub: str) -> None: ...

    def reached(self) -> list[str]:
        """Every account that has a record of its subscriptions."""


class Subscriptions(Protocol):
    """SNS's subscriptions to the two topics. StorageFault when SNS does not answer."""

    def listing(self) -> Listing:
        """All by SMS and e-mail, as SNS shows them now: it may lag."""

    def subscribe(self, audience: str, channel: Channel, address: Address, sub: str) -> str | None:
        """Subscribe with the filter that lets pass what is `to` this account alone. The ARN, confirmed or not; None
        when the address has a subscription with another filter. Asked again for what is there, it changes nothing, and
        sends the confirmation once more where that is waited for."""

    def unsubscribe(self, arn: str) -> None:
        """End it. What is gone already, or was never confirmed, is no fault."""


class AlertLedger(NoticeLedger, Protocol):
    """The ledger of notices, with who was told."""

    def told(self, candidate_id: str, kind: Kind) -> frozenset[str]:
        """The accounts that a notice of this kind was sent to."""

    def note_told(self, notice: Notice, subs: Sequence[str], now: datetime) -> None:
        """Add to them, as soon as SNS has taken it."""
