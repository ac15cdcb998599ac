"""Who may do what, compiled from the template: roles, policies of buckets, queues and topics, permissions of functions,
the network's endpoints. `iam.py` decides; this gathers what it decides by.

For the check in front of the local S3, for moto's, for the tests and for docs/rights.md: one evaluator for all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proviso.domain.errors import ConfigurationFault
from proviso.local.iam import Caller, Condition, Decision, Statement, decide, listed, statements_of
from proviso.local.template import ACCOUNT, REGION, Resource, Stack

# What can allow or deny as well, and is nowhere in the template: to be understood here before it is used there.
_OTHER = frozenset(
    {
        "AWS::DynamoDB::GlobalTable",
        "AWS::IAM::Group",
        "AWS::IAM::Policy",
        "AWS::IAM::RolePolicy",
        "AWS::IAM::User",
        "AWS::KMS::Key",
        "AWS::Lambda::LayerVersionPermission",
        "AWS::Lambda::Url",
        "AWS::Logs::ResourcePolicy",
        "AWS::S3::AccessPoint",
        "AWS::SQS::QueueInlinePolicy",
        "AWS::SNS::TopicInlinePolicy",
    }
)
_OF_RESOURCES = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")


@dataclass(frozen=True, slots=True)
class Rights:
    """A role's statements, asked without anything around them: for a store that has no policy of its own."""

    statements: tuple[Statement, ...]

    def allow(self, action: str, resource: str) -> bool:
        """Whether a statement without a condition allows it, and none denies it on any condition. Where this errs, it
        refuses: it knows nothing of the request."""
        named = [one for one in self.statements if one.names(action, resource)]
        return all(one.allow for one in named) and any(not one.conditions for one in named)


@dataclass(frozen=True, slots=True)
class Role:
    """A function's role; `trust` is who may take it."""

    name: str
    arn: str
    statements: tuple[Statement, ...] = field(repr=False)
    trust: tuple[Statement, ...] = field(repr=False)
    documents: Mapping[str, Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FunctionRights:
    """A function as a caller."""

    logical_id: str
    arn: str
    role: Role
    in_network: bool


class System:
    """Everything of the template that allows or denies."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.policies: list[tuple[str, Statement]] = []
        self.endpoints: dict[str, tuple[Statement, ...]] = {}
        roles = {}
        for one in stack.all_resources():
            match one.type:
                case "AWS::IAM::Role":
                    role = _role(one)
                    roles[role.arn] = role
                case "AWS::Lambda::Permission":
                    self.policies.append((one.logical_id, _permission(one)))
                case "AWS::EC2::VPCEndpoint":
                    found = one.resolved()
                    service = str(found["ServiceName"]).rsplit(".", 1)[1]
                    self.endpoints[service] = statements_of(found["PolicyDocument"])
                case kind if kind in _OF_RESOURCES:
                    document = one.resolved()["PolicyDocument"]
                    self.policies += [(one.logical_id, statement) for statement in statements_of(document)]
                case kind if kind in _OTHER:
                    raise ConfigurationFault(f"{one.path}: {one.type} is not understood by the check of rights")
        self.functions = {}
        for one in stack.all_resources():
            if one.type == "AWS::Lambda::Function":
                properties = one.resolved()
                arn = str(one.stack.identities.attribute(one, "Arn"))
                if properties.get("Role") not in roles:
                    raise ConfigurationFault(f"{one.path} has no role in the template")
                in_network = bool(properties.get("VpcConfig"))
                rights = FunctionRights(one.logical_id, arn, roles[properties["Role"]], in_network)
                self.functions[one.logical_id] = rights
        self.roles = roles

    def arn(self, logical_id: str) -> str:
        """The ARN of a resource of the template."""
        resource = self.stack.find(logical_id)
        return str(resource.stack.identities.attribute(resource, "Arn"))

    def code(self, function: str, action: str, resource: str, **more: str) -> Decision:
        """What a function's own code may do, over TLS, with the way that its request takes. `more`: other keys of the
        request, their `:` and `-` written as `__` and `_`."""
        who = self.functions[function]
        context = {**_context(who), "lambda:SourceFunctionArn": who.arn, **_keys(more)}
        service = action.partition(":")[0]
        endpoint = None
        if who.in_network and service != "rds-db":
            endpoint = self.endpoints.get(service)
            if endpoint is None:
                return Decision("not let through")
        if not who.in_network and service == "rds-db":
            return Decision("not let through")  # its address is in the network alone
        return self._decide(_caller(who), action, resource, context, endpoint)

    def platform(self, function: str, action: str, resource: str) -> Decision:
        """What Lambda itself may do with a function's role: poll its queue, write its log, make its interfaces."""
        who = self.functions[function]
        return self._decide(_caller(who), action, resource, _context(who), None)

    def service(self, name: str, action: str, resource: str, source: str, account: str = ACCOUNT) -> Decision:
        """What a service of AWS may do for its resource `source`, which is of `account`."""
        context = {"aws:SourceArn": source, "aws:SourceAccount": account, "aws:SecureTransport": "true"}
        return self._decide(Caller("", service=name), action, resource, context, None)

    def anybody(
        self, statements: tuple[Statement, ...], action: str, resource: str, account: str = ACCOUNT, **more: str
    ) -> Decision:
        """What somebody else may do with those statements of their own: an administrator, or another account's role."""
        arn = f"arn:aws:iam::{account}:role/somebody"
        context = {"aws:PrincipalAccount": account, "aws:PrincipalArn": arn, "aws:SecureTransport": "true"}
        caller = Caller(account, arn, statements=statements)
        return self._decide(caller, action, resource, {**context, **_keys(more)}, None)

    def _decide(
        self,
        caller: Caller,
        action: str,
        resource: str,
        context: Mapping[str, str],
        endpoint: tuple[Statement, ...] | None,
    ) -> Decision:
        policies = [statement for _, statement in self.policies]
        return decide(caller, action, resource, context, owner=ACCOUNT, policies=policies, endpoint=endpoint)


def rights_of(function: Resource) -> Rights:
    """The rights of the role that the template gives a function. ConfigurationFault where it has no role there."""
    wanted = function.resolved().get("Role")
    for one in function.stack.all_resources():
        if one.type == "AWS::IAM::Role" and one.stack.identities.attribute(one, "Arn") == wanted:
            return Rights(_role(one).statements)
    raise ConfigurationFault(f"{function.path} has no role in the template")


def _caller(who: FunctionRights) -> Caller:
    return Caller(ACCOUNT, who.role.arn, statements=who.role.statements)


def _context(who: FunctionRights) -> dict[str, str]:
    return {"aws:PrincipalAccount": ACCOUNT, "aws:PrincipalArn": who.role.arn, "aws:SecureTransport": "true"}


def _keys(more: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("__", ":").replace("_", "-"): value for name, value in more.items()}


def _role(resource: Resource) -> Role:
    properties = resource.resolved()
    if "PermissionsBoundary" in properties:
        raise ConfigurationFault(f"{resource.path}: a PermissionsBoundary is not understood by the check of rights")
    documents = {str(one["PolicyName"]): one["PolicyDocument"] for one in properties.get("Policies") or []}
    for arn in properties.get("ManagedPolicyArns") or []:
        documents[str(arn).rsplit("/", 1)[1]] = _managed(resource.stack, str(arn), resource.path)
    statements = [one for document in documents.values() for one in statements_of(document)]
    trust = statements_of(properties["AssumeRolePolicyDocument"])
    arn = str(resource.stack.identities.attribute(resource, "Arn"))
    return Role(arn.rsplit("/", 1)[1], arn, tuple(statements), trust, documents)


def _managed(stack: Stack, arn: str, path: str) -> Mapping[str, Any]:
    for one in stack.all_resources():
        if one.type == "AWS::IAM::ManagedPolicy" and one.stack.identities.reference(one) == arn:
            properties = one.resolved()
            if {"Roles", "Users", "Groups"} & set(properties):
                raise ConfigurationFault(
                    f"{one.path}: name the policy in the role (ManagedPolicyArns), not the role in it"
                )
            document: Mapping[str, Any] = properties["PolicyDocument"]
            return document
    raise ConfigurationFault(f"{path}: what {arn} allows stands nowhere in the template; write it out there")


def _permission(resource: Resource) -> Statement:
    """A Lambda permission, as the statement that AWS makes of it."""
    properties = resource.resolved()
    if set(properties) - {"Action", "FunctionName", "Principal", "SourceArn", "SourceAccount"}:
        raise ConfigurationFault(f"{resource.path}: a property of this permission is not understood here")
    name = str(properties["FunctionName"]).split(":function:")[-1]
    conditions = []
    if "SourceArn" in properties:
        conditions.append(Condition("ArnLike", "aws:sourcearn", (str(properties["SourceArn"]),)))
    if "SourceAccount" in properties:
        conditions.append(Condition("StringEquals", "aws:sourceaccount", (str(properties["SourceAccount"]),)))
    return Statement(
        tuple(listed(properties["Action"])),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",),
        sid=resource.logical_id,
        principals=(("Service", str(properties["Principal"])),),
        conditions=tuple(conditions),
    )
