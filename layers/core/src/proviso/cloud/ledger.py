"""The ledger: one DynamoDB row a frame, so that a frame has exactly one outcome, whatever is delivered twice (rule 3).

The two moves are conditional writes: `received` only where there is no row, a final outcome only where none is set.
A row that retain is to fold into the audit carries `fold`, the UTC hour in which it ended, and stands under it in the
sparse index `by_fold` until it expires. Searched frames never carry it: match has audited them in its own transaction.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from proviso.cloud.faults import Unmet, faults
from proviso.domain.errors import StorageFault
from proviso.domain.folding import LEDGER_KEPT, fold_hour
from proviso.domain.frame import Counts, LedgerEntry, Outcome, shown
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "by_fold"
_COUNTS = ("detected", "refused", "searched", "not_searched", "candidates")
_UNSET = "attribute_not_exists(#outcome) OR #outcome = :received"


class DynamoLedger:
    """Ledger on a table (key `frame_key`, index `by_fold`, TTL attribute `expires_at`).

    `kept`: how long a row lives; retain must have folded it by then. `page`: rows to a request of a query or scan.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        clock: Clock,
        kept: timedelta = LEDGER_KEPT,
        page: int | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._kept = kept
        self._page = page

    def received(self, key: str, camera: str | None, at: datetime) -> LedgerEntry:
        item = {
            "frame_key": {"S": key},
            "outcome": {"S": Outcome.RECEIVED.value},
            "received_at": {"S": _text(at)},
            "expires_at": self._expiry(),
        }
        if camera is not None:
            item["camera"] = {"S": camera}
        try:
            with faults("dynamodb:PutItem", self._place(key)):
                self._client.put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(frame_key)"
                )
        except Unmet:
            if (entry := self.get(key)) is None:
                raise StorageFault(f"{self._place(key)}: the row expired while it was looked at") from None
            return entry
        return LedgerEntry(key=key, outcome=Outcome.RECEIVED, received_at=at, camera=camera)

    def finish(self, entry: LedgerEntry) -> bool:
        """As the port says. Writes the row where there is none. ValueError when RECEIVED is to be a final outcome.

        When an answer is lost on the way and botocore asks again, the winner is told False. Then nobody deletes the
        frame at once, and sweep does it by its age.
        """
        if entry.outcome is Outcome.RECEIVED:
            raise ValueError("received is not a final outcome")
        finished_at = entry.finished_at or self._clock()
        values: dict[str, Any] = {
            "outcome": {"S": entry.outcome.value},
            "finished_at": {"S": _text(finished_at)},
            "expires_at": self._expiry(),
            "detail": {"S": entry.detail},
            "counts": {"M": {name: {"N": str(getattr(entry.counts, name))} for name in _COUNTS}},
            "stages": {"L": [{"L": [{"S": name}, {"N": f"{ms:.3f}"}]} for name, ms in entry.stages]},
        }
        if entry.reason is not None:
            values["reason"] = {"S": entry.reason.value}
        if entry.deployment_id is not None:
            values["deployment_id"] = {"S": entry.deployment_id}
        if entry.outcome is not Outcome.SEARCHED:
            values["fold"] = {"S": fold_hour(finished_at)}
        # What `received` wrote stays; it is written here only where `received` never ran.
        kept = {"received_at": {"S": _text(entry.received_at)}}
        if entry.camera is not None:
            kept["camera"] = {"S": entry.camera}
        changes = [f"#{name} = :{name}" for name in values]
        changes += [f"#{name} = if_not_exists(#{name}, :{name})" for name in kept]
        try:
            with faults("dynamodb:UpdateItem", self._place(entry.key)):
                self._client.update_item(
                    TableName=self._table,
                    Key={"frame_key": {"S": entry.key}},
                    UpdateExpression="SET " + ", ".join(changes),
                    ConditionExpression=_UNSET,
                    ExpressionAttributeNames={f"#{name}": name for name in (*values, *kept)},
                    ExpressionAttributeValues={
                        ":received": {"S": Outcome.RECEIVED.value},
                        **{f":{name}": value for name, value in (values | kept).items()},
                    },
                )
        except Unmet:
            return False
        return True

    def get(self, key: str) -> LedgerEntry | None:
        with faults("dynamodb:GetItem", self._place(key)):
            answer = self._client.get_item(TableName=self._table, Key={"frame_key": {"S": key}}, ConsistentRead=True)
        return self._entry(answer["Item"]) if "Item" in answer else None

    def not_searched(self, hour: str) -> Iterator[LedgerEntry]:
        names = ("frame_key", "camera", "outcome", "reason", "received_at", "finished_at")
        return self._read(
            "query",
            IndexName=INDEX,
            KeyConditionExpression="#fold = :hour",
            ProjectionExpression=", ".join(f"#{name}" for name in names),
            ExpressionAttributeNames={f"#{name}": name for name in ("fold", *names)},
            ExpressionAttributeValues={":hour": {"S": hour}},
        )

    def entries(self) -> list[LedgerEntry]:
        return sorted(self._read("scan"), key=lambda row: (row.received_at, row.key))

    def _read(self, operation: Literal["query", "scan"], **request: Any) -> Iterator[LedgerEntry]:
        if self._page is not None:
            request["Limit"] = self._page
        pages = iter(self._client.get_paginator(operation).paginate(TableName=self._table, **request))
        return (self._entry(item) for item in _items(pages, f"dynamodb:{operation.capitalize()}", self._table))

    def _entry(self, item: Mapping[str, Any]) -> LedgerEntry:
        try:
            return _entry(item)
        except (KeyError, ValueError, TypeError) as error:
            key = item.get("frame_key", {}).get("S", "?")
            raise StorageFault(f"{self._place(key)}: the row cannot be read: {type(error).__name__}") from error

    def _expiry(self) -> dict[str, str]:
        return {"N": str(int((self._clock() + self._kept).timestamp()))}

    def _place(self, key: str) -> str:
        return f"{self._table}/{shown(key)}"


def _items(pages: Iterator[Any], action: str, table: str) -> Iterable[Mapping[str, Any]]:
    while True:
        with faults(action, table):
            page = next(pages, None)
        if page is None:
            return
        yield from page["Items"]


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _entry(item: Mapping[str, Any]) -> LedgerEntry:
    texts = {name: value["S"] for name, value in item.items() if "S" in value}
    counts = {name: int(value["N"]) for name, value in item.get("counts", {"M": {}})["M"].items() if name in _COUNTS}
    stages = item.get("stages", {"L": []})["L"]
    return LedgerEntry(
        key=texts["frame_key"],
        outcome=Outcome(texts["outcome"]),
        received_at=datetime.fromisoformat(texts["received_at"]),
        reason=Reason(texts["reason"]) if "reason" in texts else None,
        detail=texts.get("detail", ""),
        camera=texts.get("camera"),
        deployment_id=texts.get("deployment_id"),
        counts=Counts(**counts),
        finished_at=datetime.fromisoformat(texts["finished_at"]) if "finished_at" in texts else None,
        stages=tuple((name["S"], float(ms["N"])) for name, ms in (pair["L"] for pair in stages)),
    )
