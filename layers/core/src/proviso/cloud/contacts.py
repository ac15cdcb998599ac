"""Contacts on AWS: the documents in the outbox bucket by which govern and alert speak of them, and SNS's subscriptions.

    contacts/<account>.json        written by govern, read by alert: addresses
    members/<deployment>.json      written by govern, read by alert
    subscriptions/<account>.json   written by alert, read by govern: how the subscriptions stand

No address is in a fault, a log or a key. SNS's own messages may quote one, so they are not handed on either.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

from proviso.cloud import objects
from proviso.cloud.faults import faults
from proviso.domain.contacts import Address, Channel, Contact, Members, Reach
from proviso.domain.errors import StorageFault
from proviso.domain.subscriptions import Listing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

CONTACTS, MEMBERS, SUBSCRIPTIONS = "contacts/", "members/", "subscriptions/"
_JSON = "application/json"
_MOST = 256 * 1024  # bytes; a contact with its rules has at most about 8,000, a thousand members about 40,000
_AT_ONCE = 8
_PENDING, _DELETED = "PendingConfirmation", "Deleted"


def contact_key(sub: str) -> str:
    """Where an account's contact lies."""
    return f"{CONTACTS}{quote(sub, safe='')}.json"


def sub_of(key: str) -> str | None:
    """The account of a contact's key; None when it is no such key."""
    name = key.removeprefix(CONTACTS).removesuffix(".json")
    return unquote(name) if name and contact_key(unquote(name)) == key else None


class S3Contacts:
    """ContactBoard and ContactDesk on the outbox bucket."""

    def __init__(self, client: "S3Client", bucket: str, page: int = objects.PAGE) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page

    def put_contact(self, contact: Contact) -> None:
        self._put(contact_key(contact.sub), contact.to_json())

    def remove_contact(self, sub: str) -> None:
        objects.delete(self._client, self._bucket, contact_key(sub))

    def contact(self, sub: str) -> Contact | None:
        body = self._get(contact_key(sub))
        return None if body is None else Contact.from_json(sub, body)

    def contacts(self, subs: Sequence[str]) -> dict[str, Contact]:
        def one(sub: str) -> Contact | None:
            try:
                return self.contact(sub)
            except ValueError:
                return None

        if not subs:
            return {}
        with ThreadPoolExecutor(min(_AT_ONCE, len(subs))) as pool:
            return {sub: found for sub, found in zip(subs, pool.map(one, subs), strict=True) if found is not None}

    def subs(self) -> list[str]:
        return self._named(CONTACTS)

    def put_members(self, deployment_id: str, members: Members) -> None:
        self._put(members_key(deployment_id), members.to_json())

    def members(self, deployment_id: str) -> Members | None:
        body = self._get(members_key(deployment_id))
        return None if body is None else Members.from_json(body)

    def reach(self, sub: str) -> Reach | None:
        """A record that cannot be understood is none: the next look writes it anew."""
        with suppress(ValueError):
            body = self._get(_reach_key(sub))
            return None if body is None else Reach.from_json(body)
        return None

    def put_reach(self, sub: str, reach: Reach) -> None:
        self._put(_reach_key(sub), reach.to_json())

    def remove_reach(self, sub: str) -> None:
        objects.delete(self._client, self._bucket, _reach_key(sub))

    def reached(self) -> list[str]:
        return self._named(SUBSCRIPTIONS)

    def _named(self, prefix: str) -> list[str]:
        listed = objects.listed(self._client, self._bucket, prefix, self._page)
        return sorted(unquote(item.key.removeprefix(prefix).removesuffix(".json")) for item in listed)

    def _put(self, key: str, body: str) -> None:
        objects.write(self._client, self._bucket, key, body.encode(), _JSON)

    def _get(self, key: str) -> bytes | None:
        body = objects.read(self._client, self._bucket, key, _MOST)
        if isinstance(body, objects.TooLarge):
            raise ValueError(f"a document of this kind does not have {body.size} bytes")
        return body


class SnsSubscriptions:
    """Subscriptions on the topics of `SnsPublisher`."""

    def __init__(self, client: "SNSClient", topics: Mapping[str, str]) -> None:
        self._client = client
        self._topics = dict(topics)

    def listing(self) -> Listing:
        found: dict[tuple[str, Channel, str], str] = {}
        known = {channel.value: channel for channel in Channel}
        for audience, topic in self._topics.items():
            token = ""
            while True:
                with faults("sns:ListSubscriptionsByTopic", topic):
                    asked = {"NextToken": token} if token else {}
                    answer = self._client.list_subscriptions_by_topic(TopicArn=topic, **asked)
                for one in answer["Subscriptions"]:
                    arn = one["SubscriptionArn"]
                    if one["Protocol"] in known and arn != _DELETED:  # shown for days after its end
                        key = (audience, known[one["Protocol"]], one["Endpoint"].casefold())
                        found[key] = "" if arn == _PENDING else arn
                token = answer.get("NextToken", "")
                if not token:
                    break
        return found

    def subscribe(self, audience: str, channel: Channel, address: Address, sub: str) -> str | None:
        topic = self._topics[audience]
        with faults("sns:Subscribe", f"{topic} for {sub}"):
            try:
                answer = self._client.subscribe(
                    TopicArn=topic,
                    Protocol=channel.value,
                    Endpoint=address.value,
                    Attributes={"FilterPolicy": json.dumps({"to": [sub]})},
                    ReturnSubscriptionArn=True,
                )
            except ClientError as error:
                said = error.response.get("Error", {})
                code, message = said.get("Code", "unknown"), said.get("Message", "")
                if code == "InvalidParameter" and "different attributes" in message:
                    return None
                raise StorageFault(f"sns:Subscribe {topic} for {sub}: {code}") from None  # it may quote the address
        return answer["SubscriptionArn"]

    def unsubscribe(self, arn: str) -> None:
        with faults("sns:Unsubscribe", arn):
            try:
                self._client.unsubscribe(SubscriptionArn=arn)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code not in ("NotFound", "InvalidParameter"):  # gone; or pending, which ends by itself in two days
                    raise


def members_key(deployment_id: str) -> str:
    """Where a deployment's members lie."""
    return f"{MEMBERS}{quote(deployment_id, safe='')}.json"


def _reach_key(sub: str) -> str:
    return f"{SUBSCRIPTIONS}{quote(sub, safe='')}.json"
