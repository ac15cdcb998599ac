"""What of the stack's database may be left by another name: clusters in between, snapshots of a replaced one (S23)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from proviso.cli import session
from proviso.cli.account import gate, plan, running, tearing
from proviso.cli.account.finding import Level
from proviso.cli.account.stack import Part, Stack, needed_stack
from tests.account import NAME, REGION, Served, account, deploy, pretended

CLUSTER = Part("Cluster", "AWS::RDS::DBCluster", "proviso-db", "CREATE_COMPLETE")


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("PROVISO_DATA", str(tmp_path / "data"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "pretended")
    monkeypatch.setattr(session, "api", lambda *_: Served())
    with pretended():
        deploy()
        yield


def rds() -> Any:
    return boto3.client("rds", region_name=REGION)


def cluster(name: str, owner: str = "proviso_owner", stage: str = "") -> None:
    rds().create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        MasterUsername=owner,
        MasterUserPassword="long-enough",
        Tags=[{"Key": "proviso:stage", "Value": stage}] if stage else [],
    )


def snapshot(name: str, of: str, stage: str = "") -> None:
    tags = [{"Key": "proviso:stage", "Value": stage}] if stage else []
    rds().create_db_cluster_snapshot(DBClusterIdentifier=of, DBClusterSnapshotIdentifier=name, Tags=tags)


def stack() -> Stack:
    found = needed_stack(account(), NAME)
    return replace(found, parts=(*found.parts, CLUSTER))


def databases() -> list[str]:
    return list(gate.snapshots(account(), stack()))


@pytest.mark.parametrize(
    ("owner", "stage", "stands"),
    [
        ("proviso_owner", "", True),  # a restore without its tag
        ("proviso_owner", "trial", True),
        ("somebody", "trial", True),
        ("proviso_owner", "other", False),  # another stack of this account
        ("somebody", "", False),
    ],
)
def test_a_cluster_in_between_that_was_left_stands_against_it_and_is_told_after_it(
    owner: str, stage: str, stands: bool
) -> None:
    cluster("proviso-db", stage="trial")
    assert databases() == []
    cluster("proviso-between", owner, stage)
    assert bool([one for one in databases() if "proviso-between" in one]) == stands
    line = [one for one in plan.plan(account(), stack(), plan.today()).remains if one.name == "proviso-between"]
    assert bool(line) == stands
    assert (running.snapshots(account(), stack()).level is Level.WRONG) == stands
    journal = tearing.Journal.of(stack(), REGION, datetime.now(UTC))
    rds().delete_db_cluster(DBClusterIdentifier="proviso-db", SkipFinalSnapshot=True)
    left = [one for one in tearing.unexpected(account(), journal) if "cluster proviso-between" in one]
    assert bool(left) == stands


def test_a_snapshot_of_a_cluster_that_was_replaced_is_found_by_its_tag_or_its_owner() -> None:
    cluster("proviso-before", stage="trial")
    snapshot("of-before", "proviso-before", "trial")
    rds().delete_db_cluster(DBClusterIdentifier="proviso-before", SkipFinalSnapshot=True)
    cluster("proviso-db", stage="trial")
    assert [one for one in databases() if "of-before holds templates" in one]
    journal = tearing.Journal.of(stack(), REGION, datetime.now(UTC))
    assert "the snapshot of-before holds templates" in list(tearing.unexpected(account(), journal))


def test_many_clusters_are_looked_at_to_the_last() -> None:
    for number in range(120):
        cluster(f"a-{number:03}", "somebody")
    cluster("z-between")
    assert [one for one in databases() if "z-between" in one]


def test_a_snapshot_stands_against_it_also_the_one_that_was_restored_from() -> None:
    """That one was made of a cluster in between, so no look by the cluster's name finds it."""
    cluster("proviso-db", "x")
    cluster("proviso-between", "x")
    snapshot("restore-1", "proviso-between")
    seen = replace(stack(), parameters={"RestoreFromSnapshot": "restore-1"})
    (found,) = gate.snapshots(account(), seen)
    assert "restore-1 holds templates" in found
    rds().delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="restore-1")
    assert list(gate.snapshots(account(), seen)) == []


def test_a_cluster_a_snapshot_and_a_backup_that_are_left_are_told() -> None:
    cluster("db", "o")
    snapshot("mine", "db")
    journal = tearing.Journal("id", NAME, REGION, (), (), ("db",), datetime.now(UTC).isoformat())
    said = " ".join(tearing.unexpected(account(), journal))
    assert "cluster db is still there" in said
    assert "snapshot mine holds templates" in said
    seen = replace(stack(), parts=(Part("Cluster", "AWS::RDS::DBCluster", "db", "CREATE_COMPLETE"),))
    remains = plan.plan(account(), seen, plan.today()).remains
    assert any("IT HOLDS TEMPLATES" in one.why for one in remains)
