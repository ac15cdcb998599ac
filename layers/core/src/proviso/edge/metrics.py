"""Every metric that there is. `count` takes nothing else, so that none is written that is not listed here.

A custom metric is charged by the month for each pair of name and function. So what one only looks up afterwards is a
field of a log line, and a metric is what somebody is woken for or what a graph needs. docs/telemetry.md is made from
it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

NAMESPACE = "Proviso"
DIMENSION = "service"
Unit = Literal["Count", "Milliseconds"]


@dataclass(frozen=True, slots=True)
class Described:
    """A metric's name, its unit, the functions that write it (its dimension `service`), and when.

    `when`: "idle": also while nothing is deployed; "active": with every frame or candidate; "fault": when something
    went wrong, so in most months not at all.
    """

    name: str
    unit: Unit
    services: tuple[str, ...]
    when: Literal["idle", "active", "fault"]
    description: str


QUEUES = ("alert", "detect", "match")
PEOPLE_WITH_DATABASE = ("enrol", "govern", "retain", "review")
PEOPLE = ("enrol", "govern", "grant", "report", "retain", "review")


class Metric(Enum):
    """The catalogue."""

    CONTACTS_UNREACHABLE = Described(
        "ContactsUnreachable",
        "Count",
        ("alert",),
        "idle",
        "each five minutes: addresses of people to be told that are not confirmed or have vanished; 0 when all is well",
    )
    CANDIDATES = Described(
        "Candidates", "Count", ("match",), "active", "with a frame that raised candidates, or sighted them again"
    )
    FACES_SEARCHED = Described("FacesSearched", "Count", ("match",), "active", "with every searched frame: its faces")
    DECISION_CONFIRM = Described(
        "Decision.confirm", "Count", ("review",), "active", "with a reviewer's decision on a real candidate"
    )
    DECISION_REJECT = Described("Decision.reject", "Count", ("review",), "active", "as above")
    DECISION_CANNOT_TELL = Described("Decision.cannot_tell", "Count", ("review",), "active", "as above")
    ANCHORS_LATE = Described(
        "AnchorsLate",
        "Count",
        ("retain",),
        "active",
        "with each run of retain: chains of the audit whose heads should be anchored and are not",
    )
    WOKEN = Described(
        "Swept.woken",
        "Count",
        ("sweep",),
        "active",
        "with each run of sweep that woke retain; never 0, so idle it is not",
    )
    UPLOAD_TO_SEARCHED = Described(
        "UploadToSearched",
        "Milliseconds",
        ("match",),
        "active",
        "with every searched frame: from its receipt by detect to its outcome; its sample count is frames searched",
    )
    FRAME_ORPHANED = Described(
        "Frame.orphaned",
        "Count",
        ("detect", "match"),
        "fault",
        "a frame was gone and nobody had said why",
    )
    MESSAGE_ENDED = Described(
        "MessageEnded", "Count", ("match",), "fault", "a message was ended without an outcome after several faults"
    )
    FAULT = Described(
        "Fault",
        "Count",
        (*QUEUES, *PEOPLE),
        "fault",
        "a message failed and will come back, or a request ended in one of our faults; the log names its class",
    )
    DATABASE_AWAY = Described(
        "Fault.DatabaseAway",
        "Count",
        ("match", *PEOPLE_WITH_DATABASE),
        "fault",
        "the database was away or waking; a request was answered with 503, a frame waited",
    )
    AUDIT_UNWRITABLE = Described(
        "Fault.AuditUnwritable",
        "Count",
        ("match", *PEOPLE_WITH_DATABASE),
        "fault",
        "something was refused, or stopped without its record, because the audit could not be written",
    )
    SUSPENDED = Described(
        "Suspended", "Count", ("retain",), "fault", "deployments that a safeguard suspended (S26, S27)"
    )
    NOT_CLOSED = Described(
        "NotClosed", "Count", ("retain",), "fault", "deployments and lists that are over and not counted to zero"
    )


def of(when: str) -> int:
    """How many custom metrics CloudWatch counts: pairs of name and function."""
    return sum(len(one.value.services) for one in Metric if one.value.when == when)
