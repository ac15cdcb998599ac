"""Subscriptions as SNS keeps them, where moto makes less of it.

moto sends to an e-mail address at once. SNS first asks its owner, sends nothing until they answered, refuses to take
such a subscription away, and refuses a second Subscribe with other attributes. Code that was only ever tried against
moto would learn all of this in AWS. Whether a subscription waits is kept where moto keeps it: PendingConfirmation.
"""

import functools
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proviso.local.template import ACCOUNT, REGION

_ASKED = ("email", "email-json")
_PENDING = "PendingConfirmation"
# What the API says in place of an ARN, in the answer to Subscribe and in lists.
_NO_ARN = ("pending confirmation", _PENDING)

Patch = tuple[Any, str, Any, Any]


@dataclass(frozen=True, slots=True)
class Subscribed:
    """One subscription. `waits`: its address has not been confirmed, and nothing is sent there."""

    arn: str
    topic: str
    protocol: str
    address: str
    waits: bool


def waits(subscription: Any) -> bool:
    """Does this subscription of moto's wait for its owner's word?"""
    return subscription.attributes.get(_PENDING) is True


class Subscriptions:
    """What is subscribed in moto. `ask` is called when SNS would send its request to confirm an address.

    `lock` holds off the sending while a subscription is made: moto adds the filter after the subscription. `changed` is
    called after an owner's word.
    """

    def __init__(self, ask: Callable[[Subscribed], None], lock: threading.RLock) -> None:
        self._ask = ask
        self._lock = lock
        self.changed: Callable[[], None] = lambda: None

    def all(self) -> list[Subscribed]:
        return [_shown(one) for one in self._found()]

    def confirm(self, address: str, topic: str = "") -> int:
        """What the owner's click does; returns how many subscriptions of that address waited for it."""
        return self._change(address, topic, to=False)

    def unconfirm(self, address: str, topic: str = "") -> int:
        """Make confirmed e-mail subscriptions of that address wait again, which only tests want; returns how many."""
        return self._change(address, topic, to=True)

    def confirm_all(self) -> None:
        """Everything that waits counts as confirmed."""
        for one in self._found():
            if waits(one):
                one.attributes[_PENDING] = False

    def _found(self) -> list[Any]:
        from moto.backends import get_backend

        backend: Any = get_backend("sns")[ACCOUNT][REGION]
        return list(backend.subscriptions.values())

    def _change(self, address: str, topic: str, *, to: bool) -> int:
        with self._lock:
            changed = [
                one
                for one in self._found()
                if one.protocol in _ASKED
                and one.endpoint == address
                and topic in ("", one.topic.arn)
                and waits(one) is not to
            ]
            for one in changed:
                one.attributes[_PENDING] = to
        if changed:
            self.changed()
        return len(changed)

    def patches(self) -> list[Patch]:
        """What must be set on moto's classes: owner, name, new, old."""
        from moto.sns.models import SNSBackend
        from moto.sns.responses import SNSResponse

        owners: dict[Any, list[tuple[str, Callable[..., Any]]]] = {
            SNSBackend: [("subscribe", self._made), ("unsubscribe", self._taken_away)],
            SNSResponse: [
                ("subscribe", self._subscribed),
                ("list_subscriptions", self._listed),
                ("list_subscriptions_by_topic", self._listed),
            ],
        }
        return [
            (owner, name, _instead(new, getattr(owner, name)), getattr(owner, name))
            for owner, changes in owners.items()
            for name, new in changes
        ]

    def _made(self, old: Callable[..., Any], backend: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
        known = backend._find_subscription(topic_arn, endpoint, protocol)
        made = old(backend, topic_arn, endpoint, protocol)
        if known is None and protocol in _ASKED:
            made.attributes[_PENDING] = True
        return made

    def _taken_away(self, old: Callable[..., Any], backend: Any, subscription_arn: str) -> None:
        from moto.sns.exceptions import SNSInvalidParameter

        if subscription_arn in _NO_ARN:
            raise SNSInvalidParameter(
                "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"
            )
        if any(one.arn == subscription_arn and waits(one) for one in self._found()):
            raise SNSInvalidParameter(
                "Invalid parameter: SubscriptionArn Reason: "
                "Cannot unsubscribe a subscription that is pending confirmation"
            )
        old(backend, subscription_arn)

    def _subscribed(self, old: Callable[..., Any], response: Any) -> Any:
        from moto.core.responses import ActionResult
        from moto.sns.exceptions import SNSInvalidParameter

        asked = [response._get_param(name) for name in ("TopicArn", "Endpoint", "Protocol")]
        with self._lock:
            known = response.backend._find_subscription(*asked)
            if known is not None and not _same(response._get_param("Attributes", {}), known.attributes):
                raise SNSInvalidParameter(
                    "Invalid parameter: Attributes Reason: Subscription already exists with different attributes"
                )
            answer = old(response)
            made = response.backend._find_subscription(*asked)
        if made is None or not waits(made):
            return answer
        self._ask(_shown(made))
        wants_arn = str(response._get_param("ReturnSubscriptionArn")).lower() == "true"
        return answer if wants_arn else ActionResult({"SubscriptionArn": _NO_ARN[0]})

    def _listed(self, old: Callable[..., Any], response: Any) -> Any:
        from moto.core.responses import ActionResult

        result = old(response).result
        rows = [
            {
                "SubscriptionArn": _PENDING if waits(one) else one.arn,
                "Owner": one.owner,
                "Protocol": one.protocol,
                "Endpoint": one.endpoint,
                "TopicArn": one.topic.arn,
            }
            for one in result["Subscriptions"]
        ]
        return ActionResult({**result, "Subscriptions": rows})


def _instead(new: Callable[..., Any], old: Callable[..., Any]) -> Callable[..., Any]:
    """A method of moto's class that calls `new` with the method in whose place it stands."""

    @functools.wraps(old)
    def method(owner: Any, *args: Any, **named: Any) -> Any:
        return new(old, owner, *args, **named)

    return method


def _shown(one: Any) -> Subscribed:
    return Subscribed(one.arn, one.topic.arn, one.protocol, one.endpoint, waits(one))


def _same(given: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    """Are all attributes that were given those that are held? Filters are compared as JSON, not as text."""
    return all(_plain(value) == _plain(held.get(name)) for name, value in given.items())


def _plain(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
