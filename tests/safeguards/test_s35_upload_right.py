"""S35: a camera's upload right is authenticated, bound to its own prefix, size and type and to the permit's window, and
renewed in minutes; it can write, never read.

What a test ran against: those of a form, a request or a key ran against the check in front of the local S3
(local/s3_front.py), with moto behind it and grant's own adapters and role (the rights are read from the compiled local
template); moto alone takes altered and expired forms, as one test here shows, so it is the front that refuses. Those
named `compiled` ran against the policies of the compiled template. Nothing here was tried against AWS's own S3.
"""

import base64
import http.client
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from proviso.cli.camera.grants import form
from proviso.cloud.cameras import DynamoCameras
from proviso.cloud.frames import S3Frames
from proviso.cloud.grants import S3UploadGrants
from proviso.cloud.ledger import DynamoLedger
from proviso.cloud.permits import S3Due, S3Permits, S3Stops
from proviso.domain.camera import UploadGrant
from proviso.domain.errors import PermitUnreadable, StorageFault
from proviso.domain.frame import MAX_FRAME_BYTES, FrameKey, Outcome
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.timing import Stopwatch
from proviso.edge.batch import s3_keys
from proviso.local import resources
from proviso.local.rights import rights_of
from proviso.local.s3_front import S3Front
from proviso.local.signed import Caller
from proviso.local.simulator import Simulator, simulator
from proviso.local.template import REGION, Stack, load_stack
from proviso.stages import cameras, deployment, detect, grant
from tests.doubles import FakePipeline, MemoryDeployments
from tests.doubles import burst as burst_of
from tests.doubles import people as frame_of
from tests.fakes.cloud import FakeFacesQueue
from tests.samples import deployment as deployment_row
from tests.samples import permit, principal

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
REQUESTER = principal("requester", Role.REQUESTER)
JPEG = frame_of(3)


def loaded(endpoint: str = "http://127.0.0.1") -> Stack:
    given = {"SoftwareBuild": "test", "FirstAuthoriser": "a", "ComplaintsContact": "x"}
    return load_stack(ROOT / "template.yaml", given, resources.Identities(endpoint))


class Gate:
    """Everything that stands before the frames bucket, and what is behind it. `skew` moves the clock of all of it."""

    def __init__(self, simulated: Simulator, stack: Stack) -> None:
        self.simulated, self.stack = simulated, stack
        self.skew = timedelta(0)
        self.s3, self.dynamodb, self.sqs = (simulated.client(name) for name in ("s3", "dynamodb", "sqs"))
        self.frames, self.bucket_of_permits = self.named("FramesBucket"), self.named("PermitsBucket")
        self.queue = self.named("FramesQueue")
        rights = rights_of(stack.find("GrantFunction"))
        self.caller = Caller("ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), rights)
        self.front = S3Front(simulated.endpoint, [self.caller], REGION, self.now)
        self.role = self.client(self.caller.access_key, self.caller.secret_key)
        self.registry = DynamoCameras(self.dynamodb, self.named("CamerasTable"))
        self.permits = S3Permits(self.s3, self.bucket_of_permits)
        own = Credentials(self.caller.access_key, self.caller.secret_key)
        self.grants = S3UploadGrants(self.role, own, self.frames)

    def begin(self) -> None:
        """A camera of its own, the right time, and nothing in the bucket."""
        self.skew = timedelta(0)
        self.store = MemoryDeployments()
        self.camera = f"cam-{secrets.token_hex(4)}"
        self.key = self.register()
        self.permit()
        self.empty()

    def named(self, logical_id: str) -> str:
        return str(self.stack.identities.reference(self.stack.find(logical_id)))

    def client(self, access_key: str, secret: str) -> Any:
        """An S3 client of the front."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.front.url,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def register(self, camera: str = "") -> str:
        key = cameras.register(
            principal=REQUESTER,
            camera=camera or self.camera,
            cameras=self.registry,
            store=self.store,
            clock=self.now,
            new_key=lambda: secrets.token_urlsafe(32),
        )
        assert isinstance(key, str)
        return key

    def permit(
        self,
        begins: timedelta = timedelta(minutes=-5),
        lasts: timedelta = timedelta(hours=1),
        burst_frames: int = 1,
    ) -> None:
        now = self.now()
        made = replace(permit(), camera=self.camera, starts_at=now + begins, ends_at=now + lasts)
        self.permits.write(replace(made, burst_frames=burst_frames))

    def ask(self, key: str | None = None, camera: str = "") -> UploadGrant | Refused:
        return grant.grant(
            camera=camera or self.camera,
            key=self.key if key is None else key,
            cameras=self.registry,
            permits=self.permits,
            grants=self.grants,
            clock=self.now,
        )

    def granted(self) -> UploadGrant:
        found = self.ask()
        assert isinstance(found, UploadGrant), found
        return found

    def frame_key(self, camera: str = "") -> str:
        moment = self.now()
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return str(FrameKey(camera or self.camera, moment, secrets.randbelow(1000)))

    def post(
        self, right: UploadGrant, key: str | None = None, file: bytes = JPEG, url: str = "", **fields: str | None
    ) -> str:
        """Post the form, with fields changed, added or (None) left out: "stored", or S3's code."""
        sent = {name: value for name, value in {**right.fields, **fields}.items() if value is not None}
        return self.post_raw(url or right.url, form(sent, self.frame_key() if key is None else key, file, "mark"))

    def post_raw(self, url: str, body: bytes) -> str:
        headers = {"Content-Type": "multipart/form-data; boundary=mark"}
        status, answer = self.http("POST", url, headers, body)
        return "stored" if status == 204 else code_of(status, answer)

    def http(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, bytes]:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def stored(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=self.frames).get("Contents", [])]

    def empty(self) -> None:
        for key in self.stored():
            self.s3.delete_object(Bucket=self.frames, Key=key)
        self.events()

    def events(self) -> list[str]:
        """The keys that S3 told of since the last look."""
        told: list[str] = []
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in found:
                if "Records" in json.loads(message["Body"]):
                    told += s3_keys(message["Body"])
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return told

    def detect(self, key: str) -> Any:
        """What becomes of a frame in the bucket."""
        ledger = DynamoLedger(self.dynamodb, self.named("LedgerTable"), self.now)
        self.opened = FakePipeline()
        return detect.detect(
            key=key,
            clock=self.now,
            stopwatch=Stopwatch(lambda: 0.0),
            permit_for=self.permits.read,
            frames=S3Frames(self.s3, self.frames),
            ledger=ledger,
            pipeline=self.opened,
            queue=FakeFacesQueue(),
            abandon_after_s=60,
        )


def code_of(status: int, answer: bytes) -> str:
    assert status >= 400, answer
    return answer.split(b"<Code>")[1].split(b"</Code>")[0].decode() if b"<Code>" in answer else str(status)


@pytest.fixture(scope="module")
def machine() -> Iterator[tuple[Simulator, Stack]]:
    with simulator() as simulated:
        stack = loaded(simulated.endpoint)
        resources.create(stack, simulated.client)
        yield simulated, stack


@pytest.fixture(scope="module")
def standing(machine: tuple[Simulator, Stack]) -> Iterator[Gate]:
    made = Gate(*machine)
    yield made
    made.front.close()


@pytest.fixture
def gate(standing: Gate) -> Gate:
    standing.begin()
    return standing


def nothing_was_stored(gate: Gate) -> None:
    assert gate.stored() == []
    assert gate.events() == []


# --- what it is for -------------------------------------------------------------------------------------------------


def test_a_camera_with_its_key_and_a_permit_uploads_frames_and_their_events_come(gate: Gate) -> None:
    right, key = gate.granted(), gate.frame_key()
    assert right.url.startswith(gate.front.url)
    assert gate.post(right, key) == "stored"
    kept = gate.s3.get_object(Bucket=gate.frames, Key=key)
    assert (kept["Body"].read(), kept["ContentType"]) == (JPEG, "image/jpeg")
    assert gate.events() == [key]
    largest = b"\xff" * MAX_FRAME_BYTES
    assert gate.post(right, file=largest) == "stored"


# --- the key ----------------------------------------------------------------------------------------------------------


def test_without_the_camera_s_own_key_there_is_no_right(gate: Gate) -> None:
    other = f"{gate.camera}-2"
    others_key = gate.register(other)
    wrong = ["", "x", gate.key[:-1], gate.key.swapcase(), others_key, gate.registry.key_digest(gate.camera) or ""]
    assert [gate.ask(key=key) for key in wrong] == [Refused(Reason.CAMERA_KEY)] * len(wrong)
    # Its own key for another camera, and a camera that nobody registered: the same answer.
    assert gate.ask(camera=other) == Refused(Reason.CAMERA_KEY)
    assert gate.ask(camera="nobody-registered-it") == Refused(Reason.CAMERA_KEY)


def test_a_replaced_or_revoked_key_works_no_longer(gate: Gate) -> None:
    old, gate.key = gate.key, gate.register()
    assert gate.ask(key=old) == Refused(Reason.CAMERA_KEY)
    assert isinstance(gate.ask(), UploadGrant)
    revoked = cameras.revoke(
        principal=REQUESTER, camera=gate.camera, cameras=gate.registry, store=gate.store, clock=gate.now
    )
    assert revoked is True
    assert gate.ask() == Refused(Reason.CAMERA_KEY)


def test_said_plainly_a_right_that_a_revoked_camera_holds_lasts_for_the_rest_of_its_minutes(gate: Gate) -> None:
    """S3 asks the form and nobody else. Ten minutes is the price; a stop refuses the frame itself (below)."""
    right = gate.granted()
    cameras.revoke(principal=REQUESTER, camera=gate.camera, cameras=gate.registry, store=gate.store, clock=gate.now)
    assert gate.post(right) == "stored"
    gate.skew = timedelta(minutes=10)
    assert gate.post(right) == "AccessDenied"


def test_the_key_is_kept_nowhere(gate: Gate) -> None:
    kept = json.dumps(gate.dynamodb.scan(TableName=gate.named("CamerasTable"))["Items"])
    assert gate.camera in kept
    assert gate.key not in kept
    assert gate.key not in repr(gate.store.acts)


# --- the window -----------------------------------------------------------------------------------------------------


def test_there_is_no_right_outside_the_permit_s_window(gate: Gate) -> None:
    gate.permit(begins=timedelta(seconds=30))
    assert gate.ask() == Refused(Reason.OUTSIDE_WINDOW, "now")
    gate.permit()
    gate.skew = timedelta(hours=1)
    assert gate.ask() == Refused(Reason.OUTSIDE_WINDOW, "now")
    gate.skew = timedelta(0)
    gate.permits.delete(gate.camera)
    assert gate.ask() == Refused(Reason.NO_PERMIT, gate.camera)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"x" * 100_000])
def test_a_permit_that_says_nothing_gives_no_right(gate: Gate, body: bytes) -> None:
    gate.s3.put_object(Bucket=gate.bucket_of_permits, Key=f"permits/{gate.camera}.json", Body=body)
    with pytest.raises(PermitUnreadable):
        gate.ask()


def test_the_permit_of_another_camera_gives_no_right(gate: Gate) -> None:
    body = replace(permit(), camera="another").to_json().encode()
    gate.s3.put_object(Bucket=gate.bucket_of_permits, Key=f"permits/{gate.camera}.json", Body=body)
    with pytest.raises(PermitUnreadable):
        gate.ask()


def test_it_ends_after_ten_minutes_and_cannot_be_replayed(gate: Gate) -> None:
    right, key = gate.granted(), gate.frame_key()
    body = form(right.fields, key, JPEG, "mark")
    assert gate.post_raw(right.url, body) == "stored"
    assert right.expires_at - gate.now() <= timedelta(minutes=10)
    gate.skew = right.expires_at - datetime.now(UTC) - timedelta(seconds=5)
    assert gate.post_raw(right.url, body) == "stored"
    gate.empty()
    for later in (timedelta(seconds=5), timedelta(days=1)):
        gate.skew += later
        assert gate.post_raw(right.url, body) == "AccessDenied"
    nothing_was_stored(gate)


def test_it_ends_with_the_permit(gate: Gate) -> None:
    gate.permit(lasts=timedelta(minutes=2))
    right = gate.granted()
    gate.skew = timedelta(minutes=1, seconds=50)
    assert gate.post(right) == "stored"
    gate.skew = timedelta(minutes=2)
    gate.empty()
    assert gate.post(right) == "AccessDenied"
    nothing_was_stored(gate)


def test_a_right_taken_before_a_stop_uploads_until_it_ends_but_its_frame_is_refused_unopened(gate: Gate) -> None:
    """S04 and S35: nothing takes a right back, so what it brings is refused."""
    right = gate.granted()
    gate.store.rows["d"] = replace(deployment_row(), id="d", cameras=(gate.camera,))
    stopped = deployment.stop(
        sub="anybody",
        deployment_id=None,
        store=gate.store,
        permits=gate.permits,
        due=S3Due(gate.s3, gate.bucket_of_permits),
        spool=S3Stops(gate.s3, gate.bucket_of_permits),
        clock=gate.now,
        new_id=lambda: "id",
    )
    assert gate.camera in stopped.permits_deleted
    assert gate.ask() == Refused(Reason.NO_PERMIT, gate.camera)
    key = gate.frame_key()
    assert gate.post(right, key) == "stored"
    row = gate.detect(key)
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NO_PERMIT)
    assert gate.opened.opened == []
    assert gate.stored() == []


# --- prefix, type, size ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "other/2026-11-22/201530.000Z_000000.jpg",
        "x.jpg",
        "{camera}",
        "{camera}-2/x.jpg",
        "/{camera}/x.jpg",
        "{CAMERA}/x",
    ],
)
def test_no_frame_goes_under_another_name(gate: Gate, key: str) -> None:
    right = gate.granted()
    wanted = key.replace("{camera}", gate.camera).replace("{CAMERA}", gate.camera.upper())
    assert gate.post(right, wanted) == "AccessDenied"
    nothing_was_stored(gate)


def test_dots_in_a_name_lead_nowhere(gate: Gate) -> None:
    key = f"{gate.camera}/../other/2026-11-22/201530.000Z_000000.jpg"
    assert gate.post(gate.granted(), key) == "stored"
    assert gate.stored() == [key]
    assert gate.detect(key).reason is Reason.BAD_KEY


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg; charset=x", "text/html", "", None])
def test_no_other_type_is_taken(gate: Gate, kind: str | None) -> None:
    assert gate.post(gate.granted(), **{"Content-Type": kind}) == "AccessDenied"
    nothing_was_stored(gate)


@pytest.mark.parametrize(
    ("size", "code"), [(0, "EntityTooSmall"), (MAX_FRAME_BYTES + 1, "EntityTooLarge"), (17 << 20, "EntityTooLarge")]
)
def test_no_other_size_is_taken(gate: Gate, size: int, code: str) -> None:
    right = gate.granted()
    body = form(right.fields, gate.frame_key(), b"\xff" * size, "mark")
    try:
        assert gate.post_raw(right.url, body) == code
    except (BrokenPipeError, ConnectionResetError):
        assert size > 16 << 20  # it hung up instead of reading all that
    nothing_was_stored(gate)


# --- bursts: a second form, for one type more, where the permit allows them ----------------------------------------


def bursts(right: UploadGrant) -> UploadGrant:
    """The right with its form for bursts in front."""
    assert right.burst_fields is not None
    return replace(right, fields=right.burst_fields)


def burst_key(gate: Gate) -> str:
    return gate.frame_key().replace(".jpg", ".mjpeg")


def test_a_burst_is_uploaded_under_its_own_form_and_its_event_comes(gate: Gate) -> None:
    gate.permit(burst_frames=3)
    right, key = gate.granted(), burst_key(gate)
    assert right.burst_frames == 3
    assert gate.post(bursts(right), key, burst_of([3], [3])) == "stored"
    kept = gate.s3.get_object(Bucket=gate.frames, Key=key)
    assert (kept["Body"].read(), kept["ContentType"]) == (burst_of([3], [3]), "video/x-motion-jpeg")
    assert gate.events() == [key]
    assert gate.detect(key).counts.detected == 1
    assert gate.post(right) == "stored"  # and single frames as ever


def test_where_single_frames_were_authorised_there_is_no_form_for_bursts(gate: Gate) -> None:
    right = gate.granted()
    assert (right.burst_frames, right.burst_fields) == (1, None)
    assert gate.post(right, burst_key(gate), **{"Content-Type": "video/x-motion-jpeg"}) == "AccessDenied"
    nothing_was_stored(gate)


@pytest.mark.parametrize(
    "kind",
    ["image/png", "video/mp4", "video/", "video/x-motion-jpeg; charset=x", "image/", "VIDEO/X-MOTION-JPEG", "", None],
)
def test_neither_form_takes_a_third_type(gate: Gate, kind: str | None) -> None:
    gate.permit(burst_frames=5)
    right = gate.granted()
    for one in (right, bursts(right)):
        assert gate.post(one, **{"Content-Type": kind}) == "AccessDenied"
    nothing_was_stored(gate)


def test_neither_form_takes_the_other_s_type_or_policy(gate: Gate) -> None:
    gate.permit(burst_frames=5)
    right = gate.granted()
    other = bursts(right)
    assert gate.post(right, **{"Content-Type": "video/x-motion-jpeg"}) == "AccessDenied"
    assert gate.post(other, **{"Content-Type": "image/jpeg"}) == "AccessDenied"
    assert gate.post(right, policy=other.fields["policy"]) == "SignatureDoesNotMatch"
    nothing_was_stored(gate)


@pytest.mark.parametrize(("size", "code"), [(0, "EntityTooSmall"), (MAX_FRAME_BYTES + 1, "EntityTooLarge")])
def test_a_burst_has_the_size_of_one_upload_and_the_camera_s_own_prefix(gate: Gate, size: int, code: str) -> None:
    gate.permit(burst_frames=5)
    other = bursts(gate.granted())
    assert gate.post(other, burst_key(gate), b"\xff" * size) == code
    assert gate.post(other, burst_key(gate).replace(gate.camera, "another"), burst_of([3], [3])) == "AccessDenied"
    gate.skew = timedelta(minutes=11)
    assert gate.post(other, burst_key(gate), burst_of([3], [3])) == "AccessDenied"  # ends with the other form
    nothing_was_stored(gate)


def test_a_form_cannot_know_the_name_s_ending_and_so_detect_judges(gate: Gate) -> None:
    """S3 has no condition for how a key ends. A burst under the form of a single frame comes no further than detect:
    there the name says what it is, and the permit how many frames it may have."""
    key = burst_key(gate)
    assert gate.post(gate.granted(), key, burst_of([3], [3])) == "stored"
    row = gate.detect(key)
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.TOO_MANY_FRAMES)
    assert gate.opened.opened == []
    assert gate.stored() == []


# --- the form ---------------------------------------------------------------------------------------------------------


def altered_policies(right: UploadGrant) -> dict[str, str]:
    """What somebody would rather have signed."""
    document = json.loads(base64.b64decode(right.fields["policy"]))
    conditions = document["conditions"]

    def encoded(**changed: Any) -> str:
        return base64.b64encode(json.dumps({**document, **changed}).encode()).decode()

    return {
        "longer": encoded(expiration="2099-01-01T00:00:00Z"),
        "any prefix": encoded(conditions=[["starts-with", "$key", ""], *conditions[2:], conditions[0]]),
        "any size": encoded(conditions=[c for c in conditions if "content-length-range" not in c]),
        "no condition": encoded(conditions=[]),
        "spaces": base64.b64encode(json.dumps(document, indent=1).encode()).decode(),
        "none": "",
    }


@pytest.mark.parametrize("change", ["longer", "any prefix", "any size", "no condition", "spaces", "none"])
def test_a_policy_that_was_altered_is_not_the_one_that_was_signed(gate: Gate, change: str) -> None:
    right = gate.granted()
    assert gate.post(right, policy=altered_policies(right)[change]) == "SignatureDoesNotMatch"
    nothing_was_stored(gate)


def test_every_signed_field_holds(gate: Gate) -> None:
    right = gate.granted()
    day = right.fields["x-amz-date"][:8]
    signature = right.fields["x-amz-signature"]
    other = gate.granted().fields["x-amz-credential"].replace(gate.caller.access_key, "ASIAOTHER")
    changes: list[tuple[dict[str, str | None], str]] = [
        ({"x-amz-signature": ("0" if signature[0] != "0" else "1") + signature[1:]}, "SignatureDoesNotMatch"),
        ({"x-amz-signature": signature.upper()}, "SignatureDoesNotMatch"),
        ({"x-amz-signature": ""}, "SignatureDoesNotMatch"),
        ({"x-amz-signature": None}, "AccessDenied"),
        ({"policy": None}, "AccessDenied"),
        ({"policy": None, "x-amz-signature": None}, "AccessDenied"),
        ({"x-amz-credential": other}, "InvalidAccessKeyId"),
        ({"x-amz-credential": None}, "InvalidAccessKeyId"),
        ({"x-amz-credential": right.fields["x-amz-credential"].replace("/s3/", "/iam/")}, "*"),
        ({"x-amz-date": f"{day}T000001Z"}, "*"),
        ({"x-amz-date": None}, "AccessDenied"),
        ({"x-amz-algorithm": "none"}, "InvalidArgument"),
        ({"x-amz-security-token": "anything"}, "InvalidToken"),
    ]
    for fields, code in changes:
        answered = gate.post(right, **fields)
        assert answered == code or (code == "*" and answered != "stored"), fields
    nothing_was_stored(gate)


@pytest.mark.parametrize(
    "more", ["acl", "tagging", "x-amz-meta-note", "success_action_redirect", "x-amz-storage-class", "Cache-Control"]
)
def test_no_field_beside_those_that_were_signed_is_taken(gate: Gate, more: str) -> None:
    assert gate.post(gate.granted(), **{more: "public-read"}) == "AccessDenied"
    nothing_was_stored(gate)


def test_it_is_for_one_bucket(gate: Gate) -> None:
    right = gate.granted()
    for purpose in ("PermitsBucket", "EvidenceBucket", "OutboxBucket"):
        url = f"{gate.front.url}/{gate.named(purpose)}"
        assert gate.post(right, url=url) == "AccessDenied"
        assert gate.post(right, f"permits/{gate.camera}.json", url=url) == "AccessDenied"


def test_a_policy_signed_with_a_key_that_is_nobody_s_is_refused(gate: Gate) -> None:
    for caller in (Credentials("ASIANOBODY", "secret"), Credentials(gate.caller.access_key, "guessed")):
        forged = S3UploadGrants(gate.role, caller, gate.frames)
        right = forged.sign(gate.camera, gate.now(), gate.now() + timedelta(minutes=5), 1)
        assert gate.post(right) in ("InvalidAccessKeyId", "SignatureDoesNotMatch")
    nothing_was_stored(gate)


def test_even_what_grant_s_own_key_signs_is_no_more_than_its_role(gate: Gate) -> None:
    """A taken-over grant could sign any policy. Its role still puts frames, and nothing elsewhere."""
    own = Credentials(gate.caller.access_key, gate.caller.secret_key)
    for bucket in (gate.bucket_of_permits, gate.named("EvidenceBucket"), gate.named("OutboxBucket")):
        right = S3UploadGrants(gate.role, own, bucket).sign("permits", gate.now(), gate.now() + timedelta(minutes=5), 1)
        assert gate.post(right, "permits/gate-1.json") == "AccessDenied"


def test_moto_alone_takes_all_of_this(gate: Gate) -> None:
    """Why there is a front: without it these tests would find nothing."""
    right = gate.granted()
    gate.skew = timedelta(days=1)
    sent = {**right.fields, "x-amz-signature": "0", "Content-Type": "text/html"}
    behind = f"{gate.simulated.endpoint}/{gate.frames}"
    status, _ = gate.http(
        "POST",
        behind,
        {"Content-Type": "multipart/form-data; boundary=mark"},
        form(sent, "other/x.jpg", JPEG, "mark"),
    )
    assert status in (200, 204)
    assert gate.stored() == ["other/x.jpg"]


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(gate: Gate) -> str:
    """A frame that the camera itself uploaded."""
    key = gate.frame_key()
    assert gate.post(gate.granted(), key) == "stored"
    return key


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_the_fields_of_a_right_open_nothing_else(gate: Gate, stored: str, method: str) -> None:
    right = gate.granted()
    one, all_of_them = f"{gate.front.url}/{gate.frames}/{stored}", f"{gate.front.url}/{gate.frames}"
    as_query = urlencode(
        {
            "X-Amz-Algorithm": right.fields["x-amz-algorithm"],
            "X-Amz-Credential": right.fields["x-amz-credential"],
            "X-Amz-Date": right.fields["x-amz-date"],
            "X-Amz-Expires": "600",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": right.fields["x-amz-signature"],
        }
    )
    as_header = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={right.fields['x-amz-credential']},"
        f" SignedHeaders=host;x-amz-date, Signature={right.fields['x-amz-signature']}",
        "x-amz-date": right.fields["x-amz-date"],
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    }
    body = b"other" if method == "PUT" else None
    for url in (one, all_of_them, f"{all_of_them}?list-type=2"):
        plus = "&" if "?" in url else "?"
        assert gate.http(method, url, body=body)[0] == 403
        assert gate.http(method, url + plus + as_query, body=body)[0] == 403
        assert gate.http(method, url, as_header, body)[0] == 403
    assert gate.s3.get_object(Bucket=gate.frames, Key=stored)["Body"].read() == JPEG


def test_the_credentials_that_sign_rights_read_no_frame(gate: Gate, stored: str) -> None:
    """Against the front, with the role as the local template compiles it."""
    own, frames = gate.role, gate.frames
    acts = {
        "get": lambda: own.get_object(Bucket=frames, Key=stored),
        "head": lambda: own.head_object(Bucket=frames, Key=stored),
        "list": lambda: own.list_objects_v2(Bucket=frames),
        "list versions": lambda: own.list_object_versions(Bucket=frames),
        "list uploads": lambda: own.list_multipart_uploads(Bucket=frames),
        "list buckets": own.list_buckets,
        "acl": lambda: own.get_object_acl(Bucket=frames, Key=stored),
        "tags": lambda: own.get_object_tagging(Bucket=frames, Key=stored),
        "policy": lambda: own.get_bucket_policy(Bucket=frames),
        "delete": lambda: own.delete_object(Bucket=frames, Key=stored),
        "delete many": lambda: own.delete_objects(Bucket=frames, Delete={"Objects": [{"Key": stored}]}),
        "copy": lambda: own.copy_object(Bucket=frames, Key="x/y.jpg", CopySource={"Bucket": frames, "Key": stored}),
        "begin an upload in parts": lambda: own.create_multipart_upload(Bucket=frames, Key="x/y.jpg"),
        "a permit of its own": lambda: own.put_object(
            Bucket=gate.bucket_of_permits, Key=f"permits/{gate.camera}.json", Body=b"{}"
        ),
        "a stop": lambda: own.get_object(Bucket=gate.bucket_of_permits, Key="stops/x.json"),
        "evidence": lambda: own.list_objects_v2(Bucket=gate.named("EvidenceBucket")),
    }
    for name, act in acts.items():
        with pytest.raises(ClientError) as raised:
            act()
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403), name
    address = own.generate_presigned_url("get_object", Params={"Bucket": frames, "Key": stored})
    assert gate.http("GET", address)[0] == 403
    assert gate.stored() == [stored]


def test_grant_reads_its_permits_through_the_same_check(gate: Gate) -> None:
    """So the front does not refuse everything; and gone is told from forbidden."""
    own = S3Permits(gate.role, gate.bucket_of_permits)
    assert own.read(gate.camera) is not None
    assert own.read("no-such-camera") is None
    assert gate.camera in own.cameras()
    with pytest.raises(StorageFault, match="InvalidAccessKeyId"):
        S3Permits(gate.client("ASIANOBODY", "x"), gate.bucket_of_permits).read(gate.camera)
    with pytest.raises(StorageFault, match="SignatureDoesNotMatch"):
        S3Permits(gate.client(gate.caller.access_key, "x"), gate.bucket_of_permits).read(gate.camera)


# --- the compiled policies --------------------------------------------------------------------------------------------


def test_compiled_only_grant_puts_frames(machine: tuple[Simulator, Stack]) -> None:
    _, stack = machine
    functions = [one for one in stack.all_resources() if one.type == "AWS::Lambda::Function"]
    frame = f"arn:aws:s3:::{stack.identities.reference(stack.find('FramesBucket'))}/cam/x.jpg"
    assert {one.logical_id for one in functions if rights_of(one).allow("s3:PutObject", frame)} == {"GrantFunction"}
    assert [one.type for one in stack.all_resources() if one.type in ("AWS::IAM::User", "AWS::IAM::Group")] == []


@pytest.mark.parametrize(
    "action",
    [
        "s3:GetObject",
        "s3:DeleteObject",
        "s3:GetObjectVersion",
        "s3:GetObjectAcl",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
    ],
)
def test_compiled_grant_does_nothing_to_frames_but_put_them(machine: tuple[Simulator, Stack], action: str) -> None:
    _, stack = machine
    rights = rights_of(stack.find("GrantFunction"))
    bucket = f"arn:aws:s3:::{stack.identities.reference(stack.find('FramesBucket'))}"
    assert not rights.allow(action, f"{bucket}/cam/x.jpg")
    assert not rights.allow("s3:ListBucket", bucket)


def test_compiled_only_govern_changes_keys_and_only_grant_reads_their_digests_one_by_one(
    machine: tuple[Simulator, Stack],
) -> None:
    _, stack = machine
    table = str(stack.identities.attribute(stack.find("CamerasTable"), "Arn"))
    functions = [one for one in stack.all_resources() if one.type == "AWS::Lambda::Function"]

    def who(action: str) -> set[str]:
        return {one.logical_id for one in functions if rights_of(one).allow(f"dynamodb:{action}", table)}

    assert who("PutItem") == who("DeleteItem") == who("Scan") == {"GovernFunction"}
    assert who("GetItem") == {"GrantFunction"}
    assert who("UpdateItem") == who("Query") == who("BatchGetItem") == set()
