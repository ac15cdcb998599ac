"""From a camera's upload to the candidate on an open console page, as the person before it has it.

usage: python bench/console_latency.py [MATCHES]

A local cloud, a running deployment, a signed-in reviewer's page in Chromium. Each round uploads one frame with the
listed person, waits until the page shows the new candidate, and rejects it, so that the next frame opens another. The
time begins before the upload's request and ends when the row is in the page; both clocks are this machine's.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from proviso.cli import places
from proviso.cli.camera.grants import GrantedPut
from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import NORTH, Person, Scene, Studio
from proviso.cli.demo.script import REVIEWER, Demonstration
from proviso.domain.frame import FrameKey
from proviso.local.cloud import local_cloud

LIMIT_MS = 1500
ROUND_S = 15
_WATCH = """
() => {
  window.appeared = {};
  const look = () => {
    for (const row of document.querySelectorAll("#waiting li[data-id]")) {
      window.appeared[row.dataset.id] ??= performance.timeOrigin + performance.now();
    }
  };
  new MutationObserver(look).observe(document.getElementById("waiting"), { childList: true });
  look();
}
"""


def signed_in(browser: Any, play: Demonstration) -> Any:
    """The console, signed in through its own sign-in, watching what appears in its list."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{play.cloud.api_url}/console")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Account").fill(REVIEWER)
    page.keyboard.press("Enter")
    page.wait_for_selector("#nothing:not([hidden])")
    page.evaluate(_WATCH)
    return page


def round_trip(page: Any, play: Demonstration, put: GrantedPut, jpeg: bytes, number: int) -> float:
    """Milliseconds for one frame; rejects its candidate afterwards."""
    captured = play.clock()
    key = FrameKey(NORTH, captured.replace(microsecond=captured.microsecond // 1000 * 1000), number)
    known = set(page.evaluate("Object.keys(window.appeared)"))
    began = time.time()
    put(str(key), jpeg)
    deadline = began + ROUND_S
    while time.time() < deadline:
        new = {name: at for name, at in page.evaluate("window.appeared").items() if name not in known}
        if new:
            ((candidate, at),) = new.items()
            play.as_person(REVIEWER).post(
                f"/candidates/{candidate}/decision", {"decision": "reject", "reason": "the next frame opens another"}
            )
            page.wait_for_selector("#nothing:not([hidden])", timeout=ROUND_S * 1000)
            return float(at) - began * 1000
        page.wait_for_timeout(20)
    sys.exit(f"round {number}: no candidate appeared within {ROUND_S} s")


def main(matches: int) -> None:
    """Print p50, p95, least and most."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("console latency: not measured, Chromium is not here (make system-deps)")
        return
    from playwright.sync_api import sync_playwright

    root = places.checkout()
    models = places.find_models(root)
    person = Person("hopper", 120, 420, 330)
    scene = Scene("bench", NORTH, "", (person,))
    times = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        options = DemoOptions(root, Path(folder) / "data", Path(folder) / "out", models)
        cloud = running.enter_context(local_cloud(cloud_options(options)))
        play = Demonstration(cloud, demo_policy(), models.manifest.demo_threshold, options.out)
        play.prepare()
        browser = running.enter_context(sync_playwright()).chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        page = signed_in(browser, play)
        put = play.cameras().put(NORTH)  # a camera keeps its grant
        jpegs = [Studio().jpeg(replace(scene, name=f"bench-{n}")) for n in range(4)]
        for number in range(1, matches + 4):
            took = round_trip(page, play, put, jpegs[number % 4], number)
            if number > 3:  # the first ones start processes and load models
                times.append(took)
        browser.close()
    times.sort()
    p95 = times[min(len(times) - 1, round(0.95 * len(times) + 0.5) - 1)]
    print(
        f"upload to candidate on an open page, pack {models.manifest.name}, {len(times)} matches: "
        f"p50 {statistics.median(times):.0f} ms, p95 {p95:.0f} ms, least {times[0]:.0f} ms, most {times[-1]:.0f} ms "
        f"(limit p95 {LIMIT_MS} ms)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
