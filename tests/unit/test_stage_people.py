"""Lists, pictures, roles and reviews: what stages refuse before any rule of SQL is asked (S06, S10, S16, S17)."""

import hashlib
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from proviso.domain.candidate import Decision, Review
from proviso.domain.errors import AuditUnwritable, StorageFault
from proviso.domain.frame import Jpeg
from proviso.domain.notice import Kind
from proviso.domain.people import Person, Principal, Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.review_ports import ShownReference
from proviso.domain.watchlist import Entry
from proviso.stages import enrol, people, review, watchlist
from tests.doubles import FakePipeline
from tests.doubles import people as frame_of
from tests.fakes.cloud import FakeAnchors, FakeChanges, FakeContacts, FakeOutbox, FakePictures, FakeSubjects
from tests.samples import ENTRY, NO_TESTS, NOW, REVEALED, candidate, confirmation, policy, principal, shown
from tests.samples import watchlist as list_of

OFFICER = principal("officer", Role.WATCHLIST_OFFICER)
REVIEWER = principal("reviewer", Role.REVIEWER)


class Store:
    """One transaction at a time over plain attributes, undone when it fails."""

    def __init__(self, **values) -> None:
        self.acts: list[str] = []
        self.faults: dict[str, Exception] = {}
        self.removed: list[str] = []
        self.references: list[object] = []
        self.journal: list[str] = []
        self.values = values

    @contextmanager
    def work(self):
        kept = (list(self.acts), list(self.removed), self.references)
        try:
            yield self
        except BaseException:
            self.acts, self.removed, self.references = kept
            raise

    def audit(self, act):
        if fault := self.faults.get("audit"):
            raise fault
        self.acts.append(act.action)
        self.journal.append(act.action)

    def remove_entry(self, watchlist_id, entry_id, at):
        self.removed.append(entry_id)
        return entry_id == "entry-1"

    def add_reference(self, reference):
        self.references = [*self.references, reference]

    def __getattr__(self, name):
        found = self.values.get(name)
        return found if callable(found) else (lambda *_, **__: found)


def ids():
    return lambda: "id-1"


def keys(*entries):
    """The subjects' keys, one of each of these entries in it."""
    made = FakeSubjects()
    for entry in entries:
        made.make("list-1", entry, NOW)
    return made


LIST = list_of(categories=("x",))
LISTED = Entry(id="entry-1", watchlist_id="list-1", reference_no="R-1", added_by="officer", added_at=NOW,
               consent_reference=None, **ENTRY)  # fmt: skip


# --- S06: adding and removing -----------------------------------------------------------------------------------------


def add(store, by=OFFICER, rules=None, subjects=None, **changed):
    return watchlist.add_entry(
        principal=by,
        watchlist_id="list-1",
        request=watchlist.EntryRequest(**{**ENTRY, **changed}),
        policy_of=lambda name: rules or policy(),
        store=store,
        subjects=subjects or keys(),
        clock=lambda: NOW,
        new_id=ids(),
    )


def test_an_entry_with_its_grounds_is_added():
    added = []
    store = Store(watchlist=LIST, add_entry=added.append)
    assert isinstance(add(store).entry, Entry)
    assert [entry.id for entry in added] == ["id-1"]
    assert store.acts == ["entry_added"]


@pytest.mark.parametrize("name", ["label", "category", "reason", "source", "lawful_holding"])
@pytest.mark.parametrize("blank", ["", "   ", "\t\n"])
def test_a_blank_ground_is_refused_and_named(name, blank):
    added = []
    refused = add(Store(watchlist=LIST, add_entry=added.append), **{name: blank})
    assert refused.reason is Reason.INVALID
    assert name in refused.detail
    assert added == []


@pytest.mark.parametrize(
    ("changed", "rules", "entries", "reason"),
    [
        ({"category": "intelligence"}, {}, 0, Reason.POLICY_FORBIDS),
        ({"category": "Public_Domain_Photograph"}, {}, 0, Reason.POLICY_FORBIDS),
        ({}, {}, 5, Reason.POLICY_FORBIDS),
        ({}, {"consent_required": True}, 0, Reason.POLICY_FORBIDS),
        ({"consent_reference": " "}, {"consent_required": True}, 0, Reason.POLICY_FORBIDS),
        ({"image_date": NOW.date() + timedelta(days=1)}, {}, 0, Reason.INVALID),
        ({}, {"image_refuse_age_years": 5}, 0, Reason.POLICY_FORBIDS),
    ],
)
def test_what_the_policy_does_not_allow_is_not_added(changed, rules, entries, reason):
    added = []
    store = Store(watchlist=replace(LIST, entries=entries), add_entry=added.append)
    assert add(store, rules=policy(**rules), **changed).reason is reason
    assert added == []
    assert store.acts == []


def test_a_number_that_is_taken_is_refused_and_named():
    added, asked = [], []
    taken = Store(watchlist=LIST, add_entry=added.append, reference_taken=lambda *given: asked.append(given) or True)
    refused = add(taken, reference_no=" R-7 ")
    assert refused.reason is Reason.TAKEN
    assert "R-7" in refused.sentence
    assert asked == [("list-1", "R-7")]
    assert (added, taken.acts) == ([], [])


def test_only_a_watchlist_officer_adds():
    for role in set(Role) - {Role.WATCHLIST_OFFICER}:
        assert add(Store(watchlist=LIST), by=principal("x", role)).reason is Reason.ROLE_MISSING


def test_a_refusal_tells_no_label():
    assert "Hidden" not in repr(watchlist.EntryRequest(**ENTRY)) + repr(LISTED)


def remove(store, by=OFFICER, entry_id="entry-1", subjects=None, anchors=None):
    return watchlist.remove_entry(
        principal=by,
        watchlist_id="list-1",
        entry_id=entry_id,
        store=store,
        subjects=subjects or keys("entry-1"),
        anchors=anchors or FakeAnchors(),
        clock=lambda: NOW,
    )


def test_removing_needs_no_reason_and_no_state():
    store = Store()
    assert remove(store) is True
    assert store.acts == ["entry_removed"]
    assert remove(Store(), entry_id="unknown").reason is Reason.NOT_FOUND


def test_a_removal_that_cannot_be_recorded_is_done_all_the_same_and_says_so():
    """S36: stopping and removing still work."""
    store = Store()
    store.faults["audit"] = AuditUnwritable("no")
    with pytest.raises(AuditUnwritable, match="entry-1 was removed by officer"):
        remove(store)
    assert store.removed == ["entry-1"]


# --- S30: keys --------------------------------------------------------------------------------------------------------


def test_without_a_key_nobody_is_added():
    for method in ("make", "seal"):
        store, subjects, added = Store(watchlist=LIST), keys(), []
        store.values["add_entry"] = added.append
        subjects.faults[method] = StorageFault("away")
        with pytest.raises(StorageFault):
            add(store, subjects=subjects)
        assert store.acts == []
        assert added == []


def test_a_refused_addition_makes_no_key():
    subjects = keys()
    assert add(Store(watchlist=LIST), subjects=subjects, category="x").reason is Reason.POLICY_FORBIDS
    assert subjects.keys == {}


@pytest.mark.parametrize("picture", [frame_of(3), frame_of()])
def test_without_a_key_no_picture_is_taken_or_refused(picture):
    """Neither act could be recorded without naming the person."""
    for subjects in (keys(), keys("entry-1")):
        if subjects.keys:
            subjects.faults["seal"] = StorageFault("away")
        store, pictures = Store(entry=LISTED, watchlist=LIST), FakePictures()
        with pytest.raises(StorageFault):
            enrolled(store, picture, pictures, subjects=subjects)
        assert (store.acts, store.references, pictures.objects) == ([], [], {})


def test_a_removal_goes_on_without_the_keys_and_says_whose_it_is_to_nobody():
    """S36."""
    for subjects in (keys(), keys("entry-1")):
        if subjects.keys:
            subjects.faults["*"] = StorageFault("away")
        store = Store()
        assert remove(store, subjects=subjects) is True
        assert store.removed == ["entry-1"]
        assert store.acts == ["entry_removed"]


# --- S10: pictures ----------------------------------------------------------------------------------------------------


def enrolled(store, picture=frame_of(3), pictures=None, pipeline=None, by=OFFICER, subjects=None):  # noqa: B008
    return enrol.enrol(
        principal=by,
        watchlist_id="list-1",
        entry_id="entry-1",
        picture=Jpeg(picture),
        pipeline=pipeline or FakePipeline(),
        pictures=pictures or FakePictures(),
        store=store,
        subjects=subjects or keys("entry-1"),
        clock=lambda: NOW,
        new_id=ids(),
    )


def test_one_good_face_becomes_a_reference():
    store, pictures = Store(entry=LISTED, watchlist=LIST), FakePictures()
    assert enrolled(store, pictures=pictures).reference_id == "id-1"
    assert list(pictures.objects) == ["enrolment/list-1/entry-1/id-1.jpg"]
    assert len(store.references) == 1
    assert store.acts == ["reference_enrolled"]


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (frame_of(), Reason.NO_FACE),
        (frame_of(3, 4), Reason.SEVERAL_FACES),
        (frame_of(3, "~4"), Reason.SEVERAL_FACES),
        (frame_of("~3"), Reason.NOT_SHARP),
        (b"no picture", Reason.NOT_AN_IMAGE),
    ],
)
def test_a_poor_picture_is_rejected_with_its_reason_and_kept_nowhere(picture, reason):
    store, pictures = Store(entry=LISTED, watchlist=LIST), FakePictures()
    assert enrolled(store, picture, pictures).reason is reason
    assert pictures.objects == {}
    assert store.references == []
    assert store.acts == ["enrolment_refused"]


def test_the_same_picture_again_is_the_reference_that_is_there_without_any_vision_work():
    pipeline, pictures, asked = FakePipeline(), FakePictures(), []
    store = Store(entry=LISTED, watchlist=LIST, reference_of=lambda *given: asked.append(given) or "id-0")
    found = enrolled(store, pictures=pictures, pipeline=pipeline)
    assert (found.reference_id, found.quality, found.already) == ("id-0", None, True)
    assert asked == [("entry-1", hashlib.sha256(frame_of(3)).hexdigest(), pipeline.digest)]
    assert (pipeline.opened, pictures.objects, store.references, store.acts) == ([], {}, [], [])


def test_of_two_who_send_a_picture_at_once_the_second_is_given_the_firsts_reference():
    looks, pictures = iter([None, "id-0"]), FakePictures()
    store = Store(entry=LISTED, watchlist=LIST, reference_of=lambda *_: next(looks))
    assert enrolled(store, pictures=pictures).reference_id == "id-0"
    assert (pictures.objects, store.references, store.acts) == ({}, [], [])


def test_a_removed_entry_is_not_found_even_where_the_picture_is_there():
    store = Store(entry=replace(LISTED, removed_at=NOW), watchlist=LIST, reference_of="id-0")
    assert enrolled(store).reason is Reason.NOT_FOUND


def test_a_removed_or_unknown_entry_takes_no_picture():
    for entry in (None, replace(LISTED, removed_at=NOW)):
        pictures = FakePictures()
        assert enrolled(Store(entry=entry, watchlist=LIST), pictures=pictures).reason is Reason.NOT_FOUND
        assert pictures.objects == {}


@pytest.mark.parametrize("meanwhile", ["removed", "erased"])
def test_a_picture_is_not_put_for_an_entry_that_went_while_it_was_prepared(meanwhile):
    """Otherwise it would lie in the bucket after the list was deleted, counted and certified (S23)."""
    looks = iter([LISTED, replace(LISTED, removed_at=NOW)])
    lists = {"removed": LIST, "erased": None}
    store, pictures = Store(entry=lambda *_: next(looks), watchlist=lists[meanwhile]), FakePictures()
    assert enrolled(store, pictures=pictures).reason is Reason.NOT_FOUND
    assert pictures.objects == {}
    assert store.references == []


def test_a_picture_that_cannot_be_put_makes_no_reference():
    store, pictures = Store(entry=LISTED, watchlist=LIST), FakePictures()
    pictures.faults["put"] = StorageFault("denied")
    with pytest.raises(StorageFault):
        enrolled(store, pictures=pictures)
    assert store.references == []
    assert store.acts == []


# --- people -----------------------------------------------------------------------------------------------------------


def test_an_account_without_a_role_is_nobody():
    assert people.principal_of(SimpleNamespace(person=lambda sub: None), "x").reason is Reason.ROLE_MISSING
    without = SimpleNamespace(person=lambda sub: Person(sub, frozenset()))
    assert people.principal_of(without, "x").reason is Reason.ROLE_MISSING


def test_nobody_changes_their_own_roles():
    store, done = Store(deployments_naming=lambda sub: []), []
    store.values["register"] = done.append
    authoriser = principal("authoriser", Role.AUTHORISER)

    def register(by, sub):
        person = Person(sub, frozenset({Role.REQUESTER}))
        return people.register(principal=by, person=person, store=store, board=FakeContacts(), clock=lambda: NOW)

    assert register(authoriser, "authoriser").reason is Reason.SAME_PERSON
    assert register(REVIEWER, "other").reason is Reason.ROLE_MISSING
    assert done == []
    assert register(authoriser, "other").sub == "other"
    assert store.acts == ["person_registered"]


# --- review: the order is part of the safeguard -----------------------------------------------------------------------


def own(decision=Decision.REJECT):
    return Review("r", candidate().id, "reviewer", decision, "x", NOW)


def reviews(**values):
    given = {"shown": shown(), "involved": frozenset({"requester"}), "revealed": REVEALED, "own_review": None,
             "reviews_for": True, "errs_too_often": False, "test_setting": NO_TESTS}  # fmt: skip
    store = Store(**{**given, **values})
    store.references = lambda *_: [ShownReference("ref", "key", None)]
    return store


def look(store, by=REVIEWER):
    return review.look(principal=by, candidate_id=candidate().id, store=store, clock=lambda: NOW)


def decide(store, decision=Decision.CONFIRM, by=REVIEWER, reason="alike", outbox=None):
    return review.decide(
        principal=by,
        candidate_id=candidate().id,
        decision=decision,
        reason=reason,
        store=store,
        outbox=outbox or FakeOutbox(),
        changes=FakeChanges(),
        clock=lambda: NOW,
        new_id=ids(),
        chance=lambda: 0.5,
    )


def test_before_the_own_decision_neither_similarity_nor_category_is_shown():
    view = look(reviews())
    assert (view.own, view.revealed) == (None, None)
    assert look(reviews(own_review=own())).revealed == REVEALED


@pytest.mark.parametrize("by", [principal("requester", Role.REVIEWER), principal("x", *(set(Role) - {Role.REVIEWER}))])
def test_the_involved_and_those_without_the_role_neither_look_nor_decide(by):
    store, outbox = reviews(), FakeOutbox()
    for refused in (look(store, by), decide(store, by=by, outbox=outbox), picture(store, by=by)):
        assert refused.reason in (Reason.SAME_PERSON, Reason.ROLE_MISSING)
    assert store.acts == []
    assert outbox.objects == {}


def test_who_is_not_named_for_the_deployment_or_not_trained_sees_nothing():
    """S17, S19: read at each request, so that what was taken away is gone at once."""
    late = Principal(Person("reviewer", frozenset({Role.REVIEWER}), NOW))
    never = Principal(Person("reviewer", frozenset({Role.REVIEWER})))
    for store, by, reason in (
        (reviews(reviews_for=False), REVIEWER, Reason.NOT_A_MEMBER),
        (reviews(), late, Reason.NOT_TRAINED),
        (reviews(), never, Reason.NOT_TRAINED),
    ):
        for refused in (look(store, by), decide(store, by=by), picture(store, by=by)):
            assert refused.reason is reason
        assert store.acts == []


def picture(store, by=REVIEWER, reference=None, evidence=None):
    return review.picture(
        principal=by,
        candidate_id=candidate().id,
        reference_id=reference,
        store=store,
        evidence=evidence or FakePictures(),
        enrolment=FakePictures(),
        clock=lambda: NOW,
    )


def test_a_look_at_a_picture_is_recorded_before_it_is_given():
    store, evidence = reviews(), FakePictures()
    evidence.objects[candidate().evidence_key] = b"x"
    assert picture(store, evidence=evidence).data == b"x"
    assert store.acts == ["picture_consulted"]
    store.faults["audit"] = AuditUnwritable("no")
    with pytest.raises(AuditUnwritable):
        picture(store, evidence=evidence)


def test_no_picture_of_another_entry_is_given():
    assert picture(reviews(), reference="of another").reason is Reason.NOT_FOUND


def test_an_erased_picture_is_not_asked_for():
    evidence = FakePictures()
    evidence.faults["get"] = StorageFault("an empty key is a fault of the bucket's client")
    refused = picture(reviews(shown=shown(evidence_key="")), evidence=evidence)
    assert refused.reason is Reason.NOT_FOUND


def test_only_a_recorded_confirmation_puts_a_notice():
    outbox = FakeOutbox()
    store = reviews(decide=lambda review, now: confirmation(), own_review=own(Decision.CONFIRM))
    assert decide(store, outbox=outbox).own.decision is Decision.CONFIRM
    assert [made.kind for made in outbox.notices] == [Kind.CONFIRMED]
    assert store.acts == ["candidate_confirm"]


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (own(Decision.REJECT), Decision.REJECT),
        (own(Decision.CANNOT_TELL), Decision.CANNOT_TELL),
        (own(Decision.CONFIRM), Decision.CONFIRM),  # the first of two that the policy asks for
        (Refused(Reason.TOO_LATE), Decision.CONFIRM),
    ],
)
def test_everything_else_puts_none(answer, decision):
    outbox = FakeOutbox()
    decide(reviews(decide=lambda review, now: answer), decision, outbox=outbox)
    assert outbox.objects == {}


def test_a_confirmation_that_cannot_be_recorded_puts_none():
    outbox, store = FakeOutbox(), reviews(decide=lambda review, now: confirmation())
    store.faults["audit"] = AuditUnwritable("no")
    with pytest.raises(AuditUnwritable):
        decide(store, outbox=outbox)
    assert outbox.objects == {}


def test_a_decision_without_a_reason_is_refused():
    assert decide(reviews(), reason=" \n").reason is Reason.INVALID
