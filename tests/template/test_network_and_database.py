"""The network has no way out, and the database can sleep, forgets, and knows no password."""

from typing import Any

from proviso.cli.account import before
from tests.template.conftest import Template, listed


def test_gateway_endpoints_only(network: Template) -> None:
    endpoints = network.of("AWS::EC2::VPCEndpoint")
    assert {e["VpcEndpointType"] for e in endpoints.values()} == {"Gateway"}
    services = {e["ServiceName"]["Fn::Sub"].rsplit(".", 1)[1] for e in endpoints.values()}
    assert services == {"s3", "dynamodb"}


def test_no_way_to_the_internet(everything: list[Template]) -> None:
    ways_out = {
        "AWS::EC2::NatGateway",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::EgressOnlyInternetGateway",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::EC2::Route",
        "AWS::EC2::EIP",
        "AWS::EC2::TransitGatewayAttachment",
        "AWS::EC2::VPCPeeringConnection",
    }
    for template in everything:
        assert not ways_out & {r["Type"] for r in template.resources.values()}, template.name


def test_subnets_are_private_and_in_two_zones(network: Template) -> None:
    subnets = network.of("AWS::EC2::Subnet")
    assert len(subnets) == 2
    assert not any(s["MapPublicIpOnLaunch"] for s in subnets.values())
    assert len({str(s["AvailabilityZone"]) for s in subnets.values()}) == 2


def test_the_custom_resource_can_answer(network: Template) -> None:
    statements = network.resources["S3Endpoint"]["Properties"]["PolicyDocument"]["Statement"]
    (answer,) = [s for s in statements if s["Sid"] == "AnswerOfTheCustomResource"]
    assert answer["Action"] == "s3:PutObject"
    assert "Condition" not in answer, "the presigned PUT is signed by CloudFormation's own account"
    # In most regions the name is written without dashes.
    plain, dashed = answer["Resource"]
    text, given = plain["Fn::Sub"]
    assert text == "arn:${AWS::Partition}:s3:::cloudformation-custom-resource-response-${PlainRegion}/*"
    assert given == {"PlainRegion": {"Fn::Join": ["", {"Fn::Split": ["-", {"Ref": "AWS::Region"}]}]}}
    assert dashed["Fn::Sub"] == "arn:${AWS::Partition}:s3:::cloudformation-custom-resource-response-${AWS::Region}/*"


def test_endpoints_serve_this_account_s_own_stores_only(network: Template) -> None:
    for name in ("S3Endpoint", "DynamoDbEndpoint"):
        for statement in network.resources[name]["Properties"]["PolicyDocument"]["Statement"]:
            assert "*" not in listed(statement["Action"])
            assert "*" not in listed(statement["Resource"])
            if statement["Sid"] != "AnswerOfTheCustomResource":
                # Of this account: who asks, and of a bucket, whose name anybody may take, whose it is.
                accounts = ["aws:PrincipalAccount"] + (["aws:ResourceAccount"] if name == "S3Endpoint" else [])
                assert statement["Condition"] == {"StringEquals": {key: {"Ref": "AWS::AccountId"} for key in accounts}}


def test_endpoints_let_through_what_the_roles_in_the_network_may_do(template: Template, network: Template) -> None:
    through: set[str] = set()
    for name in ("S3Endpoint", "DynamoDbEndpoint"):
        for statement in network.resources[name]["Properties"]["PolicyDocument"]["Statement"]:
            through |= set(listed(statement["Action"]))
    inside = [n for n, f in template.of("AWS::Lambda::Function").items() if "VpcConfig" in f]
    needed = {a for n in inside for s in template.statements(n) for a in listed(s["Action"])}
    assert {a for a in needed if a.startswith(("s3:", "dynamodb:"))} == through


def test_functions_in_the_network_need_nothing_that_it_does_not_reach(template: Template) -> None:
    """Rule 6: S3, DynamoDB and PostgreSQL. Lambda itself polls the queue for match and writes the logs."""
    polled = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
    polled |= {"logs:CreateLogStream", "logs:PutLogEvents"}
    for name, function in template.of("AWS::Lambda::Function").items():
        if "VpcConfig" in function:
            actions = {a for s in template.statements(name) for a in listed(s["Action"])} - polled
            assert all(a.startswith(("s3:", "dynamodb:", "rds-db:")) for a in actions), name


def test_the_database_is_reached_by_the_functions_only(network: Template) -> None:
    ingress = network.of("AWS::EC2::SecurityGroupIngress")
    assert list(ingress.values()) == [
        {
            "GroupId": {"Ref": "DatabaseSecurityGroup"},
            "Description": "PostgreSQL, from the functions only",
            "IpProtocol": "tcp",
            "FromPort": 5432,
            "ToPort": 5432,
            "SourceSecurityGroupId": {"Ref": "FunctionsSecurityGroup"},
        }
    ]
    groups = network.of("AWS::EC2::SecurityGroup")
    assert not any("SecurityGroupIngress" in g for g in groups.values())
    # A group that states no egress gets all of it.
    assert [r["CidrIp"] for r in groups["DatabaseSecurityGroup"]["SecurityGroupEgress"]] == ["127.0.0.1/32"]
    assert [(r["FromPort"], r["ToPort"]) for r in groups["FunctionsSecurityGroup"]["SecurityGroupEgress"]] == [
        (443, 443)
    ]


def cluster(database: Template) -> dict:
    return database.resources["Cluster"]["Properties"]


def test_the_database_can_sleep(database: Template) -> None:
    scaling = cluster(database)["ServerlessV2ScalingConfiguration"]
    assert scaling["MinCapacity"] == 0
    assert scaling["SecondsUntilAutoPause"] == {"Ref": "SecondsUntilAutoPause"}
    assert not database.of("AWS::RDS::DBProxy"), "a proxy keeps the cluster awake"
    # Nor does an open connection of a frozen function keep it awake.
    assert 0 < int(parameters(database)["idle_session_timeout"]) < 300_000


def unless_restored(value: dict) -> Any:
    """What holds of a cluster that is made of no snapshot; of one that is, nothing is said."""
    condition, restored, otherwise = value["Fn::If"]
    assert (condition, restored) == ("WithSnapshot", {"Ref": "AWS::NoValue"})
    return otherwise


def test_a_snapshot_makes_the_cluster_anew_with_its_settings_and_migrate_runs_on_it(
    template: Template, database: Template
) -> None:
    properties = cluster(database)
    assert properties["SnapshotIdentifier"] == {
        "Fn::If": ["WithSnapshot", {"Ref": "RestoreFromSnapshot"}, {"Ref": "AWS::NoValue"}]
    }
    # A point in time would lose the parameter group, which CloudFormation does not pass on: statements would be logged.
    assert not {"SourceDBClusterIdentifier", "RestoreToTime", "UseLatestRestorableTime"} & set(properties)
    assert properties["DBClusterParameterGroupName"] == {"Ref": "Parameters"}
    assert template.raw["Parameters"]["RestoreFromSnapshot"]["Default"] == ""
    given = template.resources["Database"]["Properties"]["Parameters"]
    assert given["RestoreFromSnapshot"] == {"Ref": "RestoreFromSnapshot"}
    schema = template.resources["DatabaseSchema"]["Properties"]
    assert schema["Cluster"] == {"Fn::GetAtt": ["Database", "Outputs.Host"]}, "an older schema would stay as it is"


def test_there_is_no_password(database: Template) -> None:
    properties = cluster(database)
    assert unless_restored(properties["MasterUserAuthenticationType"]) == "iam-db-auth"
    assert properties["EnableIAMDatabaseAuthentication"] is True
    assert not {"MasterUserPassword", "ManageMasterUserPassword", "MasterUserSecret"} & set(properties)


def test_backups_are_the_least_that_there_is(database: Template) -> None:
    properties = cluster(database)
    assert properties["BackupRetentionPeriod"] == 1
    assert properties["DeleteAutomatedBackups"] is True
    for name in ("Cluster", "Writer"):
        resource = database.resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Delete", "Delete")


def test_a_nested_stack_does_not_keep_the_database(template: Template) -> None:
    stack = template.resources["Database"]
    assert (stack["DeletionPolicy"], stack["UpdateReplacePolicy"]) == ("Delete", "Delete")


def parameters(database: Template) -> dict[str, str]:
    return database.resources["Parameters"]["Properties"]["Parameters"]


def test_nothing_of_a_template_reaches_the_log(database: Template) -> None:
    found = parameters(database)
    expected = {
        "log_statement": "none",
        "log_min_duration_statement": "-1",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_min_error_statement": "panic",
        "log_min_messages": "fatal",
        "log_error_verbosity": "terse",
        "rds.force_ssl": "1",
    }
    assert {name: found[name] for name in expected} == expected
    assert cluster(database)["EnableCloudwatchLogsExports"] == []
    writer = database.resources["Writer"]["Properties"]
    assert writer["EnablePerformanceInsights"] is False
    assert writer["MonitoringInterval"] == 0


def test_the_database_is_encrypted_and_private(database: Template) -> None:
    assert unless_restored(cluster(database)["StorageEncrypted"]) is True  # a snapshot's encryption is its own
    writer = database.resources["Writer"]["Properties"]
    assert writer["PubliclyAccessible"] is False
    assert writer["DBInstanceClass"] == "db.serverless"


def test_a_restore_can_name_the_version_of_its_snapshot(template: Template, database: Template) -> None:
    """AWS raises the database by itself, and refuses to restore a snapshot below its own version."""
    assert database.resources["Writer"]["Properties"]["AutoMinorVersionUpgrade"] is True
    given = template.raw["Resources"]["Database"]["Properties"]["Parameters"]
    assert given["EngineVersion"] == {"Ref": "DatabaseEngineVersion"}
    asked, inner = template.raw["Parameters"]["DatabaseEngineVersion"], database.raw["Parameters"]["EngineVersion"]
    assert {name: asked[name] for name in ("Type", "Default", "AllowedPattern")} == {
        name: inner[name] for name in ("Type", "Default", "AllowedPattern")
    }
    assert asked["Default"] == before.VERSION, "proviso doctor asks the region for it"


def test_the_engine_is_postgresql_16_that_can_sleep(database: Template) -> None:
    import re

    parameter = database.raw["Parameters"]["EngineVersion"]
    assert cluster(database)["Engine"] == "aurora-postgresql"
    assert re.match(parameter["AllowedPattern"], parameter["Default"])
    assert not re.match(parameter["AllowedPattern"], "16.6")
    assert not re.match(parameter["AllowedPattern"], "17.4")


def test_nested_stacks_are_given_what_they_ask_for(
    template: Template, network: Template, database: Template, observability: Template
) -> None:
    for name, nested in (("Network", network), ("Database", database), ("Observability", observability)):
        given = set(template.raw["Resources"][name]["Properties"]["Parameters"])
        declared = nested.raw["Parameters"]
        assert given <= set(declared), name
        assert {p for p, d in declared.items() if "Default" not in d} <= given, name


def test_outputs_that_are_used_exist(template: Template, network: Template, database: Template) -> None:
    import json
    import re

    text = json.dumps(template.expanded["Resources"])
    for name, nested in (("Network", network), ("Database", database)):
        used = set(re.findall(rf'"{name}", "Outputs\.(\w+)"', text)) | set(re.findall(rf"{name}\.Outputs\.(\w+)", text))
        assert used, name
        assert used <= set(nested.raw["Outputs"]), name
