"""Clusters, snapshots and backups that hold what the stack's database holds, under whatever name.

A cluster in between, made for a restore, and the snapshots of a cluster that was replaced have names of their own. They
are known by their tag, and where they lost that, by the master user, whose name no other database has.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from proviso.cli.account.stack import Account, Stack

TAG = "proviso:stage"
OWNER = "proviso_owner"
"""infra/database.yaml: the tag of the cluster, which its snapshots copy, and its MasterUsername."""


def stage_of(stack: Stack) -> str:
    return stack.parameters.get("Stage") or stack.outputs.get("Stage") or "trial"


def names_of(stack: Stack) -> tuple[str, ...]:
    return tuple(part.id for part in stack.of("AWS::RDS::DBCluster") if part.id)


def ours(one: Mapping[str, Any], stage: str, names: tuple[str, ...]) -> bool:
    """Is it of this stack? By its cluster's name, by its tag; without a tag by its owner: in doubt yes."""
    if one.get("DBClusterIdentifier") in names:
        return True
    tag = next((tag["Value"] for tag in one.get("TagList", ()) if tag["Key"] == TAG), None)
    return one.get("MasterUsername") == OWNER if tag is None else tag == stage


def snapshots(account: Account, stage: str, names: tuple[str, ...], kind: str = "") -> list[str]:
    """The names of snapshots; `kind`: manual for those that somebody made."""
    asked = {"SnapshotType": kind} if kind else {}
    pages = account.client("rds").get_paginator("describe_db_cluster_snapshots").paginate(**asked)
    found = (one for page in pages for one in page["DBClusterSnapshots"])
    return [str(one["DBClusterSnapshotIdentifier"]) for one in found if ours(one, stage, names)]


def made_by_hand(account: Account, stack: Stack) -> list[str]:
    """Snapshots that somebody made of the stack's database. The one that the cluster was restored from is asked for by
    its name too."""
    found = snapshots(account, stage_of(stack), names_of(stack), "manual")
    restored = stack.parameters.get("RestoreFromSnapshot", "").rsplit(":", 1)[-1]
    if restored and restored not in found and _snapshot_is_there(account.client("rds"), restored):
        found.append(restored)
    return found


def besides(account: Account, stack: Stack) -> list[str]:
    """Clusters that hold what the stack's holds and are no part of it, as one in between that a restore left."""
    names = names_of(stack)
    mine, _ = _clusters(account, stage_of(stack), names)
    return [name for name in mine if name not in names]


def to_delete_cluster(name: str) -> str:
    """The command of AWS for it."""
    return f"aws rds delete-db-cluster --skip-final-snapshot --db-cluster-identifier {name}"


def to_delete_snapshot(name: str) -> str:
    """The command of AWS for it."""
    return f"aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier {name}"


def left(account: Account, stage: str, names: tuple[str, ...]) -> Iterator[str]:
    """A sentence for all that should be gone with the stack and is there."""
    from botocore.exceptions import ClientError

    mine, others = _clusters(account, stage, names)
    yield from (f"the database cluster {name} is still there" for name in mine)
    yield from (f"the snapshot {name} holds templates" for name in snapshots(account, stage, names))
    try:
        pages = account.client("rds").get_paginator("describe_db_cluster_automated_backups").paginate()
        backups = [one for page in pages for one in page["DBClusterAutomatedBackups"]]
    except ClientError:
        if names:
            yield f"whether automated backups of {', '.join(names)} are left is not known"
        return
    for one in backups:
        if ours(one, stage, names) and one["DBClusterIdentifier"] not in others:
            yield f"an automated backup of {one['DBClusterIdentifier']} is left ({one.get('Status', '?')})"


def _clusters(account: Account, stage: str, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The names of all clusters that are of this stack, its own included; and of those that are not."""
    pages = account.client("rds").get_paginator("describe_db_clusters").paginate()
    mine: list[str] = []
    others: list[str] = []
    for one in (one for page in pages for one in page["DBClusters"]):
        (mine if ours(one, stage, names) else others).append(str(one["DBClusterIdentifier"]))
    return mine, others


def _snapshot_is_there(rds: Any, name: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        return bool(rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"])
    except ClientError as error:
        if "NotFound" in error.response["Error"]["Code"]:
            return False
        raise
