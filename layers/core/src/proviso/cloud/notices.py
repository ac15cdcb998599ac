"""Whether a notice may go out, and the going out: the one item a candidate in DynamoDB, and SNS (rule 6).

S3 events come twice, late and in any order. So alert asks this item first, and the item moves by conditional updates
only: its revision never falls, a claim is held for a lease, and what was settled is not sent again.

    revision 1 raised, 2 confirmed, 3 withdrawn
    state    claimed (since claimed_at) -> settled
    <kind>_outcome, <kind>_at           what became of each kind
    <kind>_to                           the accounts that it was sent to

A withdrawal goes out only where a confirmation may have gone out: one that was settled as sent, or one whose claim
ran out without a word. While a confirmation is being sent, the withdrawal waits (BUSY); where none went out, the
withdrawal is noted, so that a confirmation that comes late is dropped.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from proviso.cloud.faults import Unmet, faults
from proviso.domain.errors import ConfigurationFault
from proviso.domain.notice import REVISIONS, Kind, Notice, NoticeTexts
from proviso.domain.ports import NoticeClaim

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

NOT_TRIED = "not_tried"
NEVER_WENT_OUT = ("stale", "withheld", NOT_TRIED, "nobody")

_LAPSED = "(#state = :claimed AND claimed_at < :lapse)"
_NEVER = ", ".join(f":never{number}" for number in range(len(NEVER_WENT_OUT)))
_WITHHELD = f"(#state = :settled AND confirmed_outcome IN ({_NEVER}))"
_TRIED = f"(#state = :settled AND NOT confirmed_outcome IN ({_NEVER}))"
_CLAIM = f"attribute_not_exists(candidate_id) OR revision < :revision OR (revision = :revision AND {_LAPSED})"
_CLAIM_WITHDRAWAL = f"(revision = :confirmed AND ({_LAPSED} OR {_TRIED})) OR (revision = :revision AND {_LAPSED})"
_NOTE_WITHDRAWAL = (
    f"attribute_not_exists(candidate_id) OR revision < :confirmed OR (revision = :confirmed AND {_WITHHELD})"
)


class DynamoNotices:
    """AlertLedger on a table (key `candidate_id`, TTL attribute `expires_at`).

    `days_kept`: longer than any queue holds a message (14 days), or a late event would find no trace of the first.
    The lease must be longer than the alert function may run, or two calls may send one notice.
    """

    def __init__(self, client: "DynamoDBClient", table: str, days_kept: int = 15) -> None:
        self._client = client
        self._table = table
        self._kept = timedelta(days=days_kept)

    def claim(self, notice: Notice, now: datetime, lease_s: int) -> NoticeClaim:
        held = {
            ":claimed": {"S": "claimed"},
            ":lapse": {"N": str(_milliseconds(now) - lease_s * 1000)},
        }
        claimed = {
            "revision": {"N": str(notice.revision)},
            "state": {"S": "claimed"},
            "claimed_at": {"N": str(_milliseconds(now))},
            "expires_at": self._expiry(now),
        }
        if notice.kind is not Kind.WITHDRAWN:
            if self._update(notice, _CLAIM, claimed, held):
                return NoticeClaim.MINE
            return _standing(self._item(notice.candidate_id), notice)

        never = {f":never{number}": {"S": outcome} for number, outcome in enumerate(NEVER_WENT_OUT)}
        confirmed = {":settled": {"S": "settled"}, ":confirmed": {"N": str(REVISIONS[Kind.CONFIRMED])}, **never}
        if self._update(notice, _CLAIM_WITHDRAWAL, claimed, held | confirmed):
            return NoticeClaim.MINE
        noted = {
            "revision": {"N": str(notice.revision)},
            "state": {"S": "settled"},
            "withdrawn_outcome": {"S": NOT_TRIED},
            "withdrawn_at": {"S": _text(now)},
            "expires_at": self._expiry(now),
        }
        if self._update(notice, _NOTE_WITHDRAWAL, noted, confirmed):
            return NoticeClaim.NOT_TRIED
        return _standing(self._item(notice.candidate_id), notice)

    def settle(self, notice: Notice, outcome: str, now: datetime) -> None:
        kind = notice.kind.value
        told = {f"{kind}_outcome": {"S": outcome}, f"{kind}_at": {"S": _text(now)}, "expires_at": self._expiry(now)}
        whole = {"revision": {"N": str(notice.revision)}, "state": {"S": "settled"}, **told}
        if self._update(notice, "attribute_not_exists(candidate_id) OR revision <= :revision", whole, {}):
            return
        # A higher revision has the item by now: its state is not ours to change, what became of ours is still told.
        self._update(notice, "attribute_exists(candidate_id)", told, {})

    def told(self, candidate_id: str, kind: Kind) -> frozenset[str]:
        found: Sequence[str] = self._item(candidate_id).get(f"{kind.value}_to", {"SS": []})["SS"]
        return frozenset(found)

    def note_told(self, notice: Notice, subs: Sequence[str], now: datetime) -> None:
        with faults("dynamodb:UpdateItem", f"{self._table}/{notice.candidate_id}"):
            self._client.update_item(
                TableName=self._table,
                Key={"candidate_id": {"S": notice.candidate_id}},
                UpdateExpression="SET expires_at = :expires ADD #to :subs",
                ExpressionAttributeNames={"#to": f"{notice.kind.value}_to"},
                ExpressionAttributeValues={":subs": {"SS": sorted(set(subs))}, ":expires": self._expiry(now)},
            )

    def has(self, candidate_id: str) -> bool:
        return bool(self._item(candidate_id))

    def delete(self, candidate_id: str) -> None:
        """DynamoDB answers the same when there is nothing to delete."""
        with faults("dynamodb:DeleteItem", f"{self._table}/{candidate_id}"):
            self._client.delete_item(TableName=self._table, Key={"candidate_id": {"S": candidate_id}})

    def _update(self, notice: Notice, condition: str, values: dict[str, Any], more: dict[str, Any]) -> bool:
        """One conditional update; False when the condition does not hold."""
        given = {f":set_{name}": value for name, value in values.items()} | more
        if ":revision" in condition:
            given[":revision"] = {"N": str(notice.revision)}
        try:
            with faults("dynamodb:UpdateItem", f"{self._table}/{notice.candidate_id}"):
                self._client.update_item(
                    TableName=self._table,
                    Key={"candidate_id": {"S": notice.candidate_id}},
                    UpdateExpression="SET " + ", ".join(f"#{name} = :set_{name}" for name in values),
                    ConditionExpression=condition,
                    ExpressionAttributeNames={f"#{name}": name for name in values}
                    | ({"#state": "state"} if "#state" in condition else {}),
                    ExpressionAttributeValues=given,
                )
        except Unmet:
            return False
        return True

    def _item(self, candidate_id: str) -> Mapping[str, Any]:
        with faults("dynamodb:GetItem", f"{self._table}/{candidate_id}"):
            answer = self._client.get_item(
                TableName=self._table, Key={"candidate_id": {"S": candidate_id}}, ConsistentRead=True
            )
        return answer.get("Item", {})

    def _expiry(self, now: datetime) -> dict[str, str]:
        return {"N": str(int((now + self._kept).timestamp()))}


class SnsPublisher:
    """Publisher on SNS topics, one an audience: `{"reviewers": arn, "recipients": arn}`.

    `to` is a message attribute: each subscription has a filter for its one account, and lets pass what names it.
    """

    def __init__(self, client: "SNSClient", topics: Mapping[str, str]) -> None:
        self._client = client
        self._topics = dict(topics)

    def publish(self, audience: str, notice: Notice, texts: NoticeTexts, to: Sequence[str]) -> None:
        topic = self._topics.get(audience)
        if not topic:
            raise ConfigurationFault(f"there is no topic for the audience {audience!r}; set its topic's ARN")
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            "kind": {"DataType": "String", "StringValue": notice.kind.value},
            "deployment": {"DataType": "String", "StringValue": notice.deployment_id},
            "to": {"DataType": "String.Array", "StringValue": json.dumps(list(to))},
            "AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"},
        }
        with faults("sns:Publish", f"{topic} for {notice.candidate_id} {notice.kind.value}"):
            self._client.publish(
                TopicArn=topic,
                MessageStructure="json",
                Message=json.dumps({"default": texts.sms, "sms": texts.sms, "email": texts.email}),
                Subject=texts.subject,
                MessageAttributes=attributes,
            )


def _standing(item: Mapping[str, Any], notice: Notice) -> NoticeClaim:
    """What the item says to a notice that could not claim it. Where it moved meanwhile: come back later."""
    revision = int(item.get("revision", {"N": "0"})["N"])
    if revision > notice.revision:
        return NoticeClaim.SUPERSEDED
    if revision < notice.revision or item["state"]["S"] != "settled":
        return NoticeClaim.BUSY
    outcome = item.get(f"{notice.kind.value}_outcome", {"S": ""})["S"]
    return NoticeClaim.NOT_TRIED if outcome == NOT_TRIED else NoticeClaim.SENT


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
