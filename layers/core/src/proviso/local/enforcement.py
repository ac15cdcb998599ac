"""The rights of the template, enforced on this machine: each function with the credentials of its own role.

Two checks, one after the other, for each request to the moto server:
1. moto's own: the access key must exist, the signature must be right, and a statement of the role must allow the action
   on the resource. moto reads roles' policies only, and takes every condition in them as met.
2. `iam.py`, with what moto does not know: policies of buckets, queues and topics, the network's endpoints, conditions.

moto does not know which resource DynamoDB and SNS are asked for: it is told here, or it would refuse every statement
that names one. Nor that a batch is allowed by the action on each: it is asked by that action's name. Lambda is no part
of moto here: a call of one function to another is checked by `iam.py` alone, and its signature is not.

What stands for people and for AWS itself (the demonstration, S3's events) is an administrator or unchecked. Nothing
here is TLS, so the statements that ask for it are taken as met.
"""

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proviso.domain.errors import ConfigurationFault
from proviso.local.keys import ANYBODY, Keys
from proviso.local.rights import System
from proviso.local.simulator import Simulator
from proviso.local.template import ACCOUNT, REGION, Stack

ENFORCED = (
    "AWS: a moto server answers for S3, SQS, SNS, DynamoDB and STS; each function has the credentials of its own role,"
    " and is refused what that may not do. Nothing goes over TLS here, and what asks for it is taken as met"
)
_ADMINISTRATOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was refused, and by which of the two checks."""

    function: str
    action: str
    resource: str
    by: str


class Enforced:
    """What was done: the keys of functions' code, those of the platform that polls for them, and what came of it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.code: dict[str, Keys] = {}
        self.platform: dict[str, Keys] = {}
        self.refused: list[Refusal] = []
        self.allowed: Counter[tuple[str, str]] = Counter()
        self._who: dict[str, tuple[str, bool]] = {}
        self._lock = threading.Lock()

    def know(self, function: str, keys: Keys, *, code: bool) -> None:
        (self.code if code else self.platform)[function] = keys
        self._who[keys.access_key] = (function, code)

    def named(self, access_key: str) -> tuple[str, bool] | None:
        """The function of an access key, and whether its own code holds it. None for the administrator."""
        return self._who.get(access_key)

    def allows(self, access_key: str, action: str, resource: str, if_none_match: str | None) -> bool:
        """The second check. An access key of no function is the administrator's: moto has looked at it already."""
        found = self.named(access_key)
        if found is None:
            return True
        function, code = found
        more = {} if if_none_match is None else {"s3__if_none_match": if_none_match}
        if code:
            good = self.system.code(function, action, resource, **more).allowed
        else:
            good = self.system.platform(function, action, resource).allowed
        if good:
            with self._lock:
                self.allowed[function, action] += 1
        return good

    def invokes(self, access_key: str, function: str) -> bool:
        """Whether the holder of this access key may call a function, by its name or ARN."""
        arn = function if function.startswith("arn:") else f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        good = self.named(access_key) is not None and self.allows(access_key, "lambda:InvokeFunction", arn, None)
        if not good:
            self.note(access_key, "lambda:InvokeFunction", arn, "proviso")
        return good

    def note(self, access_key: str, action: str, resource: str, by: str) -> None:
        found = self.named(access_key)
        with self._lock:
            self.refused.append(Refusal(found[0] if found else access_key, action, resource, by))


@contextlib.contextmanager
def enforced(stack: Stack, simulated: Simulator) -> Iterator[Enforced]:
    """Make the roles in moto, take them, and have every request checked from here on; taken back at the end."""
    from moto import settings
    from moto.core.authorization import ActionAuthenticatorMixin

    found = Enforced(System(stack))
    iam, sts = simulated.client("iam"), simulated.client("sts")
    for one in found.system.functions.values():
        role = one.role
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
        iam.create_role(RoleName=role.name, AssumeRolePolicyDocument=json.dumps(trust))
        for name, document in role.documents.items():
            iam.put_role_policy(RoleName=role.name, PolicyName=name, PolicyDocument=json.dumps(document))
        for session in ("code", "platform"):
            taken = sts.assume_role(RoleArn=role.arn, RoleSessionName=session)["Credentials"]
            keys = Keys(taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"])
            found.know(one.logical_id, keys, code=session == "code")
    iam.create_user(UserName="administrator")
    iam.put_user_policy(UserName="administrator", PolicyName="all", PolicyDocument=json.dumps(_ADMINISTRATOR))
    own = iam.create_access_key(UserName="administrator")["AccessKey"]
    simulated.keys = Keys(own["AccessKeyId"], own["SecretAccessKey"])
    before = settings.INITIAL_NO_AUTH_ACTION_COUNT, ActionAuthenticatorMixin.request_count
    with _patched(found):
        settings.INITIAL_NO_AUTH_ACTION_COUNT, ActionAuthenticatorMixin.request_count = 0, 0
        try:
            yield found
        finally:
            settings.INITIAL_NO_AUTH_ACTION_COUNT, ActionAuthenticatorMixin.request_count = before
            simulated.keys = ANYBODY


@contextlib.contextmanager
def _patched(found: Enforced) -> Iterator[None]:
    from moto.core.authorization import ActionAuthenticatorMixin
    from moto.core.exceptions import AccessDeniedError
    from moto.dynamodb.responses import DynamoHandler
    from moto.iam.access_control import S3IAMRequest
    from moto.s3.exceptions import S3AccessDeniedError
    from moto.sns.responses import SNSResponse

    moto = ActionAuthenticatorMixin._authenticate_and_authorize_action

    def check(self: Any, request_class: type, resource: str = "*") -> None:
        service = "s3" if request_class is S3IAMRequest else self.service_name
        action = _action(service, self._get_action())
        key = access_key_of(self.headers)

        def by_its_name(**given: Any) -> Any:
            return request_class(**{**given, "action": action.partition(":")[2]})

        try:
            moto(self, by_its_name, resource)  # type: ignore[arg-type]
        except Exception:  # of several kinds, by service
            found.note(key, action, resource, "moto")
            raise
        if not found.allows(key, action, resource, self.headers.get("If-None-Match")):
            found.note(key, action, resource, "proviso")
            raise S3AccessDeniedError() if service == "s3" else AccessDeniedError(user_arn=key, action=action)

    def table(self: Any) -> str:
        return _table(self.body)

    def topic(self: Any) -> str:
        arn = self._get_param("TopicArn") or self._get_param("SubscriptionArn") or "*"
        return ":".join(str(arn).split(":")[:6])  # SNS holds an Unsubscribe against the subscription's topic

    places: list[tuple[Any, str, Any]] = [
        (ActionAuthenticatorMixin, "_authenticate_and_authorize_action", check),
        (DynamoHandler, "_determine_resource", table),
        (SNSResponse, "_determine_resource", topic),
    ]
    missing = object()
    old = [(owner, name, owner.__dict__.get(name, missing)) for owner, name, _ in places]
    for owner, name, new in places:
        setattr(owner, name, new)
    try:
        yield
    finally:
        for owner, name, one in old:
            if one is missing:
                delattr(owner, name)
            else:
                setattr(owner, name, one)


def _action(service: str, action: str | list[str]) -> str:
    name = action[0] if isinstance(action, list) else action
    # As IAM calls them: a batch is allowed by the action on each, a listing by that on the bucket.
    plain = {"SendMessageBatch": "SendMessage", "DeleteMessageBatch": "DeleteMessage", "PublishBatch": "Publish"}
    plain |= {"HeadBucket": "ListBucket"}
    return f"{service}:{plain.get(name, name)}"


def access_key_of(headers: Mapping[str, str]) -> str:
    return str(headers.get("Authorization", "")).partition("Credential=")[2].partition("/")[0]


def _table(body: Mapping[str, Any]) -> str:
    name = body.get("TableName")
    if not isinstance(name, str):
        return "*"  # a batch or a transaction: no role here may do either
    index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name.rsplit('/', 1)[-1]}{index}"


def keys_of(found: Enforced | None, function: str) -> Keys | None:
    """The keys of a function's code, where rights are enforced."""
    if found is None:
        return None
    if function not in found.code:
        raise ConfigurationFault(f"{function} has no role in the template")
    return found.code[function]
