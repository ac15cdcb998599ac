"""The scripts that the Makefile runs before there is anything to import."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment}
    return subprocess.run([sys.executable, "-I", *arguments], capture_output=True, text=True, env=given, timeout=60)


def test_preflight_says_what_is_there_and_what_will_be_downloaded() -> None:
    done = run(str(ROOT / "scripts" / "preflight.py"))
    assert done.returncode == 0, done.stdout
    for word in ("Python", "venv", "disk", "packages:", "models:"):
        assert word in done.stdout


def test_preflight_names_the_other_pack_when_it_was_chosen() -> None:
    done = run(str(ROOT / "scripts" / "preflight.py"), PROVISO_PACK="dlib")
    assert "the dlib pack" in done.stdout


def test_a_quiet_command_shows_one_line_and_its_output_only_when_it_fails() -> None:
    quietly = str(ROOT / "scripts" / "quietly.py")
    good = run(quietly, "installing", sys.executable, "-c", "print('noise')")
    assert (good.returncode, "noise" in good.stdout + good.stderr) == (0, False)
    assert "installing: done" in good.stdout
    bad = run(quietly, "installing", sys.executable, "-c", "print('the cause'); raise SystemExit(3)")
    assert bad.returncode == 3
    assert "installing: FAILED" in bad.stdout
    assert "the cause" in bad.stderr
