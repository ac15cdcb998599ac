"""The API's description: made from the routes, complete, and true of what the views make."""

import json
import re
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import TypeAdapter

from functions.govern import (
    answers,
    calibration_answers,
    hold_answers,
    monitoring,
    monitoring_answers,
    subject_answers,
    subjects,
    views,
)
from functions.govern.requests import DecisionBody, DeploymentBody, EntryBody, PersonBody
from functions.review import answers as review_answers
from functions.review import notice_answers, notices
from functions.review import routes as review
from proviso.domain.audit import GENESIS, Act, AuditRecord, Head, chain_hash
from proviso.domain.calibration import Calibration, CalibrationPoint, FalseCandidates, GroupRate
from proviso.domain.candidate import Decision, Review
from proviso.domain.conditions import Attestation, Attested, PriorAuthorisation
from proviso.domain.holds import Hold, HoldKind
from proviso.domain.outcome import Action, Outcome, Result
from proviso.domain.people import Member, Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import Certificate, StoreCount
from proviso.domain.review_ports import OtherDecision, ShownReference, StrangerOnceIn
from proviso.domain.subjects import Answer as SubjectAnswer
from proviso.domain.subjects import EvidenceState, Listed, Listing, ListUse, Raised
from proviso.domain.trial import Readings, SearchedFrame, Sighting, count
from proviso.domain.watchlist import Build, Entry, Watchlist
from proviso.edge import http
from proviso.edge.answers import Refusal, gives
from proviso.edge.http import plain
from proviso.edge.readable import path_of, unreadable_input, unreadable_path
from proviso.stages.audit import AuditPage, ChainList
from proviso.stages.deployments_shown import Shown
from proviso.stages.recipient import NoticeView, Slip
from proviso.stages.review import CandidateView
from proviso.stages.watchlist import Added
from scripts import openapi
from tests import samples
from tests.template.test_api import PUBLIC, ROUTES

NOW = samples.NOW
COMMITTED = json.loads(openapi.FILE.read_text(encoding="utf-8"))
OPERATIONS = {
    (method.upper(), path): operation
    for path, methods in COMMITTED["paths"].items()
    for method, operation in methods.items()
}


def shape(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", path)


# --- the document -----------------------------------------------------------------------------------------------------


def test_what_is_committed_is_what_the_routes_make() -> None:
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text(), "the routes have changed: run make openapi"


def test_it_is_openapi_3_1() -> None:
    assert COMMITTED["openapi"] == "3.1.0"
    validate(COMMITTED)


def test_its_routes_are_those_of_the_template() -> None:
    described = {f"{method} {shape(path)}" for method, path in OPERATIONS}
    with_routes = {name for name, _, _ in openapi.functions()}
    wanted = {
        f"{shape(route)}"
        for function, routes in ROUTES.items()
        for route in routes
        if function.removesuffix("Function").lower() in with_routes
    }
    assert described == wanted


def test_the_public_routes_are_those_of_the_template() -> None:
    assert COMMITTED["security"] == [{"SignedIn": []}]
    open_to_all = {(method, shape(path)) for (method, path), one in OPERATIONS.items() if one.get("security") == []}
    described = {(method, shape(path)) for method, path in OPERATIONS}
    assert open_to_all == {(method, shape(path)) for method, path in PUBLIC} & described
    assert all(one.get("security", []) == [] for one in OPERATIONS.values())


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("route", OPERATIONS, ids=" ".join)
def test_an_operation_says_what_it_does_takes_and_gives(route: tuple[str, str]) -> None:
    operation = OPERATIONS[route]
    assert 10 < len(operation["summary"]) < 120, f"{route}: it needs a docstring"
    assert operation["tags"]
    for parameter in operation.get("parameters", []):
        assert parameter.get("description"), f"{route}: say what {parameter['name']} is"
    answered = operation["responses"]
    good = [code for code in answered if code.startswith("2")]
    assert good or "501" in answered, f"{route}: responses=gives(...) is missing"
    for code, response in answered.items():
        for kind, content in response["content"].items():
            assert content["schema"], f"{route} {code} {kind}: no schema"
    assert {"400", "500", "503"} <= set(answered), f"{route}: responses=gives(...) is missing"
    assert "Retry-After" in answered["503"]["headers"]
    if operation.get("security") != []:
        assert "401" in answered


def test_reasons_are_the_closed_list() -> None:
    assert set(COMMITTED["components"]["schemas"]["Reason"]["enum"]) == {reason.value for reason in Reason}


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_described_under_the_status_that_it_has(reason: Reason) -> None:
    answered = json.loads(http.refusal(Refused(reason, "what")).body or "")
    TypeAdapter(Refusal).validate_python(answered)
    assert reason.value in gives(Refusal, reason)[http.STATUS.get(reason, 422)]["description"]


# --- what the views make, against the models --------------------------------------------------------------------------

ACT = Act("d-1", NOW, "somebody", "deployment_requested", "d-1", details={"digest": "x"}).body(1)
RECORD = AuditRecord("d-1", 1, ACT, GENESIS, chain_hash(GENESIS, ACT))
DECISION = PriorAuthorisation(
    "p", "d-1", "a court", "1/26", date(2026, 1, 1), "0" * 64, True, "Hall", NOW, NOW, ("R-1",), "a", NOW
)
TRIAL = Calibration(
    "c",
    "p",
    "site_trial",
    "Hall",
    NOW,
    (CalibrationPoint(2, Decimal("0.4"), 0.1, 0.2, 0.1, 0.2),),
    groups=(GroupRate(2, 1, "gender=female", 60, None, 0.06, Decimal("0.41"), "too few"),),
    trial=count([], Readings((), (), frozenset()), "d-1"),
)
READ = Readings((Sighting("gate", NOW, "R-1"),), (SearchedFrame("gate", NOW, 1),), frozenset({"R-1"}))
SHOWN = Shown(
    deployment=samples.deployment(),
    conditions=samples.conditions(
        attestations=(Attestation("d-1", Attested.SIGNAGE, "at the gate", "a", NOW),),
        decisions=(DECISION,),
        calibration=TRIAL,
        trial=TRIAL,
    ),
    members=(Member("d-1", "r", Role.REVIEWER, "a", NOW),),
    expected=FalseCandidates(0.1, 0.2, 10, "per passage"),
    missing=Refused(Reason.NOT_ANNOUNCED),
    floor=Decimal("0.4"),
    groups=TRIAL.groups,
)
GONE = Listed("e", "w", "R-1", "volunteer", NOW, NOW, NOW)
USED = ListUse("d-1", "w", "an operator", "a trial", "Hall", NOW, NOW, NOW, None, "active")
SEEN = Raised(samples.candidate().id, "e", "d-1", "Hall", NOW, NOW, "confirmed", NOW, EvidenceState.DELETED)
ASKED = SubjectAnswer((Listing(GONE, (USED,), (SEEN,)),), ((SEEN, USED),))
ENTRY = Entry(
    "e", "w", "R-1", "Somebody", "volunteer", "why", "whence", "lawful", date(2020, 1, 1), None, "officer", NOW
)
LISTED = samples.watchlist()
MADE: list[tuple[type, Any]] = [
    (answers.Person, plain(Person("s", frozenset(Role), NOW, "inspector"))),
    (answers.People, plain({"people": [Person("s", frozenset())]})),
    (answers.Member, plain(Member("d", "s", Role.RECIPIENT, "a", NOW))),
    (answers.Watchlist, plain(LISTED)),
    (answers.WatchlistWithEntries, plain({**views.watchlist((LISTED, [ENTRY])), "pipeline": "p"})),
    (answers.AddedEntry, plain(views.added(Added(ENTRY, ("old",))))),
    (answers.Build, plain(Build("b", "w", "p", "x", 1, 1, "o", NOW))),
    (answers.Deployment, plain(views.deployment(samples.deployment()))),
    (answers.ShownDeployment, plain(views.shown_deployment(SHOWN))),
    (calibration_answers.Calibrations, {"calibrations": [views.calibration(TRIAL)]}),
    (calibration_answers.Readings, views.readings(READ, "gate")),
    (answers.Attestation, plain(Attestation("d", Attested.PUBLIC_NOTICE, "on the site", "a", NOW, NOW))),
    (answers.Certificate, plain(views.certificate(Certificate("d", "w", (StoreCount("reference", 0),), NOW, NOW)))),
    (hold_answers.Hold, plain(Hold("h", "c", HoldKind.REASON, "a complaint is expected", "a", NOW, NOW))),
    (monitoring_answers.Suspension, plain(monitoring.suspension(samples.suspension()))),
    (monitoring_answers.Monitoring, plain(monitoring.shown(samples.monitoring()))),
    (
        subject_answers.SubjectAccess,
        subjects._answer(ASKED),
    ),
    (answers.Audit, plain(views.audit(([RECORD], None)))),
    (answers.AuditPage, plain(views.audit_page(AuditPage("d-1", (RECORD,), 1)))),
    (answers.AuditChains, plain(views.audit_chains(ChainList(NOW, (Head("d-1", 1, RECORD.hash),))))),
]


@pytest.mark.parametrize(("model", "made"), MADE, ids=[model.__name__ for model, _ in MADE])
def test_what_a_view_makes_is_what_is_described(model: type, made: Any) -> None:
    TypeAdapter(model).validate_json(json.dumps(made))
    with pytest.raises(ValueError, match="extra"):
        TypeAdapter(model).validate_json(json.dumps({**made, "template": "leaked"}))


@pytest.mark.parametrize(
    ("model", "record"), [(answers.Watchlist, Watchlist), (answers.Build, Build), (answers.Person, Person)]
)
def test_a_record_that_is_shown_whole_is_described_whole(model: Any, record: Any) -> None:
    assert set(model.model_fields) == {field.name for field in fields(record)}


def test_a_reviewer_is_shown_what_is_described_before_and_after_their_decision() -> None:
    candidate = samples.candidate()
    own = Review("r", candidate.id, "me", Decision.REJECT, "another nose", NOW)
    pictures = (ShownReference("ref", "key", (1, 2, 3, 4)), ShownReference("old", "key", None))
    before = CandidateView(NOW, samples.shown(), pictures, None, None)
    other = OtherDecision(Decision.CONFIRM, "alike", NOW)
    after = CandidateView(NOW, samples.shown(), pictures, own, replace(samples.REVEALED, others=(other,)))
    tested = replace(after, revealed=replace(samples.REVEALED, test_mated=True))
    rare = replace(after, revealed=replace(samples.REVEALED, stranger_once_in=StrangerOnceIn(900, None)))
    review_answers.Undecided.model_validate_json(json.dumps(review._view(before)))
    review_answers.Decided.model_validate_json(json.dumps(review._view(after)))
    assert review_answers.Decided.model_validate(review._view(tested)).test == review_answers.Tested(
        mated=True, right=False
    )
    reached = review_answers.Decided.model_validate(review._view(rare)).stranger_once_in
    assert reached == review_answers.Reached(low=900, high=None)
    assert not {"similarity", "category", "threshold", "stranger_once_in"} & set(review_answers.Undecided.model_fields)


def test_a_recipient_is_shown_what_is_described() -> None:
    pictures = (ShownReference("ref", "key", (1, 2, 3, 4)), ShownReference("old", "key", None))
    said = Outcome("o", samples.candidate().id, Result.ENGAGED_WRONG, Action.HELP, "somebody", NOW)
    for outcome in (None, said):
        seen = samples.noticed(outcome=outcome)
        listed = {"now": plain(NOW), "notices": [notices._brief(seen)]}
        notice_answers.Notices.model_validate_json(json.dumps(listed))
        shown = json.dumps(notices._view(NoticeView(NOW, seen, pictures)))
        notice_answers.ShownNotice.model_validate_json(shown)
        assert "somebody" not in shown
        for gone in (seen, replace(seen, evidence_key="")):
            slip = notices._slip(Slip(gone, samples.particulars(), None), "complaints@example.org")
            notice_answers.Slip.model_validate_json(json.dumps(slip))
    notice_answers.Held.model_validate_json(json.dumps(plain({"held_until": NOW})))


# --- what is taken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1999-12-31T23:59:59Z"])
def test_times_at_the_edge_of_the_calendar_are_refused(at: str) -> None:
    with pytest.raises(ValueError, match="2000 and 2200"):
        PersonBody(sub="s", roles=[], trained_until=at)  # type: ignore[arg-type]


def test_times_are_taken_in_utc() -> None:
    body = PersonBody(sub="s", roles=[], trained_until="2026-06-01T02:00:00+02:00")  # type: ignore[arg-type]
    assert body.trained_until == datetime(2026, 6, 1, tzinfo=UTC)
    assert body.trained_until.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "a\x1b[31mb", "\ud800", "   ", ""])
def test_a_line_is_text_of_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="sub"):
        PersonBody(sub=text, roles=[])


@pytest.mark.parametrize("model", [PersonBody, EntryBody, DeploymentBody, DecisionBody])
def test_unknown_fields_are_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        model.model_validate({"nobody_hears_this": 1})


@pytest.mark.parametrize("threshold", ["NaN", "Infinity", 1e308, -1, "0.1234567"])
def test_a_threshold_is_a_plain_decimal(threshold: Any) -> None:
    with pytest.raises(ValueError, match="threshold"):
        DeploymentBody.model_validate({"threshold": threshold})


# --- what no route can use --------------------------------------------------------------------------------------------


def asked(body: Any = None, path: str = "/x", query: str = "", kind: str = "application/json", **more: Any) -> Any:
    return {"rawPath": path, "rawQueryString": query, "headers": {"content-type": kind}, "body": body, **more}


@pytest.mark.parametrize("path", ["/x%00", "/\x00"])
def test_a_path_with_what_no_text_holds_is_refused(path: str) -> None:
    assert unreadable_path(asked(path=path)) is not None
    assert unreadable_path(asked(path="/%F0%9F%98%80")) is None


@pytest.mark.parametrize(
    "event",
    [
        asked('{"a": "\\u0000"}'),
        asked('{"a": ["\\ud800"]}'),
        asked('{"\\u0000": 1}'),
        asked('{"a": NaN}'),
        asked('{"a": ' + "9" * 5000 + "}"),
        asked("[" * 100_000),
        asked("{"),
        asked("/w==", isBase64Encoded=True),
        asked("{}", kind="multipart/form-data"),
        asked("{}", kind="text/plain"),
        asked(query="purpose=%00"),
    ],
)
def test_input_that_no_route_can_use_is_refused(event: Any) -> None:
    refused = unreadable_input(event)
    assert refused is not None
    assert refused.reason is Reason.INVALID


def test_ordinary_input_is_left_to_the_route() -> None:
    assert unreadable_input(asked('{"a": "\\ud83d\\ude00", "b": [1.5, null, true]}')) is None
    assert unreadable_input(asked("{}", kind="application/json; charset=utf-8")) is None
    assert unreadable_input(asked("")) is None


@pytest.mark.parametrize("raw", ["/people/a%40b", "/people/a@b"])
def test_a_name_in_a_path_is_decoded_once_whatever_the_gateway_did(raw: str) -> None:
    event = {"rawPath": raw, "routeKey": "GET /people/{sub}", "pathParameters": {"sub": "a@b"}}
    assert path_of(event) == "/people/a@b"


def test_a_path_without_parameters_is_as_it_is() -> None:
    assert path_of({"rawPath": "/people", "routeKey": "GET /people"}) == "/people"
