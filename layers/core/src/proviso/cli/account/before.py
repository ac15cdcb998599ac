"""What is needed before a first deployment: tools, models and certificates here; rights, engines and quotas there."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proviso.cli import places
from proviso.cli.account.finding import Check, Finding, attention, ok, wrong
from proviso.cli.account.stack import Account

PACKS = ("mobilefacenet", "sface")
"""Those that the template takes; dlib is for one machine."""
BUNDLE = Path(".aws-sam/build/CoreLayer/certs/rds-global-bundle.pem")
ENGINE, VERSION, CLASS = "aurora-postgresql", "16.10", "db.serverless"
RDS_ROLE = "AWSServiceRoleForRDS"
NEEDED_COPIES = {"DetectConcurrency": 3, "MatchConcurrency": 2, "AlertConcurrency": 2}
"""The template's defaults."""
FOR_THE_REST = 3
"""Copies that must be left for the console, sweep and retain."""
_SOON = timedelta(days=90)
_ANOTHER = (
    f"aws rds describe-db-engine-versions --engine {ENGINE} --query 'DBEngineVersions[].EngineVersion' names others:"
    " deploy with DatabaseEngineVersion=16.N, or in another region"
)


def on_this_machine(root: Path, region: str = "", build: bool = True) -> list[tuple[str, Check]]:
    """Checks of the checkout. `build`: is something to be built and deployed from here?"""
    checks: list[tuple[str, Check]] = [("model files", lambda: models(root))]
    if build:
        checks += [
            ("Python 3.13", lambda: python313(root)),
            ("SAM", lambda: sam(root)),
            ("AWS command line", command_line),
            ("build", lambda: built(root)),
            ("certificates of the database", lambda: certificates(root / BUNDLE, region)),
        ]
    return checks


def models(root: Path) -> Finding:
    name = places.pack_name()
    pack = name if name in PACKS else places.DEFAULT_PACK
    where = places.where_models_are(root, pack)
    missing = [file for file, path in where.items() if path is None]
    if missing:
        return wrong("model files", f"pack {pack}: {', '.join(missing)} nowhere here", "proviso models")
    return ok("model files", f"pack {pack}: {len(where)} files, verified")


def python313(root: Path) -> Finding:
    """By the same way in which the build finds it."""
    script = root / "scripts" / "python313.py"
    if not script.exists():
        return attention("Python 3.13", f"there is no {script.name} in this checkout", "make build says more")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip().splitlines()
    if done.returncode == 0 and said:
        return ok("Python 3.13", said[0])
    return wrong("Python 3.13", said[0] if said else "not found", "install it, or set PYTHON313 to it")


def sam(root: Path) -> Finding:
    found = root / ".venv-sam" / "bin" / "sam"
    if found.exists() or shutil.which("sam"):
        return ok("SAM", str(found) if found.exists() else str(shutil.which("sam")))
    return attention("SAM", "not installed yet", "make build (installs it into .venv-sam)")


def command_line() -> Finding:
    """The guide's `aws ...` are for version 2; Proviso's own commands need none."""
    name, how = "AWS command line", "install version 2, as Amazon's guide says; docs/operations.md is written for it"
    found = shutil.which("aws")
    if found is None:
        return attention(name, "there is none", how)
    done = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=60, check=False)
    version = (done.stdout or done.stderr).partition(" ")[0].strip()
    if version.startswith("aws-cli/2"):
        return ok(name, version)
    return attention(name, version if version.startswith("aws-cli/") else "tells no version", how)


def built(root: Path) -> Finding:
    template = root / ".aws-sam" / "build" / "template.yaml"
    if not template.exists():
        return attention("build", "nothing is built yet", "make build")
    if template.stat().st_mtime < (root / "template.yaml").stat().st_mtime:
        return attention("build", "older than template.yaml", "make build")
    return ok("build", f"made {datetime.fromtimestamp(template.stat().st_mtime, UTC):%Y-%m-%d %H:%M} UTC")


def certificates(bundle: Path, region: str, now: datetime | None = None) -> Finding:
    """The database's certificate authorities as they were built in: is the region's there, until when?"""
    from cryptography import x509

    name = "certificates of the database"
    if not bundle.exists():
        return attention(name, "nothing is built yet", "make build")
    at = now or datetime.now(UTC)
    found = x509.load_pem_x509_certificates(bundle.read_bytes())
    ours = [one for one in found if region in one.subject.rfc4514_string()] if region else found
    if not ours:
        return wrong(name, f"none of {len(found)} is for {region}: a stand-in, or too old", "make build")
    ends = min(one.not_valid_after_utc for one in ours)
    if ends <= at:
        return wrong(name, f"expired on {ends:%Y-%m-%d}", "make build, and deploy")
    if ends <= at + _SOON:
        return attention(name, f"expires on {ends:%Y-%m-%d}", "make build, and deploy, before that day")
    return ok(name, f"{len(ours)} for {region or 'any region'}, until {ends:%Y-%m-%d}")


def in_the_account(account: Account, parameters: Mapping[str, str]) -> list[tuple[str, Check]]:
    """Checks of engine and quotas; these hold whether or not a stack exists."""
    return [
        ("database engine", lambda: engine(account, parameters)),
        ("role of RDS", lambda: rds_role(account)),
        ("billing", lambda: billing(account)),
        ("copies of functions", lambda: concurrency(account, parameters)),
    ]


def credentials(account: Account) -> Iterator[Finding]:
    who = account.client("sts").get_caller_identity()
    name = str(who["Arn"]).rsplit(":", 1)[-1]
    if name == "root":
        yield attention(
            "credentials", f"account {who['Account']}, its root user", "use a role that is not the root user"
        )
    else:
        yield ok("credentials", f"account {who['Account']}, {name}")
    yield ok("region", account.region)


def engine(account: Account, parameters: Mapping[str, str]) -> Finding:
    """Is that Aurora, as Serverless v2, to be had in this region? One that is there may have been raised since."""
    version = parameters.get("DatabaseEngineVersion") or VERSION
    found = account.client("rds").describe_orderable_db_instance_options(
        Engine=ENGINE, EngineVersion=version, DBInstanceClass=CLASS
    )["OrderableDBInstanceOptions"]
    if found:
        return ok("database engine", f"{ENGINE} {version} as {CLASS} in {account.region}")
    said = f"{ENGINE} {version} is not offered as {CLASS} here"
    if parameters:
        return attention("database engine", f"{said}; nothing new could begin with it", _ANOTHER)
    return wrong("database engine", said, _ANOTHER)


def rds_role(account: Account) -> Finding:
    """RDS makes this role with the first database of an account, and may not find it in the same moment: a first
    deployment then fails, and a second goes well."""
    from botocore.exceptions import ClientError

    try:
        account.client("iam").get_role(RoleName=RDS_ROLE)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchEntity":
            raise
        how = "aws iam create-service-linked-role --aws-service-name rds.amazonaws.com"
        return attention("role of RDS", f"there is no {RDS_ROLE} yet; the first database may fail for it", how)
    return ok("role of RDS", RDS_ROLE)


def billing(account: Account) -> Finding:
    """May this role have to do with budgets? A new account opens them to its root user only."""
    from botocore.exceptions import ClientError

    number = account.client("sts").get_caller_identity()["Account"]
    try:
        account.client("budgets").describe_budgets(AccountId=number, MaxResults=1)
    except ClientError as error:
        if "AccessDenied" not in str(error.response.get("Error", {}).get("Code")):
            raise
        how = (
            "as the root user: Account, `IAM user and role access to Billing information`, Activate IAM Access;"
            " or deploy with MonthlyBudgetUSD=0"
        )
        return attention("billing", "this role may not look at budgets, and perhaps not make one", how)
    return ok("billing", "budgets may be looked at")


def concurrency(account: Account, parameters: Mapping[str, str]) -> Finding:
    limit = int(account.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    asked = sum(int(parameters.get(name) or least) for name, least in NEEDED_COPIES.items())
    said = f"the account has {limit} for everything, and {asked} are asked for"
    how = (
        "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384"
        " --desired-value 1000"
    )
    if asked + FOR_THE_REST > limit:
        return wrong("copies of functions", f"{said}: the rest would starve", how)
    if limit < 100:
        return attention("copies of functions", f"{said}: enough for a trial with a camera or two", how)
    return ok("copies of functions", said)
