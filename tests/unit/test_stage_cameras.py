"""Cameras and their upload rights (S35): who registers, what is kept of a key, and who gets a right until when."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from proviso.domain.camera import RegisteredCamera, UploadGrant, is_camera_name, key_digest
from proviso.domain.errors import AuditUnwritable, DatabaseAway, PermitUnreadable, StorageFault
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages import cameras
from proviso.stages.grant import grant
from tests.doubles import MemoryDeployments
from tests.fakes.cloud import FakeCameras, FakeGrants, FakePermits
from tests.samples import CAMERA, END, NOW, START, permit, principal

REQUESTER = principal("requester", Role.REQUESTER)
KEY, OTHER_KEY = "k" * 43, "o" * 43


class Room:
    def __init__(self) -> None:
        self.journal: list[str] = []
        self.now = NOW
        self.store = MemoryDeployments(self.journal)
        self.cameras = FakeCameras(self.journal)
        self.permits = FakePermits(self.journal)
        self.grants = FakeGrants(self.journal)
        self.keys = iter([KEY, OTHER_KEY])
        self.permits.objects[CAMERA] = permit()

    def register(self, camera: str = CAMERA, by=REQUESTER):
        return cameras.register(
            principal=by,
            camera=camera,
            cameras=self.cameras,
            store=self.store,
            clock=lambda: self.now,
            new_key=lambda: next(self.keys),
        )

    def revoke(self, camera: str = CAMERA, by=REQUESTER):
        return cameras.revoke(
            principal=by, camera=camera, cameras=self.cameras, store=self.store, clock=lambda: self.now
        )

    def grant(self, key: str = KEY, camera: str = CAMERA):
        return grant(
            camera=camera,
            key=key,
            cameras=self.cameras,
            permits=self.permits,
            grants=self.grants,
            clock=lambda: self.now,
        )

    def refused(self, **asked) -> Reason:
        found = self.grant(**asked)
        assert isinstance(found, Refused)
        assert self.grants.signed == []
        return found.reason


@pytest.fixture
def room() -> Room:
    return Room()


# --- registering ------------------------------------------------------------------------------------------------------


def test_a_key_is_given_once_and_only_its_digest_is_kept(room: Room) -> None:
    assert room.register() == KEY
    kept = room.cameras.items[CAMERA]
    assert kept == RegisteredCamera(CAMERA, hashlib.sha256(KEY.encode()).hexdigest(), "requester", NOW)
    assert kept.key_digest not in repr(kept)
    (act,) = room.store.acts
    assert (act.chain, act.action, act.subject, act.actor) == ("system", "camera_registered", CAMERA, "requester")
    assert KEY not in repr(act)
    assert kept.key_digest not in repr(act)


def test_registering_again_replaces_the_key(room: Room) -> None:
    room.register()
    assert room.register() == OTHER_KEY
    assert room.cameras.key_digest(CAMERA) == key_digest(OTHER_KEY)
    assert room.refused(key=KEY) is Reason.CAMERA_KEY


@pytest.mark.parametrize("role", [Role.WATCHLIST_OFFICER, Role.REVIEWER, Role.RECIPIENT, Role.AUDITOR])
def test_other_roles_neither_register_nor_revoke(room: Room, role: Role) -> None:
    somebody = principal("somebody", role)
    for found in (room.register(by=somebody), room.revoke(by=somebody)):
        assert isinstance(found, Refused)
        assert found.reason is Reason.ROLE_MISSING
    assert room.journal == []


@pytest.mark.parametrize("name", ["", "Gate", "gate/1", "../gate", "-gate", "g" * 64, "gate 1", "gäte", "gate\n"])
def test_a_name_that_no_frame_can_have_is_refused(room: Room, name: str) -> None:
    assert not is_camera_name(name)
    assert room.register(name).reason is Reason.INVALID
    assert room.revoke(name).reason is Reason.NOT_FOUND
    assert room.cameras.items == {}


def test_what_cannot_be_recorded_gives_no_key(room: Room) -> None:
    room.register()
    room.store.faults["audit"] = AuditUnwritable("for the test")
    with pytest.raises(AuditUnwritable):
        room.register()
    assert room.cameras.key_digest(CAMERA) == key_digest(KEY)


def test_a_registry_that_is_away_leaves_no_record(room: Room) -> None:
    room.cameras.faults["put"] = StorageFault("for the test")
    with pytest.raises(StorageFault):
        room.register()
    assert room.store.acts == []


def test_a_key_of_which_the_record_was_lost_at_the_end_is_in_nobody_s_hands(room: Room) -> None:
    room.register()
    room.store.faults["commit"] = DatabaseAway("for the test")
    with pytest.raises(DatabaseAway):
        room.register()
    assert room.refused(key=KEY) is Reason.CAMERA_KEY


def test_a_revoked_camera_is_gone_and_recorded(room: Room) -> None:
    room.register()
    assert room.revoke() is True
    assert room.store.acts[-1].action == "camera_revoked"
    assert room.refused() is Reason.CAMERA_KEY
    assert room.revoke().reason is Reason.NOT_FOUND


@pytest.mark.parametrize("fault", [AuditUnwritable("x"), DatabaseAway("x")])
def test_revoking_works_though_it_cannot_be_recorded_and_says_so(room: Room, fault: Exception) -> None:
    """S36: removing always works."""
    room.register()
    room.store.faults["audit"] = fault
    with pytest.raises(AuditUnwritable, match="gate-1 was revoked by requester, unrecorded"):
        room.revoke()
    assert room.cameras.items == {}


def test_who_may_look_sees_them_all(room: Room) -> None:
    room.register()
    for role in (Role.REQUESTER, Role.AUTHORISER, Role.AUDITOR):
        found = cameras.list_all(principal=principal("a", role), cameras=room.cameras)
        assert [one.camera for one in found] == [CAMERA]
    refused = cameras.list_all(principal=principal("a", Role.REVIEWER), cameras=room.cameras)
    assert refused.reason is Reason.ROLE_MISSING


# --- rights -----------------------------------------------------------------------------------------------------------


def test_a_right_lasts_ten_minutes_in_whole_seconds(room: Room) -> None:
    room.register()
    found = room.grant()
    assert isinstance(found, UploadGrant)
    until = (NOW + timedelta(minutes=10)).replace(microsecond=0)
    assert room.grants.signed == [(CAMERA, NOW, until, 1)]
    assert (found.key_prefix, found.expires_at) == (f"{CAMERA}/", until)
    assert "signature" not in repr(found)


@pytest.mark.parametrize("left_s", [1.0, 59.25, 599.0])
def test_a_right_ends_with_the_permit(room: Room, left_s: float) -> None:
    room.register()
    room.now = END - timedelta(seconds=left_s)
    found = room.grant()
    assert isinstance(found, UploadGrant)
    assert found.expires_at == END.replace(microsecond=0)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (START - timedelta(microseconds=1), Reason.OUTSIDE_WINDOW),
        (END.replace(microsecond=0), Reason.OUTSIDE_WINDOW),  # less than a second is left
        (END, Reason.OUTSIDE_WINDOW),
        (END + timedelta(days=1), Reason.OUTSIDE_WINDOW),
    ],
)
def test_outside_the_window_there_is_none(room: Room, now: datetime, reason: Reason) -> None:
    room.register()
    room.now = now
    assert room.refused() is reason


def test_it_begins_with_the_window(room: Room) -> None:
    room.register()
    room.now = START
    assert isinstance(room.grant(), UploadGrant)


def test_an_unknown_camera_and_a_wrong_key_are_answered_alike_before_any_permit_is_read(room: Room) -> None:
    room.register()
    wrong = [(CAMERA, OTHER_KEY), (CAMERA, ""), (CAMERA, KEY + "x"), (CAMERA, key_digest(KEY)), ("gate-2", KEY),
             ("gate-2", ""), ("../gate-1", KEY), ("", ""), (CAMERA, "\ud800")]  # fmt: skip
    answers = [room.grant(key=key, camera=camera) for camera, key in wrong]
    assert answers == [Refused(Reason.CAMERA_KEY)] * len(wrong)
    assert room.permits.reads == 0
    assert room.grants.signed == []


def test_without_a_permit_there_is_none(room: Room) -> None:
    room.register()
    del room.permits.objects[CAMERA]
    assert room.refused() is Reason.NO_PERMIT


def test_a_permit_that_says_nothing_or_names_another_camera_is_a_fault(room: Room) -> None:
    room.register()
    room.permits.objects[CAMERA] = None
    with pytest.raises(PermitUnreadable):
        room.grant()
    room.permits.read = lambda camera: replace(permit(), camera="gate-2")  # type: ignore[method-assign]
    with pytest.raises(PermitUnreadable):
        room.grant()
    assert room.grants.signed == []


@pytest.mark.parametrize("away", ["cameras", "permits"])
def test_when_it_cannot_look_it_gives_nothing(room: Room, away: str) -> None:
    room.register()
    getattr(room, away).faults["*"] = StorageFault("for the test")
    with pytest.raises(StorageFault):
        room.grant()
    assert room.grants.signed == []
