"""`make demo` with everything around it stood in for: which pack it goes on with, and what it says."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_STAND_IN = """#!/bin/sh
echo "proviso $* PROVISO_PACK=$PROVISO_PACK" >> "$CALLS"
case "$1" in models) exit ${MODELS_CODE:-0} ;; esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The real Makefile and scripts; installed environments and a `proviso` that only writes down how it was called."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "scripts"):
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    for name in ("requirements/run.txt", "requirements/dlib.txt", "layers/core/pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    stand_in = tmp_path / ".venv" / "bin" / "proviso"
    stand_in.write_text(_STAND_IN)
    stand_in.chmod(0o755)
    (tmp_path / ".venv" / "bin" / "python").write_text('#!/bin/sh\necho "python $*" >> "$CALLS"\n')
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    (tmp_path / ".venv" / ".run").write_text("")
    return tmp_path


def make(checkout: Path, *arguments: str, **environment: str) -> tuple[int, str, list[str]]:
    """Exit code, what was said, and the calls."""
    calls = checkout / "calls"
    given = {"PATH": os.environ["PATH"], "HOME": str(checkout), "CALLS": str(calls), **environment}
    done = subprocess.run(
        ["make", "-C", str(checkout), *arguments], capture_output=True, text=True, env=given, timeout=120
    )
    return done.returncode, done.stdout + done.stderr, calls.read_text().splitlines() if calls.exists() else []


def test_with_the_default_packs_files_it_plays_with_them(checkout: Path) -> None:
    code, said, calls = make(checkout, "demo")
    assert code == 0, said
    assert calls == ["proviso models PROVISO_PACK=", "proviso demo PROVISO_PACK="]


def test_without_them_it_says_so_installs_dlib_and_goes_on(checkout: Path) -> None:
    code, said, calls = make(checkout, "demo", MODELS_CODE="3")
    assert code == 0, said
    assert "going on with the dlib pack instead" in said
    assert calls[0] == "proviso models PROVISO_PACK="
    assert calls[1].startswith("python -m pip install")
    assert calls[1].endswith("requirements/dlib.txt")
    assert calls[2] == "proviso demo PROVISO_PACK=dlib"


def test_a_model_file_that_was_swapped_stops_it(checkout: Path) -> None:
    code, _, calls = make(checkout, "demo", MODELS_CODE="1")
    assert code != 0
    assert calls == ["proviso models PROVISO_PACK="]


def test_keep_and_a_chosen_pack_are_handed_on(checkout: Path) -> None:
    code, said, calls = make(checkout, "demo", "KEEP=1", PROVISO_PACK="sface")
    assert code == 0, said
    assert calls == ["proviso demo --keep PROVISO_PACK=sface"]


def test_help_lists_every_target_that_people_use(checkout: Path) -> None:
    code, said, _ = make(checkout, "help")
    assert code == 0
    for target in ("demo", "test", "lint", "format", "bench", "install-dlib", "system-deps", "clean", "lock"):
        assert f"  {target} " in said
