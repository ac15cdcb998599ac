"""What the functions ask AWS for, by event, and which prices that costs.

The counts are what was counted at the stand-in for AWS while the functions ran (`local/counting.py`), and
tests/integration/test_cost_counts.py counts them anew: a change that adds a request a frame fails there. What cannot be
counted on one machine is an assumption, and stands at the end.
"""

from collections.abc import Mapping

from proviso.domain.folding import FOLD_LOOKED_FOR_BACK

Asked = Mapping[str, int]
"""Requests by `service:operation`; `dynamodb:index` is a row that came into an index, changed there or left it."""

DETECT, MATCH, ALERT = "DetectFunction", "MatchFunction", "AlertFunction"
SWEEP, RETAIN, REVIEW, GRANT = "SweepFunction", "RetainFunction", "ReviewFunction", "GrantFunction"

# --- counted --------------------------------------------------------------------------------------------------------

PERMIT: Asked = {"s3:GetObject": 1}
"""Of it, a camera and call of detect: the permit."""
NO_FACE: Asked = {
    "dynamodb:GetItem": 1,
    "dynamodb:UpdateItem": 1,
    "dynamodb:index": 1,
    "s3:DeleteObject": 1,
    "s3:GetObject": 2,
}
"""detect, one upload without a usable face, its camera's permit included."""
WITH_FACES: Asked = {"dynamodb:GetItem": 1, "dynamodb:PutItem": 1, "s3:GetObject": 2, "sqs:SendMessage": 1}
"""detect, one upload with faces, its camera's permit included."""
SEARCHED: Asked = {"dynamodb:GetItem": 1, "dynamodb:UpdateItem": 1, "s3:DeleteObject": 1, "s3:GetObject": 2}
"""match, one upload."""
RAISED: Asked = {"s3:PutObject": 3}
"""match, more where a candidate is opened: evidence, notice, mark for the pages."""
TOLD: Asked = {
    "dynamodb:GetItem": 1,
    "dynamodb:UpdateItem": 3,
    "s3:GetObject": 5,
    "s3:PutObject": 1,
    "sns:request": 1,
}
"""alert, one notice to one contact."""
FOLDED: Asked = {"dynamodb:Query": 1}
"""retain, an hour of which frames were not searched, once it is over; its units come by the rows."""
RETAINED: Asked = {"s3:GetObject": 4, "s3:ListObjectsV2": 7}
"""retain, a run that finds nothing to do."""
WAITING: Asked = {"s3:GetObject": 1}
"""retain, more for each candidate that waits: is its notice there?"""
SWEPT: Asked = {"s3:ListObjectsV2": 3}
"""sweep, when nothing is due."""
LOOKED: Asked = {"dynamodb:Query": FOLD_LOOKED_FOR_BACK}
"""sweep, once a day at most: did frames end without being searched?"""
DUE_OBJECT: Asked = {"s3:GetObject": 1}
"""sweep, each object under due/, each minute."""
GRANTED: Asked = {"dynamodb:GetItem": 1, "s3:GetObject": 1}
"""grant, a camera's upload rights."""
WAKES: Asked = {"s3:PutObject": 1, "sqs:GetQueueAttributes": 6}
"""sweep, more when something is due."""
SUBSCRIPTIONS: Asked = {"s3:ListObjectsV2": 2, "sns:request": 2}
"""alert, by the clock."""
SUBSCRIPTION: Asked = {"s3:GetObject": 2, "s3:PutObject": 1}
"""alert, by the clock, each contact."""
PAGE: Asked = {"s3:GetObject": 2}
"""review, an open page asks whether something changed."""

BILLED: Mapping[str, tuple[str, float]] = {
    "s3:PutObject": ("s3_put", 1),
    "s3:PostObject": ("s3_put", 1),
    "s3:ListObjectsV2": ("s3_put", 1),
    "s3:GetObject": ("s3_get", 1),
    "s3:DeleteObject": ("s3_delete", 1),
    "dynamodb:PutItem": ("dynamodb_write", 1),
    "dynamodb:UpdateItem": ("dynamodb_write", 1),
    "dynamodb:index": ("dynamodb_write", 1),
    "dynamodb:GetItem": ("dynamodb_read", 1),
    "dynamodb:Query": ("dynamodb_read", 0.5),
    "sqs:SendMessage": ("sqs_request", 1),
    "sqs:GetQueueAttributes": ("sqs_request", 1),
    "sns:request": ("sns_request", 1),
}
"""Price and units of each request. A row has less than 1 KB, so a write is one unit; consistent reads of up to 4 KB are
one unit, others half of one."""

# --- AWS's own calls around the functions -----------------------------------------------------------------------------

MESSAGE_SENT, BATCH_TAKEN = 1, 2
"""SQS: S3's or detect's SendMessage a message; the mapping's receive and delete a batch of up to ten."""
POLLERS, POLL_S = 5, 20
"""An event source mapping long-polls an empty queue all the time. AWS names five pollers, which may go down to two."""

# --- assumed --------------------------------------------------------------------------------------------------------

WAIT_MS: Mapping[str, float] = {
    "s3:GetObject": 25,
    "s3:PutObject": 35,
    "s3:DeleteObject": 20,
    "s3:ListObjectsV2": 30,
    "dynamodb": 5,
    "sqs": 8,
    "sns": 20,
}
"""How long AWS takes to answer, in one region. AWS promises single-digit milliseconds for DynamoDB and names 100 to 200
for S3's first byte in the worst case; people measure 20 to 40 for small objects. `--waits` scales all of them."""
DATABASE_TRIPS: Mapping[str, int] = {MATCH: 14, RETAIN: 40}
"""Statements and commits of a call, each a millisecond of network beside the database's own time."""
ROW_BYTES = 400
"""A row of the ledger, in its index too."""
PLATFORM_LOG_BYTES, ACCESS_LOG_BYTES = 620, 300
"""platform.start and platform.report of a call in JSON; a line of the API's access log."""
STORED_SHARE = 0.15
"""Kept logs are charged compressed."""
LIVES_H = 2.0
"""After this long at the latest Lambda replaces an environment: that many cold starts."""
SESSION_H = 8.0
"""A use runs for so many hours at a time; after each the database stays up until it may sleep."""
PAGE_ASKS_H = 7200
"""An open page asks twice a second."""
WAITS_MIN = 2
"""A candidate waits so long for a decision."""
GRANTS_H, REQUESTS_A_SESSION = 8, 300
"""Upload rights a camera and hour; requests of people to the API in a session."""
DATABASE_IO, DATABASE_GB = {"search": 8, "minute": 20}, 0.2
"""Aurora's I/O of a search and of a minute; what the database holds."""
PICTURE_KB, ANSWER_KB = 60, 0.6
"""What goes out: pictures on the pages, answers to uploads and to pages that ask."""


def units(asked: Asked, times: float = 1) -> dict[str, float]:
    """What these requests are in the units of the price file."""
    found: dict[str, float] = {}
    for name, count in asked.items():
        key, each = BILLED[name]
        found[key] = found.get(key, 0.0) + count * each * times
    return found


def waits_ms(asked: Asked) -> float:
    """How long AWS takes to answer all of them, one after the other."""
    return sum(
        count * WAIT_MS.get(name, WAIT_MS.get(name.partition(":")[0], 0.0))
        for name, count in asked.items()
        if name != "dynamodb:index"
    )
