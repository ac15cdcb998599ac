"""`proviso demo`: the local cloud up, the script played, the findings shown, and the exit code that they deserve."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from proviso.cli import cameras
from proviso.cli.api import ApiFault
from proviso.cli.camera.sources import SourceFault
from proviso.cli.demo import show
from proviso.cli.demo.cameras import UploadsMissing
from proviso.cli.demo.script import (
    AUTHORISER,
    PARAMETERS,
    RECIPIENT,
    RECIPIENTS,
    REQUESTER,
    REVIEWER,
    REVIEWERS,
    Demonstration,
    NotInTime,
)
from proviso.cli.demo.steps import Steps
from proviso.cli.demo.verdict import Check, Findings, judge
from proviso.cli.output import until_interrupted
from proviso.cli.places import Models, database
from proviso.domain.errors import ConfigurationFault
from proviso.domain.policy import Policy
from proviso.domain.reasons import Refused
from proviso.local.cloud import LocalCloud, LocalCloudOptions, local_cloud
from proviso.policies import load

POLICY = "demo"
_FRAMES_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Where, with which models, and whether to leave it running. `built`: a built tree to run functions from."""

    root: Path
    data: Path
    out: Path
    models: Models
    keep: bool = False
    port: int = 0
    built: Path | None = None


def cloud_options(options: DemoOptions) -> LocalCloudOptions:
    """The local cloud as the demonstration wants it; DATABASE_URL goes first where it is set."""
    environment = dict(options.models.environment) | database()
    return LocalCloudOptions(
        root=options.root,
        data=options.data,
        port=options.port,
        parameters=PARAMETERS,
        environment=environment,
        built=options.built,
    )


def run_demo(options: DemoOptions, console: Console) -> int:
    """Play it and show it. 0 only when everything that must happen did. ConfigurationFault when it cannot begin."""
    steps = Steps(console)
    findings = Findings()
    _clear(options.out)
    console.print(f"[bold]Proviso: the main job, end to end[/bold] (model pack {options.models.manifest.name})")
    with ExitStack() as running:
        with steps.step("the local cloud comes up from template.yaml") as tell:
            cloud = running.enter_context(local_cloud(cloud_options(options), progress=tell))
        steps.note(f"API {cloud.api_url}, AWS stand-in {cloud.aws_endpoint}")
        play = Demonstration(cloud, demo_policy(), options.models.manifest.demo_threshold, options.out)
        try:
            _before(play, steps, options.data if options.keep else None)
            _frames(play, steps, findings, options.models.smallest_face_px)
            _review(play, steps, findings)
            if not options.keep:
                _after(play, steps, findings)
        except (NotInTime, ApiFault, SourceFault, UploadsMissing) as error:
            findings.extra.append(Check("the script could be played to its end", False, str(error)))
        code = _report(options, console, findings, steps)
        if options.keep:
            _keep(console, cloud, play)
    return code


def _clear(out: Path) -> None:
    """Remove what an earlier run wrote, and nothing else."""
    shutil.rmtree(out / "frames", ignore_errors=True)
    for pattern in ("evidence-*.jpg", "reference-*.jpg", "frames.png"):
        for old in out.glob(pattern):
            old.unlink()


def demo_policy() -> Policy:
    """The policy of the local cloud alone."""
    policy = load(POLICY, (POLICY,))
    if isinstance(policy, Refused):
        raise ConfigurationFault(policy.sentence)
    return policy


def _before(play: Demonstration, steps: Steps, keep_keys: Path | None) -> None:
    with steps.step("the first authoriser registers a requester, a watchlist officer, a reviewer, a recipient"):
        play.register_people()
    with steps.step(f"{REQUESTER} records where the reviewer and the recipient are told"):
        play.register_contacts()
    with steps.step(f"{REQUESTER} registers three cameras; each gets a key of its own"):
        play.register_cameras()
        if keep_keys is not None:
            for camera, key in play.keys.items():
                cameras.keep(keep_keys, camera, key)
    with steps.step("the officer makes a watchlist: one entry, one picture, one build"):
        play.make_watchlist()
    with steps.step(f"{REQUESTER} requests a deployment over two cameras"):
        digest = play.request()
    steps.note(f"digest of its terms: {digest}")
    with steps.step("public notice and signage are attested, reviewer and recipient are named for this deployment"):
        play.announce()
    with steps.step(f"{AUTHORISER} authorises exactly these terms; it is started"):
        play.authorise()
        play.start()


def _frames(play: Demonstration, steps: Steps, findings: Findings, smallest_face_px: int) -> None:
    theirs = play.cameras()
    with steps.step("two cameras upload their frames, by grants; others send what does not belong") as tell:
        findings.sent = theirs.run_all(smallest_face_px, float(play.policy.frame_age_limit_s), tell)
    with steps.step("a third camera, which the deployment does not list, asks for a grant"):
        findings.outside = theirs.refused_outside()
    steps.note(findings.outside or "it got one")
    with steps.step("every frame gets exactly one outcome, and is deleted") as tell:
        findings.rows = play.outcomes(findings.sent, _FRAMES_TIMEOUT_S, tell)
    findings.frames_left = play.frames_left()


def _review(play: Demonstration, steps: Steps, findings: Findings) -> None:
    with steps.step("a candidate: the reviewers, and nobody else, are told"):
        findings.candidates = play.candidates()
        findings.before = play.wait_for_messages(REVIEWERS)
    findings.told_early = play.messages(RECIPIENTS)
    if not findings.candidates:
        return
    candidate = findings.candidates[0]["id"]
    with steps.step(f"{REVIEWER} looks at the pictures and confirms"):
        findings.pictures = play.look(candidate)
        findings.decided = play.confirm(candidate)
    with steps.step("the recipients are told"):
        findings.after = play.wait_for_messages(RECIPIENTS)


def _after(play: Demonstration, steps: Steps, findings: Findings) -> None:
    with steps.step("the deployment is stopped and closed; its list is deleted and counted to zero"):
        play.stop()
        findings.certificate = play.close()
        findings.audit_records, findings.audit_fault = play.audit_fault()
    # Looked at once more: what was queued must not have sent anything twice.
    findings.before, findings.after = play.messages(REVIEWERS), play.messages(RECIPIENTS)


def _report(options: DemoOptions, console: Console, findings: Findings, steps: Steps) -> int:
    console.print()
    show.frames_table(console, findings)
    show.stages_table(console, findings)
    show.texts(console, [*findings.before, *findings.after])
    for picture in findings.pictures:
        console.print(f"written: {escape(str(picture))}", soft_wrap=True)
    if sheet := show.contact_sheet(findings, options.out / "frames.png"):
        console.print(f"written: {escape(str(sheet))} (all frames on one page)", soft_wrap=True)
    console.print()
    judged = judge(findings, closed=not options.keep)
    show.checks(console, judged)
    missed = sum(not check.held for check in judged)
    if missed:
        console.print(
            f"[red]{missed} of {len(judged)} checks failed[/red], after {steps.elapsed:.1f} s", soft_wrap=True
        )
        console.print(f"the functions' logs: {escape(str(options.data / 'logs'))}", soft_wrap=True)
        return 1
    console.print(
        f"[green]All {len(judged)} checks passed[/green] in {steps.elapsed:.1f} s, start of the local cloud included"
    )
    return 0


def _keep(console: Console, cloud: LocalCloud, play: Demonstration) -> None:
    """Leave it running, deployment active, until Ctrl-C."""
    console.print("\n[bold]It is left running, with the deployment active. Ctrl-C ends it.[/bold]")
    for name, value in (
        ("API", cloud.api_url),
        ("console", f"{cloud.api_url}/console    (sign in as {REVIEWER})"),
        ("recipients", f"{cloud.api_url}/console/notices    (sign in as {RECIPIENT})"),
        ("inbox", cloud.inbox_url),
        ("AWS stand-in", cloud.aws_endpoint),
        ("deployment", play.deployment),
        ("sign in", f"proviso login --as {REVIEWER}    (or {REQUESTER}, {AUTHORISER})"),
        ("more frames", f"proviso camera --camera hall-north --source {play.out / 'frames' / 'hall-north'}"),
    ):
        console.print(f"  {name:13} {escape(value)}", soft_wrap=True)
    until_interrupted()
