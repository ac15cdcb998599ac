"""IAM's rules one by one: what wins, what matches, what a condition means where the request has no such key."""

from typing import Any

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local.iam import Caller, Decision, decide, statements_of
from proviso.local.keys import Keys

OURS, THEIRS = "123456789012", "999999999999"
ROLE = f"arn:aws:iam::{OURS}:role/one"


def statements(*given: dict[str, Any]) -> Any:
    plain = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    return statements_of({"Version": "2012-10-17", "Statement": [{**plain, **one} for one in given]})


def ask(own: Any = (), policies: Any = (), endpoint: Any = None, account: str = OURS, **context: str) -> Decision:
    keys = {name.replace("__", ":"): value for name, value in context.items()}
    arn = ROLE.replace(OURS, account)
    caller = Caller(account, arn, statements=own)
    return decide(caller, "s3:GetObject", "arn:aws:s3:::b/k", keys, owner=OURS, policies=policies, endpoint=endpoint)


EVERYBODY = {"Principal": "*"}


def test_nobody_may_what_nothing_allows() -> None:
    assert ask().verdict == "allowed by nobody"
    assert ask(statements({"Action": "s3:PutObject"})).verdict == "allowed by nobody"


def test_a_deny_wins_wherever_it_stands() -> None:
    allow, deny = statements({"Sid": "A"}), statements({"Sid": "D", "Effect": "Deny"})
    assert ask(allow) == Decision("allowed", ("A",))
    assert ask((*allow, *deny)) == Decision("denied by a statement", ("D",))
    everybody = statements({"Sid": "D", "Effect": "Deny", **EVERYBODY})
    assert ask(allow, everybody) == Decision("denied by a statement", ("D",))
    assert ask(allow, endpoint=(*statements({**EVERYBODY}), *everybody)).verdict == "denied by a statement"


def test_in_one_account_either_policy_is_enough_and_an_endpoint_must_allow_besides() -> None:
    allow, theirs = statements({}), statements({**EVERYBODY})
    assert ask((), theirs).allowed
    assert ask(allow, endpoint=theirs).allowed
    assert ask(allow, endpoint=()).verdict == "not let through"
    assert not ask((), endpoint=theirs).allowed


def test_another_account_needs_the_resource_s_own_word() -> None:
    allow = statements({})
    assert not ask(allow, account=THEIRS).allowed
    assert ask(allow, statements({"Principal": {"AWS": THEIRS}}), account=THEIRS).allowed
    assert not ask(allow, statements({"Principal": {"Service": "s3.amazonaws.com"}}), account=THEIRS).allowed


@pytest.mark.parametrize(
    ("change", "may"),
    [
        ({"Action": "S3:getobject"}, True),
        ({"Action": "s3:Get*"}, True),
        ({"Action": "s3:GetObjec?"}, True),
        ({"Action": "s3:GetObject?"}, False),
        ({"Resource": "*"}, True),
        ({"Resource": "arn:aws:s3:::B/*"}, False),
        ({"Resource": "arn:aws:s3:::b/?"}, True),
        ({"Resource": "arn.aws.s3...b/k"}, False),
        ({"Resource": "arn:aws:s3:::b"}, False),
    ],
)
def test_what_matches(change: dict[str, str], may: bool) -> None:
    assert ask(statements(change)).allowed is may


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws__SecureTransport": "false"}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {}, False),
        ({"Null": {"s3:if-none-match": "true"}}, {}, True),
        ({"Null": {"s3:if-none-match": "true"}}, {"s3__if-none-match": "*"}, False),
        ({"StringEquals": {"aws:SourceAccount": [OURS, THEIRS]}}, {"AWS__sourceaccount": THEIRS}, True),
        ({"StringEquals": {"aws:SourceAccount": OURS}}, {}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b*"}}, {"aws__SourceArn": "arn:aws:s3:::b1"}, True),
        # A star in one part does not reach into the next.
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*:x"}}, {"aws__SourceArn": "arn:aws:s3:eu:1:x"}, False),
        ({"ArnNotEquals": {"aws:PrincipalArn": ROLE}}, {"aws__PrincipalArn": ROLE}, False),
        ({"ArnNotEquals": {"aws:PrincipalArn": ROLE}}, {"aws__PrincipalArn": f"{ROLE}2"}, True),
        # A negated one holds where there is no such key: a Deny is not escaped by saying nothing.
        ({"ArnNotEquals": {"aws:PrincipalArn": ROLE}}, {}, True),
        (
            {"Bool": {"aws:SecureTransport": "true"}, "Null": {"s3:if-none-match": "true"}},
            {"aws__SecureTransport": "true", "s3__if-none-match": "*"},
            False,
        ),
    ],
)
def test_what_a_condition_means(condition: dict[str, Any], context: dict[str, str], holds: bool) -> None:
    assert ask(statements({"Condition": condition}), **context).allowed is holds


def test_whose_a_resource_is_is_known_whatever_the_request_says() -> None:
    ours = statements({"Condition": {"StringEquals": {"aws:ResourceAccount": OURS}}})
    theirs = statements({"Condition": {"StringEquals": {"aws:ResourceAccount": THEIRS}}})
    assert ask(ours).allowed
    assert not ask(theirs, aws__ResourceAccount=THEIRS).allowed


def test_an_account_that_is_named_still_has_to_give_its_role_the_right() -> None:
    for named in (OURS, f"arn:aws:iam::{OURS}:root"):
        theirs = statements({"Principal": {"AWS": named}})
        assert ask((), theirs).verdict == "allowed by nobody"
        assert ask(statements({}), theirs).allowed
        assert ask(statements({}), statements({"Effect": "Deny", "Principal": {"AWS": named}})).by == ("",)
    assert ask((), statements({"Principal": {"AWS": ROLE}})).allowed


@pytest.mark.parametrize("resource", [[], "arn:aws:s3:::b/${aws:username}/*"])
def test_what_would_be_taken_for_any_or_for_none_is_refused(resource: Any) -> None:
    with pytest.raises(ConfigurationFault, match=r"resource|variable"):
        statements({"Resource": resource})


def test_keys_show_no_secret() -> None:
    assert "secret" not in repr(Keys("AKIA", "secret-key", "secret-token"))
