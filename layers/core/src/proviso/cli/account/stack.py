"""An account and a stack in it, as CloudFormation tells: read with the caller's own credentials."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from proviso.domain.errors import ConfigurationFault

NESTED = "AWS::CloudFormation::Stack"
_TRIES = 3
_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Account:
    """Clients by the name of their service, made once; and the region."""

    make: Callable[[str], Any] = field(repr=False)
    region: str
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, region: str = "") -> "Account":
        """The account of the caller's credentials. ConfigurationFault without a region.

        The region: what is named here, else AWS_REGION, else as boto3 finds it. boto3 does not read AWS_REGION by
        itself, but the AWS command line does, and docs/operations.md sets it for both.
        """
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        try:
            session = boto3.Session(region_name=region or os.environ.get("AWS_REGION", "").strip() or None)
        except BotoCoreError as error:  # a profile that is not there, a file that cannot be read
            raise ConfigurationFault(sentence(error)) from None
        if not session.region_name:
            raise ConfigurationFault("no region is set; name --region, or set AWS_REGION")
        quick = Config(
            connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"max_attempts": _TRIES, "mode": "standard"}
        )
        make: Any = session.client
        return cls(lambda service: make(service, config=quick), session.region_name)

    def client(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self.make(service)
        return self._made[service]

    def number(self) -> str:
        """The account's twelve digits."""
        return str(self.client("sts").get_caller_identity()["Account"])


@dataclass(frozen=True, slots=True)
class Part:
    """One resource. `path` names the nested stack that it is in: `Database/Cluster`."""

    path: str
    type: str
    id: str
    status: str

    @property
    def name(self) -> str:
        """The logical id."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack with all that is in it and in its nested stacks, and what the template says of each part's deletion."""

    name: str
    id: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    parts: tuple[Part, ...]
    templates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def one(self, name: str) -> Part | None:
        """The part with that logical id, wherever it is."""
        return next((part for part in self.parts if part.name == name), None)

    def of(self, *types: str) -> list[Part]:
        return [part for part in self.parts if part.type in types]

    def resource(self, part: Part) -> Mapping[str, Any]:
        """How the deployed template describes a part."""
        where = part.path.rpartition("/")[0]
        found: Mapping[str, Any] = self.templates.get(where, {}).get("Resources", {}).get(part.name, {})
        return found

    def kept(self, part: Part) -> bool:
        """Does CloudFormation leave it where it is? RetainExceptOnCreate counts: the stack was created.

        ConfigurationFault where the template could not be read: what is kept must never be taken for what goes."""
        where = part.path.rpartition("/")[0]
        if not self.templates.get(where):
            raise ConfigurationFault(
                f"the template of {where or self.name} cannot be read, so nobody knows what of it is kept; use a role"
                " that may (cloudformation:GetTemplate)"
            )
        return str(self.resource(part).get("DeletionPolicy", "")).startswith("Retain")


@contextmanager
def unless_gone(code: str) -> Iterator[None]:
    """AWS answers with this code what is asked for and is not there: then there is nothing to do, and no fault."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise


def described(client: Any, name: str) -> Mapping[str, Any] | None:
    """What CloudFormation says of a stack, by its name or ARN; None where it knows none."""
    from botocore.exceptions import ClientError

    try:
        found: Mapping[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return found


def outputs_of(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}


def read_stack(account: Account, name: str) -> Stack | None:
    """The stack, or None where there is none of that name. A deleted one is found by its ARN only."""
    client = account.client("cloudformation")
    found = described(client, name)
    if found is None:
        return None
    templates: dict[str, Mapping[str, Any]] = {}
    parts = tuple(_parts(client, found["StackId"], "", templates))
    return Stack(
        found["StackName"],
        found["StackId"],
        found["StackStatus"],
        outputs_of(found),
        {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", ())},
        parts,
        templates,
    )


def _parts(client: Any, stack: str, where: str, templates: dict[str, Mapping[str, Any]]) -> Iterator[Part]:
    templates[where.rstrip("/")] = _template(client, stack)
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
        for one in page["StackResourceSummaries"]:
            path, number = where + one["LogicalResourceId"], one.get("PhysicalResourceId", "")
            yield Part(path, one["ResourceType"], number, one["ResourceStatus"])
            if one["ResourceType"] == NESTED and number and one["ResourceStatus"] != "DELETE_COMPLETE":
                yield from _parts(client, number, f"{path}/", templates)


def _template(client: Any, stack: str) -> Mapping[str, Any]:
    """The template as CloudFormation expanded it; empty where it cannot be read."""
    from botocore.exceptions import ClientError
    from samtranslator.yaml_helper import yaml_parse

    try:
        body = client.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    except ClientError:
        return {}
    if isinstance(body, str):
        body = json.loads(body) if body.lstrip().startswith("{") else yaml_parse(body)
    return body if isinstance(body, Mapping) else {}


def log_groups(account: Account, prefix: str) -> Iterator[Mapping[str, Any]]:
    """All whose name begins so."""
    for page in account.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        yield from page["logGroups"]


def needed_stack(account: Account, name: str) -> Stack:
    """The stack. ConfigurationFault, with what to do, when there is none or nobody may look."""
    try:
        found = read_stack(account, name)
    except Exception as error:
        raise ConfigurationFault(sentence(error)) from error
    if found is None:
        raise ConfigurationFault(
            f"there is no stack {name} in {account.region}; `sam list stack-outputs --stack-name {name}` and --region"
            " find where it is"
        )
    return found


def _api_url(found: Stack) -> str:
    if "ApiUrl" not in found.outputs:
        raise ConfigurationFault(
            f"the stack {found.name} ({found.status}) has no output ApiUrl; is it a Proviso, deployed?"
        )
    return found.outputs["ApiUrl"]


def sign_in_of(account: Account, name: str) -> tuple[str, str]:
    """The address of a stack's API, and the id of its client for the command line ("" where the stack names none)."""
    found = needed_stack(account, name)
    return _api_url(found), found.outputs.get("CommandLineClientId", "")


def sentence(error: BaseException) -> str:
    """What went wrong in AWS, in words that say what to do and show no credential."""
    from botocore import exceptions as aws

    match error:
        case aws.NoCredentialsError() | aws.PartialCredentialsError():
            return "there are no credentials of AWS here; `aws configure sso`, or set AWS_PROFILE"
        case aws.ProfileNotFound() | aws.NoRegionError():
            return str(error)
        case aws.InvalidRegionError():
            return "that is no name of a region; name one, as --region eu-west-2"
        case aws.TokenRetrievalError() | aws.SSOError():
            return "the sign-in at AWS is over; `aws sso login`"
        case aws.MissingDependencyException() | aws.LoginError():
            # They would need the CRT, which changes how botocore signs everything, the local cloud's requests too.
            return (
                "credentials of `aws login` are not read here;"
                ' `eval "$(aws configure export-credentials --format env)"` hands them on, or `aws configure sso`'
            )
        case aws.CredentialRetrievalError():
            return "what gives the credentials (credential_process) gave none; try it by itself"
        case aws.ClientError():
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"):
                return f"AWS does not take these credentials ({code}); sign in again, as with `aws sso login`"
            if "AccessDenied" in code or "Unauthorized" in code or code == "AuthorizationError":
                return f"not allowed to look ({error.operation_name}); use a role that may"
            return f"{error.operation_name} was refused ({code})"
        case aws.HTTPClientError() | aws.ConnectionError():
            return f"AWS cannot be reached ({type(error).__name__})"
        case aws.BotoCoreError():
            return (
                f"the AWS configuration cannot be used ({type(error).__name__}): AWS_PROFILE, AWS_REGION,"
                " ~/.aws/config and credentials"
            )
    return f"it cannot be looked at ({type(error).__name__})"
