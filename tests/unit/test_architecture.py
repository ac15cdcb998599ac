"""The house holds its own rules: importing does nothing, light functions stay light, files stay readable."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "core" / "src" / "proviso"
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "functions").rglob("*.py")])
OFFLINE = ("proviso.local", "proviso.cli", "proviso.evaluation")

IMPORT = """
import importlib, json, socket, sys, threading

class Refuse(socket.socket):
    def __init__(self, *a, **k):
        raise AssertionError("a socket was opened at import")

socket.socket = Refuse
socket.create_connection = socket.getaddrinfo = lambda *a, **k: Refuse()

names = sys.argv[1:]
for name in names:
    importlib.import_module(name)
print(json.dumps({"modules": sorted(sys.modules), "threads": threading.active_count()}))
"""


def imported(*names):
    """The modules that are loaded after importing these, in a fresh interpreter without an environment or sockets."""
    return told_by(IMPORT, *names)


def told_by(script, *arguments):
    """What a script says in JSON, in a fresh interpreter without an environment."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(PACKAGE.parent)])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def name_of(path):
    base = PACKAGE.parent if PACKAGE in path.parents else ROOT
    parts = list(path.relative_to(base).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_importing_everything_that_is_deployed_opens_no_socket_starts_nothing_and_reads_no_setting():
    names = [name for name in map(name_of, SOURCES) if not name.startswith(OFFLINE)]
    assert len(names) > 60
    loaded = imported(*names)
    assert loaded["threads"] == 1
    heavy = {"onnxruntime", "cv2", "dlib", "moto", "samtranslator", "boto3"}
    assert heavy.isdisjoint(loaded["modules"])


def test_importing_the_offline_parts_opens_no_socket_either():
    names = [name for name in map(name_of, SOURCES) if name.startswith(OFFLINE) and not name.endswith("__main__")]
    assert imported(*names)["threads"] == 1


LIGHT = {"onnxruntime", "cv2", "numpy", "dlib", "psycopg", "boto3"}  # botocore comes with Powertools


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_no_heavy_wing_before_its_first_event(function):
    loaded = set(imported(f"functions.{function}.app")["modules"])
    assert LIGHT.isdisjoint(loaded), sorted(LIGHT & loaded)
    assert not [name for name in loaded if name.startswith(("proviso.vision.", "proviso.store.", "proviso.cloud."))]
    assert not [name for name in loaded if name.startswith(OFFLINE)]


VISION = {"numpy", "cv2", "onnxruntime", "simplejpeg", "dlib"}
MADE = {  # what wiring makes at a function's first event, and what must not come along
    "detect": ("_detect_parts", {"psycopg", "boto3", "proviso.domain.retention", "proviso.domain.deployment"}),
    "match": ("_match_room", {"boto3"}),
    "grant": ("grant", {"psycopg", "boto3", *VISION}),
    "review": ("review", {"boto3", *VISION}),
    "govern": ("govern", {"boto3", *VISION}),
}
MAKE = """
import importlib, json, os, sys
from proviso import wiring

class Anything(dict):
    def get(self, name, default=None):
        return {"DATABASE_PORT": "5432", "SIGN_IN_URL": "https://sign-in.example"}.get(name) or (
            "" if name.startswith("PROVISO") else "x")
    __getitem__ = get

os.environ |= {"AWS_DEFAULT_REGION": "eu-west-2", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
wiring._read = lambda kind: kind.read(Anything())
importlib.import_module(f"functions.{sys.argv[1]}.app")
getattr(wiring, sys.argv[2])()
print(json.dumps(sorted(sys.modules)))
"""
FIRST = """
import gc, json
import functions.detect.app
from proviso.edge.telemetry import invocation
seen = [gc.isenabled()]
with invocation("r-1"):
    seen.append(gc.isenabled())
print(json.dumps([*seen, gc.isenabled(), gc.get_freeze_count() > 0]))
"""


@pytest.mark.parametrize("function", MADE)
def test_what_a_first_event_needs_brings_nothing_else_along(function):
    maker, without = MADE[function]
    loaded = set(told_by(MAKE, function, maker))
    assert without.isdisjoint(loaded), sorted(without & loaded)


def test_the_collector_rests_until_the_first_event_is_answered():
    """A start makes no garbage. Off for longer, memory would grow."""
    assert told_by(FIRST) == [False, False, True, True]


@pytest.mark.parametrize("name", ["proviso.domain", "proviso.stages"])
def test_rules_and_stages_load_the_standard_library_alone(name):
    wanted = [found for found in map(name_of, SOURCES) if found.startswith(name)]
    foreign = {
        module.partition(".")[0] for module in imported(*wanted)["modules"] if not module.startswith(("proviso", "_"))
    }
    assert foreign - set(sys.stdlib_module_names) <= {"__main__", "sitecustomize", "usercustomize"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_is_of_a_screens_height(function):
    tree = ast.parse((ROOT / "functions" / function / "app.py").read_text())
    handler = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "handler")
    assert handler.end_lineno - handler.lineno < 40


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_go(path):
    assert len(path.read_text().splitlines()) <= 470
    assert not {"utils", "helpers", "manager"} & set(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_wiring_reads_the_environment_and_nobody_asserts(path):
    tree = ast.parse(path.read_text())
    name = name_of(path)
    if name.startswith(OFFLINE):
        return
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    reads = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and name != "proviso.wiring"
    ]
    assert not reads


@pytest.mark.parametrize("path", [p for p in SOURCES if "stages" in p.parts], ids=lambda path: path.name)
def test_a_stage_asks_no_clock_of_its_own_and_no_chance(path):
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    assert not {c for c in called if c.startswith(("datetime.now", "time.", "random.", "uuid.uuid", "date.today"))}


def test_the_graph_of_imports_is_the_plan():
    """The contracts themselves stand in pyproject.toml."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
