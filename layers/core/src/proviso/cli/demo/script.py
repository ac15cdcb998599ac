"""The script: each act of the demonstration as one method, done as a signed-in person through the HTTP API.

The end-to-end tests play the same acts in other orders. Nothing here reaches into the system but to look: the ledger,
the frames bucket and the inbox are read to say what happened.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from proviso import __version__
from proviso.cli.api import Api, ApiFault
from proviso.cli.demo.cameras import Cameras, Sent
from proviso.cli.demo.photographs import enrolment_picture
from proviso.cli.demo.scene import NORTH, OUTSIDE, SOUTH, Studio
from proviso.cli.deployments import GROUNDS
from proviso.domain.frame import LedgerEntry, Outcome
from proviso.domain.policy import Policy
from proviso.local.cloud import LocalCloud
from proviso.local.simulator import Message

AUTHORISER, REQUESTER, OFFICER, REVIEWER = "demo-authoriser", "demo-requester", "demo-officer", "demo-reviewer"
RECIPIENT = "demo-recipient"
PLACE = "Demonstration hall"
BURST_FRAMES = 3
"""For trying `proviso camera --burst` while the demonstration is kept. Its own cameras send single frames."""
LABEL = "Grace Hopper"
# Numbers that Ofcom keeps for drama, and a domain that nobody can have.
REVIEWERS = {"sms": "+447700900001", "email": "reviewer@example.org"}
RECIPIENTS = {"sms": "+447700900002", "email": "recipient@example.org"}
PARAMETERS = {
    "SoftwareBuild": f"{__version__}-local",
    "FirstAuthoriser": AUTHORISER,
    "ComplaintsContact": "complaints@example.org",
}
_ROLES = {
    REQUESTER: ["requester"],
    OFFICER: ["watchlist_officer"],
    REVIEWER: ["reviewer"],
    RECIPIENT: ["recipient"],
}
_GROUND = "For a demonstration on one machine, with two public-domain photographs and nobody before a camera."


Found = TypeVar("Found")


class NotInTime(Exception):
    """Something that was waited for did not come."""


@dataclass
class Demonstration:
    """The people's side of one local cloud. `out` is where pictures for people are written."""

    cloud: LocalCloud
    policy: Policy
    threshold: str
    out: Path
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    studio: Studio = field(default_factory=Studio)
    watchlist: str = ""
    build: str = ""
    deployment: str = ""
    digest: str = ""
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    _apis: dict[str, Api] = field(default_factory=dict, repr=False)

    def as_person(self, subject: str) -> Api:
        """The API, signed in as that person."""
        if subject not in self._apis:
            self._apis[subject] = Api(self.cloud.api_url, self.cloud.sign_in(subject), sleep=self.sleep)
        return self._apis[subject]

    # --- before -----------------------------------------------------------------------------------------------------

    def register_people(self) -> None:
        """The first authoriser is known from the template's parameter and registers the others."""
        trained = (self.clock() + timedelta(days=30)).isoformat()
        for subject, roles in _ROLES.items():
            person = {"sub": subject, "roles": roles, "trained_until": trained}
            self.as_person(AUTHORISER).post("/people", person)

    def register_contacts(self) -> None:
        """Where the reviewer and the recipient are told. Subscriptions follow by themselves."""
        for subject, addresses in ((REVIEWER, REVIEWERS), (RECIPIENT, RECIPIENTS)):
            contact = {"email": addresses["email"], "phone": addresses["sms"], "language": "en"}
            self.as_person(REQUESTER).put(f"/contacts/{subject}", contact)

    def wait_for_contacts(self, timeout_s: float = 30.0) -> None:
        """Their owners confirm; until every address is subscribed, since no deployment starts before. NotInTime."""

        def reachable() -> bool | None:
            for addresses in (REVIEWERS, RECIPIENTS):
                self.cloud.confirm(addresses["email"])
            found = self.as_person(REQUESTER).get("/contacts?purpose=demonstration")["contacts"]
            states = [one["reach"] and one["reach"][name]["state"] for one in found for name in ("email", "phone")]
            return all(state == "confirmed" for state in states) or None

        self.until(reachable, timeout_s, "the subscriptions")

    def register_cameras(self) -> None:
        """Each camera gets a key of its own, one that no deployment will list among them."""
        for camera in (NORTH, SOUTH, OUTSIDE):
            self.keys[camera] = self.as_person(REQUESTER).post("/cameras", {"camera": camera})["key"]

    def make_watchlist(self, picture: bytes | None = None) -> None:
        """One list, one entry, one picture, one build."""
        officer = self.as_person(OFFICER)
        made = officer.post("/watchlists", {"name": "Demonstration", "policy": self.policy.name})
        self.watchlist = made["id"]
        entry = officer.post(
            f"/watchlists/{self.watchlist}/entries",
            {
                "label": LABEL,
                "category": self.policy.categories[0],
                "reason": "to be found in the demonstration",
                "source": "photograph of the United States Navy, public domain, from matplotlib's sample data",
                "lawful_holding": "public domain",
                "image_date": "1984-01-20",
            },
        )
        path = f"/watchlists/{self.watchlist}/entries/{entry['id']}/references"
        officer.post_picture(path, picture or enrolment_picture())
        self.build = officer.post(f"/watchlists/{self.watchlist}/builds")["id"]

    def request(self) -> str:
        """Asked for by one person; the digest of its terms. The window began already: frames may be late."""
        now = self.clock()
        made = self.as_person(REQUESTER).post(
            "/deployments",
            {
                "use": self.policy.uses[0],
                "place": PLACE,
                "premises": self.policy.premises[0],
                "passages_expected": 10,
                "cameras": [NORTH, SOUTH],
                "burst_frames": BURST_FRAMES,
                "starts_at": (now - timedelta(minutes=10)).isoformat(),
                "ends_at": (now + timedelta(minutes=45)).isoformat(),
                "watchlist_id": self.watchlist,
                "build_id": self.build,
                "threshold": self.threshold,
                "policy": self.policy.name,
                "grounds": dict.fromkeys(GROUNDS, _GROUND)
                | {"operator_kind": "demonstration", "operator_name": "Proviso demonstration"},
            },
        )
        self.deployment = made["id"]
        self.digest = made["digest"]
        return self.digest

    def announce(self) -> None:
        """The public notice, the signage, who reviews and who is told: without these nothing starts, nobody sees it."""
        requester, path = self.as_person(REQUESTER), f"/deployments/{self.deployment}"
        attested = {"kind": "public_notice", "statement": "on the screen", "published_at": self.clock().isoformat()}
        requester.post(f"{path}/attestations", attested)
        requester.post(f"{path}/attestations", {"kind": "signage", "statement": "on the screen: a demonstration"})
        requester.post(f"{path}/members", {"sub": REVIEWER, "role": "reviewer"})
        requester.post(f"{path}/members", {"sub": RECIPIENT, "role": "recipient"})

    def authorise(self) -> None:
        """Authorised by another person, with the digest of what that person was shown."""
        shown = self.as_person(AUTHORISER).get(f"/deployments/{self.deployment}")
        self.as_person(AUTHORISER).post(f"/deployments/{self.deployment}/authorise", {"digest": shown["digest"]})

    def start(self) -> None:
        """From here on frames are opened."""
        self.wait_for_contacts()
        self.as_person(REQUESTER).post(f"/deployments/{self.deployment}/start")

    def prepare(self) -> None:
        """Everything up to a running deployment."""
        self.register_people()
        self.register_contacts()
        self.register_cameras()
        self.make_watchlist()
        self.request()
        self.announce()
        self.authorise()
        self.start()

    # --- frames -----------------------------------------------------------------------------------------------------

    def cameras(self) -> Cameras:
        """The cameras, uploading to this cloud's frames bucket."""
        return Cameras(
            lambda key: Api(self.cloud.api_url, key, patience_s=0),
            self.keys,
            self.cloud.client("s3"),
            self.cloud.physical("FramesBucket"),
            self.out / "frames",
            self.studio,
            self.clock,
        )

    def ledger(self) -> dict[str, LedgerEntry]:
        """Every frame's row by key."""
        from proviso.cloud.ledger import DynamoLedger

        table = DynamoLedger(self.cloud.client("dynamodb"), self.cloud.physical("LedgerTable"), self.clock)
        return {entry.key: entry for entry in table.entries()}

    def outcomes(
        self, sent: Sequence[Sent], timeout_s: float, tell: Callable[[str], None] = lambda text: None
    ) -> dict[str, LedgerEntry]:
        """Wait until each of these frames has its final outcome, or the time is over; the rows as they then are."""
        keys = {each.key for each in sent}

        def final() -> dict[str, LedgerEntry] | None:
            rows = self.ledger()
            done = [key for key in keys if key in rows and rows[key].outcome is not Outcome.RECEIVED]
            tell(f"{len(done)} of {len(keys)} frames have their outcome")
            return rows if len(done) == len(keys) else None

        try:
            return self.until(final, timeout_s, "the frames' outcomes")
        except NotInTime:
            return self.ledger()

    def frames_left(self, timeout_s: float = 5.0) -> list[str]:
        """The keys that are still in the frames bucket, after a moment's patience."""
        try:
            self.until(lambda: None if self._frame_keys() else True, timeout_s, "an empty frames bucket")
        except NotInTime:
            return self._frame_keys()
        return []

    def _frame_keys(self) -> list[str]:
        pages = (
            self.cloud.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self.cloud.physical("FramesBucket"))
        )
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    # --- review and after -------------------------------------------------------------------------------------------

    def candidates(self, timeout_s: float = 15.0) -> list[dict[str, Any]]:
        """What waits for the reviewer; empty when nothing came in time."""

        def waiting() -> list[dict[str, Any]] | None:
            found: list[dict[str, Any]] = self.as_person(REVIEWER).get("/candidates")["candidates"]
            return found or None

        try:
            return self.until(waiting, timeout_s, "a candidate")
        except NotInTime:
            return []

    def look(self, candidate: str) -> list[Path]:
        """The third person looks; the pictures are written for whoever runs the demonstration."""
        reviewer = self.as_person(REVIEWER)
        shown = reviewer.get(f"/candidates/{candidate}")
        self.out.mkdir(parents=True, exist_ok=True)
        written = []
        for path, name in [
            (shown["evidence"], "evidence"),
            *((r["path"], "reference") for r in shown["references"][:1]),
        ]:
            target = self.out / f"{name}-{shown['reference']}.jpg"
            target.write_bytes(reviewer.picture(path))
            written.append(target)
        return written

    def confirm(self, candidate: str) -> dict[str, Any]:
        """The third person confirms."""
        body = {"decision": "confirm", "reason": "the same face, cap and glasses as in the reference picture"}
        answer: dict[str, Any] = self.as_person(REVIEWER).post(f"/candidates/{candidate}/decision", body)
        return answer

    def messages(self, audience: dict[str, str]) -> list[Message]:
        """What went out to these addresses."""
        told = [message for message in self.cloud.inbox() if not message.confirms]
        return [message for message in told if message.address in audience.values()]

    def wait_for_messages(self, audience: dict[str, str], timeout_s: float = 15.0) -> list[Message]:
        """One message for each address, or what there is when the time is over."""
        with suppress(NotInTime):
            self.until(lambda: len(self.messages(audience)) >= len(audience) or None, timeout_s, "messages")
        return self.messages(audience)

    def stop(self) -> dict[str, Any]:
        """Stop, as anybody with a role may."""
        answer: dict[str, Any] = self.as_person(REVIEWER).post(f"/deployments/{self.deployment}/stop")
        return answer

    def close(self, timeout_s: float = 30.0) -> dict[str, Any]:
        """Close, wake retain as the schedule would, and wait for the certificate. NotInTime when there is none."""
        requester = self.as_person(REQUESTER)
        requester.post(f"/deployments/{self.deployment}/close")
        next_sweep = 0.0

        def certified() -> dict[str, Any] | None:
            nonlocal next_sweep
            if time.monotonic() >= next_sweep:
                self.cloud.run_schedule("SweepFunction")
                next_sweep = time.monotonic() + 5.0
            try:
                found: dict[str, Any] = requester.get(f"/deployments/{self.deployment}/certificate")
            except ApiFault as error:
                if error.status != 404:
                    raise
                return None
            return found

        return self.until(certified, timeout_s, "the deletion certificate")

    def audit_fault(self) -> tuple[int, str | None]:
        """The number of records in the deployment's chain, and the first fault in it."""
        answer = self.as_person(AUTHORISER).get(f"/deployments/{self.deployment}/audit?purpose=demonstration")
        return len(answer["records"]), answer["fault"]

    def until(self, look: Callable[[], Found | None], timeout_s: float, what: str) -> Found:
        """Ask again and again until the answer is not None. NotInTime."""
        end = time.monotonic() + timeout_s
        while (found := look()) is None:
            if time.monotonic() >= end:
                raise NotInTime(f"{what} did not come within {timeout_s:g} s")
            self.sleep(0.2)
        return found
