"""How long the search takes in SQL: list sizes against probes, on an embedded PostgreSQL.

    python bench/search_sql.py [--sizes 1000,10000,100000] [--probes 1,3,8] [--rounds 40]

Random unit vectors, seeded; in every tenth round a probe is mated, so that some rows come back. All lists are there at
once and rounds are interleaved. Figures are medians of `search` alone, then of a whole transaction as match makes it
(gate, search, searched frame, audit, commit). Absolute times do not travel to another machine; ratios do.
"""

import argparse
import statistics
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import psycopg
from numpy.typing import NDArray

from proviso.domain.audit import deployment_act
from proviso.domain.conditions import Attestation, Attested
from proviso.domain.deployment import Deployment, DeploymentState, Grounds
from proviso.domain.face import Template
from proviso.domain.frame import Counts
from proviso.domain.people import Person, Role
from proviso.domain.permit import CheckedPermit
from proviso.domain.policy import Policy
from proviso.domain.reasons import Refused
from proviso.domain.watchlist import Watchlist
from proviso.local.postgres import embedded_postgres, role_urls
from proviso.store.connection import Connector
from proviso.store.govern import PostgresGovernStore
from proviso.store.migrations import ROLES, migrate
from proviso.store.search import PostgresSearchStore, PostgresSearchWork

SEED = 20_260_101
PIPELINE = "p" * 64
SOFTWARE = "bench"
THRESHOLD = Decimal("0.45")
POLICY = Policy(
    name="bench",
    version="1",
    uses=("bench",),
    categories=("bench",),
    max_entries=10**6,
    max_duration_minutes=600,
    calibration_required=False,
    site_trial_required=False,
    reviewers_required=1,
    consent_required=False,
    build_max_age_hours=24,
    image_warn_age_years=5,
    image_refuse_age_years=10,
    frame_age_limit_s=300,
    clock_skew_s=2,
    same_entry_window_s=60,
    decide_within_s=120,
    notice_useful_s=300,
    evidence_hours=24,
    message_prefix="BENCH",
    extends="",
    differences=(),
    operator_kinds=("bench",),
    premises=("closed_premises",),
    authoriser_ranks=(),
    under_18_allowed=False,
    public_notice_hours=0,
    public_notice_waivable=False,
    decision_required=False,
    urgent_start_hours=0,
)


def now() -> datetime:
    return datetime.now(UTC)


def _watchlist(name: str) -> Watchlist:
    return Watchlist(
        id=name,
        name=name,
        policy="bench",
        categories=POLICY.categories,
        max_entries=POLICY.max_entries,
        created_by="officer",
        created_at=now(),
        consent_required=POLICY.consent_required,
        under_18_allowed=POLICY.under_18_allowed,
        image_refuse_age_years=POLICY.image_refuse_age_years,
    )


def unit(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    found = rng.standard_normal((count, 128)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def as_template(vector: NDArray[np.float32]) -> Template:
    return Template(struct.pack("<128f", *vector), 128, PIPELINE)


@contextmanager
def database() -> Iterator[str]:
    """The master's address of a migrated database."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with embedded_postgres(Path(folder) / "data") as url:
            migrate(url, first_authoriser=None, role_passwords=None, iam=False, clock=now)
            yield url


def fill(master: str, name: str, vectors: NDArray[np.float32]) -> None:
    """Entries and references by COPY: one reference an entry."""
    with psycopg.connect(master) as connection, connection.cursor() as cursor:
        at = now()
        with cursor.copy(
            "COPY entry (id, watchlist_id, reference_no, label, category, reason, source, lawful_holding, image_date,"
            " added_by, added_at) FROM STDIN"
        ) as copy:
            for i in range(len(vectors)):
                copy.write_row((f"{name}-e{i}", name, f"R{i}", "x", "bench", "x", "x", "x", at.date(), "officer", at))
        with cursor.copy(
            "COPY reference (id, entry_id, watchlist_id, pipeline, image_key, image_digest, added_by, added_at)"
            " FROM STDIN"
        ) as copy:
            for i in range(len(vectors)):
                key = f"enrolment/{name}/{i}.jpg"
                copy.write_row((f"{name}-r{i}", f"{name}-e{i}", name, PIPELINE, key, "d" * 64, "officer", at))
        with cursor.copy("COPY reference_template FROM STDIN") as copy:
            for i, vector in enumerate(vectors):
                copy.write_row((f"{name}-r{i}", name, PIPELINE, "[" + ",".join(f"{x:.7f}" for x in vector) + "]"))


def deploy(govern: PostgresGovernStore, name: str, camera: str) -> Deployment:
    """Built, requested, authorised, active, warm."""
    with govern.work() as work:
        build = work.add_build(f"{name}-b", name, PIPELINE, "officer", now())
        if isinstance(build, Refused):
            raise SystemExit(build.sentence)
        made = Deployment(
            id=f"{name}-d",
            state=DeploymentState.REQUESTED,
            use="bench",
            place="Bench",
            premises="closed_premises",
            passages_expected=1,
            cameras=(camera,),
            starts_at=now() - timedelta(minutes=1),
            ends_at=now() + timedelta(hours=2),
            watchlist_id=name,
            build_id=build.id,
            build_digest=build.digest,
            pipeline=PIPELINE,
            threshold=THRESHOLD,
            policy=POLICY,
            software_build=SOFTWARE,
            grounds=Grounds(*["bench"] * 11),
            requested_by="requester",
            requested_at=now(),
        )
        work.add_deployment(made)
        work.authorise(made.id, "authoriser", now(), made.digest)
        for kind, since in ((Attested.SIGNAGE, None), (Attested.PUBLIC_NOTICE, now())):
            work.attest(Attestation(made.id, kind, "bench", "authoriser", now(), since))
        work.begin_warming(made.id, now())
        work.activate(made.id, now())
        begin = time.perf_counter()
        compared = work.warm(build.id)
        print(f"{compared:>8} references: warm in {(time.perf_counter() - begin) * 1e3:.0f} ms", flush=True)
    return made


def opened(work: PostgresSearchWork, deployment: Deployment) -> CheckedPermit:
    permit = work.gate(
        deployment_id=deployment.id,
        digest=deployment.digest,
        camera=deployment.cameras[0],
        captured_at=now(),
        now=now(),
        pipeline=PIPELINE,
        software_build=SOFTWARE,
    )
    if isinstance(permit, Refused):
        raise SystemExit(permit.sentence)
    return permit


def one_round(
    store: PostgresSearchStore, deployment: Deployment, probes: list[Template], frame_key: str
) -> tuple[float, float]:
    """Milliseconds of the search, and of the whole transaction."""
    begin = time.perf_counter()
    with store.work() as work:
        permit = opened(work, deployment)
        before = time.perf_counter()
        work.search(permit, probes)
        searched = time.perf_counter() - before
        counts = Counts(detected=len(probes), searched=len(probes))
        work.record_searched(frame_key=frame_key, permit=permit, captured_at=now(), now=now(), counts=counts)
        work.audit(deployment_act(deployment.id, now(), "function:match", "frame_searched", {"faces": len(probes)}))
    return searched * 1e3, (time.perf_counter() - begin) * 1e3


@contextmanager
def searchable(vectors: NDArray[np.float32]) -> Iterator[tuple[PostgresSearchStore, Deployment]]:
    """match's store on a database with one active deployment over these references."""
    with database() as master:
        urls = role_urls(master, ROLES)
        govern = PostgresGovernStore(Connector(lambda: urls["proviso_govern"], statement_timeout_s=300))
        store = PostgresSearchStore(Connector(lambda: urls["proviso_match"], idle_session_s=600))
        try:
            with govern.work() as work:
                work.register(Person("authoriser", frozenset({Role.AUTHORISER})))
                work.add_watchlist(_watchlist("list"))
            fill(master, "list", vectors)
            yield store, deploy(govern, "list", "camera")
        finally:
            govern.close()
            store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--probes", default="1,3,8")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    numbers = [int(count) for count in options.probes.split(",")]
    rng = np.random.default_rng(SEED)
    with database() as master:
        urls = role_urls(master, ROLES)
        govern = PostgresGovernStore(Connector(lambda: urls["proviso_govern"], statement_timeout_s=300))
        store = PostgresSearchStore(Connector(lambda: urls["proviso_match"]))
        with govern.work() as work:
            work.register(Person("authoriser", frozenset({Role.AUTHORISER})))
        results: dict[tuple[int, int], list[tuple[float, float]]] = {}
        lists: list[tuple[NDArray[np.float32], Deployment]] = []
        for size in sizes:
            name, vectors = f"list{size}", unit(rng, size)
            with govern.work() as work:
                work.add_watchlist(_watchlist(name))
            fill(master, name, vectors)
            lists.append((vectors, deploy(govern, name, f"camera-{size}")))
        for round_ in range(options.rounds + 6):  # the first six warm the caches and the statement
            for vectors, deployment in lists:
                for count in numbers:
                    probes = unit(rng, count)
                    if round_ % 10 == 0:
                        probes[0] = vectors[int(rng.integers(len(vectors)))]
                    key = f"{deployment.id}/{round_}/{count}"
                    took = one_round(store, deployment, [as_template(p) for p in probes], key)
                    if round_ >= 6:
                        results.setdefault((len(vectors), count), []).append(took)
        govern.close()
        store.close()
    print(f"\nmedians of {options.rounds} rounds, each list and number of probes in turn")
    print(f"{'references':>10} {'probes':>6} {'search ms':>10} {'whole transaction ms':>21}")
    for (size, count), measured in results.items():
        search, whole = (statistics.median(one[i] for one in measured) for i in (0, 1))
        print(f"{size:>10} {count:>6} {search:>10.2f} {whole:>21.2f}")


if __name__ == "__main__":
    main()
