"""Attesting, deciding and naming: who may, what it says, and what follows at once (S17, S19, S33, S37)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.conditions import Attestation, Attested, PriorAuthorisation
from proviso.domain.deployment import Deployment, DeploymentState
from proviso.domain.errors import AuditUnwritable
from proviso.domain.people import Member, Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import CLOSE_AFTER
from proviso.stages import conditions, people
from proviso.stages.deployment import write_permits
from tests.doubles import MemoryDeployments
from tests.fakes.cloud import FakeContacts, FakeDue, FakePermits, FakeStops
from tests.samples import CAMERA, DEPLOYMENT, END, NOW, START, policy, principal
from tests.samples import deployment as asked

EU = policy(decision_required=True, urgent_start_hours=24, public_notice_waivable=True)
AUTHORISER, REQUESTER = principal("other", Role.AUTHORISER), principal("requester", Role.REQUESTER)


class Store(MemoryDeployments):
    """With what is attested, decided and named. `until`: until when may be searched after a decision."""

    def __init__(self, row: Deployment) -> None:
        super().__init__([], rows={row.id: row})
        self.attested: list[Attestation] = []
        self.decided: list[PriorAuthorisation] = []
        self.known: dict[str, Person] = {}
        self.until = END

    def attest(self, attestation: Attestation) -> bool:
        if any(one.kind is attestation.kind for one in self.attested):
            return False
        self.attested.append(attestation)
        return True

    def decisions(self, deployment_id: str) -> list[PriorAuthorisation]:
        return self.decided

    def record_decision(self, decision: PriorAuthorisation) -> None:
        self.decided.append(decision)
        row = self.rows[decision.deployment_id]
        if row.state is DeploymentState.ACTIVE:
            until = self.until if decision.granted else row.starts_at
            self.rows[row.id] = replace(row, search_until=until)

    def person(self, sub: str) -> Person | None:
        return self.known.get(sub)

    def people(self) -> list[Person]:
        return list(self.known.values())

    def add_member(self, member: Member) -> None:
        self.named.append(member)

    def remove_member(self, deployment_id: str, sub: str, role: Role, at) -> bool:
        before = len(self.named)
        self.named = [one for one in self.named if (one.sub, one.role) != (sub, role)]
        return len(self.named) < before


class Room:
    def __init__(self, state=DeploymentState.ACTIVE, rules=EU) -> None:
        self.row = asked(state=state, policy=rules, authorised_by="authoriser", search_until=END)
        self.store, self.due = Store(self.row), FakeDue()
        self.permits, self.spool = FakePermits(), FakeStops()
        self.board = FakeContacts()
        if state is DeploymentState.ACTIVE:
            write_permits(self.row, self.permits)

    @property
    def actions(self) -> list[str]:
        return [act.action for act in self.store.acts]

    def attest(self, kind=Attested.SIGNAGE, by=REQUESTER, **changed):
        since = START if kind is Attested.PUBLIC_NOTICE else None
        return conditions.attest(
            principal=by,
            kind=kind,
            store=self.store,
            clock=lambda: NOW,
            **{"deployment_id": DEPLOYMENT, "statement": " at each door ", "published_at": since, **changed},
        )

    def decide(self, by=AUTHORISER, **changed):
        values = {
            "id": "d-1",
            "deployment_id": DEPLOYMENT,
            "body": "the court",
            "reference": "C-1",
            "decided_on": NOW.date(),
            "document_sha256": "d" * 64,
            "granted": True,
            "place": "Gate 1",
            "valid_from": START,
            "valid_until": END,
            "persons": ("R-1",),
            "recorded_by": by.sub,
            "recorded_at": NOW,
        }
        return conditions.record_decision(
            principal=by,
            decision=PriorAuthorisation(**{**values, **changed}),
            store=self.store,
            permits=self.permits,
            due=self.due,
            spool=self.spool,
            clock=lambda: NOW,
            new_id=lambda: "stop-1",
        )


OVER = [DeploymentState.STOPPED, DeploymentState.ENDED, DeploymentState.CLOSED]


# --- attesting --------------------------------------------------------------------------------------------------------


def test_what_is_attested_is_recorded_with_who_said_it():
    room = Room(DeploymentState.REQUESTED)
    made = room.attest()
    assert (made.made_by, made.made_at, made.statement) == ("requester", NOW, "at each door")
    assert room.store.attested == [made]
    assert room.actions == ["attested"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"by": principal("x", Role.WATCHLIST_OFFICER, Role.REVIEWER, Role.AUDITOR)}, Reason.ROLE_MISSING),
        ({"kind": Attested.NOTICE_WAIVED}, Reason.ROLE_MISSING),
        ({"statement": " \n"}, Reason.INVALID),
        ({"published_at": START}, Reason.INVALID),
        ({"kind": Attested.PUBLIC_NOTICE, "published_at": None}, Reason.INVALID),
        ({"kind": Attested.PUBLIC_NOTICE, "published_at": NOW + timedelta(microseconds=1)}, Reason.INVALID),
        ({"deployment_id": "another"}, Reason.NOT_FOUND),
    ],
)
def test_what_is_no_attestation_is_refused(changed, reason):
    room = Room(DeploymentState.REQUESTED)
    assert room.attest(**changed).reason is reason
    assert (room.store.attested, room.actions) == ([], [])


def test_a_waiver_is_an_authorisers_where_the_policy_knows_it():
    assert isinstance(Room().attest(Attested.NOTICE_WAIVED, AUTHORISER), Attestation)
    room = Room(rules=policy())
    assert room.attest(Attested.NOTICE_WAIVED, AUTHORISER).reason is Reason.POLICY_FORBIDS
    assert room.store.attested == []


def test_each_kind_once():
    room = Room()
    first = room.attest()
    assert room.attest(statement="elsewhere").reason is Reason.WRONG_STATE
    assert room.store.attested == [first]


@pytest.mark.parametrize("state", OVER)
def test_nothing_is_attested_of_what_is_over(state):
    assert Room(state).attest().reason is Reason.WRONG_STATE


# --- deciding ---------------------------------------------------------------------------------------------------------


def test_a_granted_decision_moves_the_permits():
    room = Room()
    room.store.until = NOW + timedelta(minutes=9)
    assert room.decide().search_until == room.store.until
    assert room.permits.objects[CAMERA].ends_at == room.store.until
    assert room.actions == ["decision_recorded"]
    assert room.due.objects == {}


@pytest.mark.parametrize("state", [DeploymentState.REQUESTED, DeploymentState.AUTHORISED, DeploymentState.WARMING])
def test_before_the_start_it_writes_no_permit(state):
    room = Room(state)
    assert room.decide().state is state
    assert room.permits.objects == {}


@pytest.mark.parametrize("state", [DeploymentState.REQUESTED, DeploymentState.WARMING, DeploymentState.ACTIVE])
def test_a_refusal_stops_it_at_once_and_deletes_without_waiting(state):
    room = Room(state)
    after = room.decide(granted=False, place="", persons=())
    assert after.state is DeploymentState.STOPPED
    assert room.permits.objects == {}
    assert room.due.objects == {DEPLOYMENT: NOW}
    assert room.actions == ["decision_recorded", "deployment_stopped"]


@pytest.mark.parametrize("state", OVER[:2])
def test_a_refusal_when_it_is_over_deletes_without_waiting_and_stops_nothing_twice(state):
    room = Room(state)
    assert room.decide(granted=False).state is state
    assert room.due.objects == {DEPLOYMENT: NOW}
    assert room.actions == ["decision_recorded"]


def test_a_grant_that_does_not_cover_it_stops_it_but_keeps_to_the_usual_time():
    room = Room()
    room.store.until = room.row.starts_at
    assert room.decide().state is DeploymentState.STOPPED
    assert room.permits.objects == {}
    assert room.due.objects == {DEPLOYMENT: NOW + CLOSE_AFTER}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"by": principal("x", *(set(Role) - {Role.AUTHORISER}))}, Reason.ROLE_MISSING),
        ({"by": principal("requester", Role.AUTHORISER)}, Reason.SAME_PERSON),
        ({"body": " "}, Reason.INVALID),
        ({"reference": ""}, Reason.INVALID),
        ({"valid_until": START}, Reason.INVALID),
        ({"decided_on": NOW.date() + timedelta(days=2)}, Reason.INVALID),
        ({"place": "Gate 2"}, Reason.INVALID),
        ({"persons": ()}, Reason.INVALID),
        ({"deployment_id": "another"}, Reason.NOT_FOUND),
    ],
)
def test_what_is_no_decision_on_it_is_refused(changed, reason):
    room = Room()
    before = dict(room.permits.objects)
    assert room.decide(**changed).reason is reason
    assert (room.store.decided, room.actions, room.permits.objects) == ([], [], before)


def test_one_reference_is_recorded_once():
    room = Room()
    room.decide()
    assert room.decide(granted=False).reason is Reason.WRONG_STATE
    assert room.store.rows[DEPLOYMENT].state is DeploymentState.ACTIVE


@pytest.mark.parametrize("state", OVER)
def test_a_grant_comes_too_late_when_it_is_over(state):
    assert Room(state).decide().reason is Reason.WRONG_STATE
    assert isinstance(Room(DeploymentState.CLOSED).decide(granted=False), Refused)


def test_a_policy_that_asks_for_none_records_none():
    assert Room(rules=policy()).decide().reason is Reason.POLICY_FORBIDS


def test_a_refusal_that_cannot_be_recorded_is_a_fault():
    room = Room()
    room.store.faults["audit"] = AuditUnwritable("no")
    with pytest.raises(AuditUnwritable):
        room.decide(granted=False)


# --- members ----------------------------------------------------------------------------------------------------------


def naming(room, sub="somebody", role=Role.REVIEWER, by=REQUESTER, **changed):
    return people.name_member(
        principal=by,
        sub=sub,
        role=role,
        store=room.store,
        board=room.board,
        clock=lambda: NOW,
        **{"deployment_id": DEPLOYMENT, **changed},
    )


@pytest.fixture
def room():
    made = Room(DeploymentState.REQUESTED)
    both = frozenset({Role.REVIEWER, Role.RECIPIENT, Role.AUTHORISER})
    for sub in ("somebody", "requester", "authoriser"):
        made.store.known[sub] = Person(sub, both, NOW + timedelta(days=1))
    made.store.known["late"] = Person("late", both, NOW)
    made.store.known["another"] = Person("another", frozenset({Role.AUDITOR}), NOW + timedelta(days=1))
    return made


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.RECIPIENT])
@pytest.mark.parametrize("by", [REQUESTER, AUTHORISER])
def test_a_reviewer_or_a_recipient_is_named(room, role, by):
    made = naming(room, role=role, by=by)
    assert made == Member(DEPLOYMENT, "somebody", role, by.sub, NOW)
    assert room.store.named == [made]
    assert room.actions == ["member_named"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"by": principal("x", *(set(Role) - {Role.REQUESTER, Role.AUTHORISER}))}, Reason.ROLE_MISSING),
        ({"role": Role.AUTHORISER}, Reason.INVALID),
        ({"sub": "unknown"}, Reason.INVALID),
        ({"sub": "another"}, Reason.INVALID),
        ({"sub": "requester"}, Reason.SAME_PERSON),
        ({"sub": "authoriser"}, Reason.SAME_PERSON),
        ({"sub": "late"}, Reason.NOT_TRAINED),
        ({"deployment_id": "another"}, Reason.NOT_FOUND),
    ],
)
def test_who_cannot_be_one_is_not_named(room, changed, reason):
    assert naming(room, **changed).reason is reason
    assert (room.store.named, room.actions) == ([], [])


def test_a_recipient_needs_no_training_and_may_have_requested(room):
    for sub in ("late", "requester"):
        assert isinstance(naming(room, sub=sub, role=Role.RECIPIENT), Member)


@pytest.mark.parametrize("state", OVER)
def test_nobody_is_named_for_what_is_over(room, state):
    room.store.rows[DEPLOYMENT] = replace(room.row, state=state)
    assert naming(room).reason is Reason.WRONG_STATE


def remove(room, by=REQUESTER):
    return people.remove_member(
        principal=by,
        deployment_id=DEPLOYMENT,
        sub="somebody",
        role=Role.REVIEWER,
        store=room.store,
        board=room.board,
        clock=lambda: NOW,
    )


def test_who_is_taken_off_is_gone_and_it_is_recorded(room):
    naming(room)
    assert remove(room) is True
    assert room.store.named == []
    assert room.actions == ["member_named", "member_removed"]
    assert remove(room).reason is Reason.NOT_FOUND


def test_a_reviewer_does_not_take_others_off(room):
    naming(room)
    assert remove(room, principal("x", Role.REVIEWER)).reason is Reason.ROLE_MISSING
    assert len(room.store.named) == 1
