"""The local cloud's reading of templates: intrinsics, conditions, nested stacks, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local import resources
from proviso.local.template import Resource, Stack, load_stack, read_yaml


def load(tmp_path: Path, text: str, parameters: dict[str, Any] | None = None) -> Stack:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return load_stack(path, parameters or {}, resources.Identities("http://aws", "http://api"))


def value(tmp_path: Path, expression: str, parameters: dict[str, Any] | None = None) -> Any:
    stack = load(
        tmp_path,
        f"""
Parameters:
  Stage: {{Type: String, Default: trial}}
  Empty: {{Type: String, Default: ""}}
  Zones: {{Type: CommaDelimitedList, Default: "a, b"}}
Mappings: {{Sizes: {{small: {{memory: 256}}}}}}
Conditions:
  HasPhone: !Not [!Equals [!Ref Empty, ""]]
  IsTrial: !Equals [!Ref Stage, trial]
  Both: !And [!Condition IsTrial, !Not [!Condition HasPhone]]
  Either: !Or [!Condition HasPhone, !Condition IsTrial]
Resources:
  Queue: {{Type: AWS::SQS::Queue}}
  Never: {{Type: AWS::SQS::Queue, Condition: HasPhone}}
  Bucket: {{Type: AWS::S3::Bucket, Properties: {{BucketName: !Sub "b-${{Stage}}-${{AWS::AccountId}}"}}}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {{It: {expression}}}
""",
        parameters,
    )
    return stack.find("Table").resolved().get("It")


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("!Ref Stage", "trial"),
        ("!Ref Zones", ["a", "b"]),
        ("!Ref AWS::Region", "eu-west-2"),
        ("!Ref Queue", "http://aws/123456789012/proviso-local-Queue"),
        ("!GetAtt Queue.Arn", "arn:aws:sqs:eu-west-2:123456789012:proviso-local-Queue"),
        ("!GetAtt [Queue, QueueName]", "proviso-local-Queue"),
        ("!Ref Bucket", "b-trial-123456789012"),
        ('!Sub "${Bucket.Arn}/x ${!kept} ${AWS::Partition}"', "arn:aws:s3:::b-trial-123456789012/x ${kept} aws"),
        ('!Sub ["${A}-${Stage}", {A: !Ref AWS::StackName}]', "proviso-local-trial"),
        ('!Join ["-", [a, !Ref Stage]]', "a-trial"),
        ('!Select [1, !Split [",", "x,y"]]', "y"),
        ("!Select [0, !GetAZs ]", "eu-west-2a"),
        ('!Select [1, !Cidr ["10.0.0.0/24", 2, 6]]', "10.0.0.64/26"),
        ("!FindInMap [Sizes, small, memory]", 256),
        ("!If [IsTrial, yes-it-is, no]", "yes-it-is"),
        ("!If [HasPhone, a, !Ref AWS::NoValue]", None),
        ("[a, !If [HasPhone, b, !Ref AWS::NoValue]]", ["a"]),
        ("!If [Both, 1, 2]", 1),
        ("!If [Either, 1, 2]", 1),
        ("2012-10-17", "2012-10-17"),
    ],
)
def test_an_expression_has_its_answer(tmp_path: Path, expression: str, answer: Any) -> None:
    assert value(tmp_path, expression) == answer


def test_the_parameters_given_count(tmp_path: Path) -> None:
    assert value(tmp_path, "!If [HasPhone, !Ref Empty, none]", {"Empty": "+44"}) == "+44"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("!Ref Nothing", "Ref Nothing names nothing"),
        ("!Ref Never", "Ref Never names nothing"),
        ("!GetAtt Nothing.Arn", "Nothing.Arn names nothing"),
        ("!GetAtt Queue.Colour", "does not know the attribute Colour of AWS::SQS::Queue"),
        ("!ImportValue other", "nothing here exports it"),
        ("!FindInMap [Sizes, large, memory]", "no Sizes.large.memory"),
        ("!Transform {Name: x}", "Fn::Transform is not known"),
        ("!If [Unheard, 1, 2]", "no condition Unheard"),
        ("!Ref AWS::Colour", "pseudo parameter AWS::Colour"),
    ],
)
def test_what_cannot_be_answered_stops_by_name(tmp_path: Path, expression: str, message: str) -> None:
    with pytest.raises(ConfigurationFault, match=message):
        value(tmp_path, expression)


def test_a_resource_whose_condition_is_false_is_not_there(tmp_path: Path) -> None:
    stack = load(
        tmp_path,
        "Conditions: {Never: !Equals [a, b]}\n"
        "Resources: {A: {Type: AWS::SQS::Queue}, B: {Type: AWS::SQS::Queue, Condition: Never}}",
    )
    assert list(stack.resources) == ["A"]


def test_nested_stacks_pass_parameters_and_outputs_on(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "one.yaml").write_text(
        "Parameters: {Name: {Type: String}}\n"
        "Resources: {Inner: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Name}}}\n"
        "Outputs: {Queue: {Value: !GetAtt Inner.Arn}}"
    )
    stack = load(
        tmp_path,
        """
Transform: AWS::Serverless-2016-10-31
Resources:
  Second:
    Type: AWS::Serverless::Application
    Properties: {Location: ./infra/one.yaml, Parameters: {Name: !Select [5, !Split [":", !GetAtt First.Outputs.Queue]]}}
  First:
    Type: AWS::Serverless::Application
    Properties: {Location: ./infra/one.yaml, Parameters: {Name: inside}}
  Table: {Type: AWS::DynamoDB::Table, Properties: {It: !GetAtt Second.Outputs.Queue}}
""",
    )
    assert stack.find("Table").resolved()["It"].endswith(":inside")
    assert stack.nested["Second"].parameters == {"Name": "inside"}
    assert [one.path for one in stack.all_resources()].count("proviso-local-First/Inner") == 1


@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ("Parameters: {A: {Type: String}}\nResources: {}", {}, "needs a value for its parameter A"),
        ("Parameters: {A: {Type: String, AllowedValues: [x]}}\nResources: {}", {"A": "y"}, "A must be one of x"),
        ("Resources: {}", {"Typo": "1"}, "has no parameter Typo"),
        ("Transform: Other-1\nResources: {}", {}, "transform Other-1 is not known"),
        ("Resources: [", {}, "is not YAML"),
        ("just text", {}, "is not a template"),
        (
            "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function, Properties: {}}}",
            {},
            "no valid SAM template",
        ),
    ],
)
def test_a_template_that_cannot_be_used_says_why(
    tmp_path: Path, text: str, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationFault, match=message):
        load(tmp_path, text, parameters)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFault, match=r"no template template\.yaml"):
        read_yaml(tmp_path / "template.yaml")


def test_an_unknown_resource_type_stops_by_name(tmp_path: Path) -> None:
    stack = load(tmp_path, "Resources: {Odd: {Type: AWS::Kinesis::Stream}}")
    with pytest.raises(ConfigurationFault, match="proviso-local/Odd is of type AWS::Kinesis::Stream"):
        resources.check(stack)


def test_what_is_stood_in_for_is_said_once(tmp_path: Path) -> None:
    stack = load(tmp_path, "Resources: {A: {Type: AWS::IAM::Role}, B: {Type: AWS::IAM::Role}}")
    assert len(resources.check(stack)) == 1


def test_no_type_is_on_two_lists() -> None:
    assert not set(resources.CREATED) & set(resources.STOOD_IN)


def test_bucket_names_without_a_name_of_their_own_are_legal() -> None:
    stack = Stack("proviso-local", {"Resources": {}}, {}, resources.Identities())
    name = resources.physical_name(Resource("A" * 80, "AWS::S3::Bucket", {}, stack))
    assert len(name) <= 63
    assert name == name.lower()


def test_this_repository_s_template_is_readable() -> None:
    path = Path(__file__).parents[2] / "template.yaml"
    stack = load_stack(path, {"SoftwareBuild": "test", "ComplaintsContact": "x"}, resources.Identities())
    resources.check(stack)
    functions = {one.logical_id for one in stack.all_resources() if one.type == "AWS::Lambda::Function"}
    assert {"DetectFunction", "MatchFunction", "AlertFunction", "MigrateFunction"} <= functions
    for one in stack.all_resources():
        one.resolved()
