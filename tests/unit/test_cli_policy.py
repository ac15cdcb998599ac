"""`proviso policy`: list, show, check, diff; in this process, with a sentence where something does not hold."""

import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from proviso.cli import output, policy
from proviso.cli.main import app
from proviso.domain.tightness import ORDERS, Order
from proviso.policies import shipped

ROOT = Path(__file__).resolve().parents[2]
runner = CliRunner()
LOCAL = """
name = "short"
version = "2026.12.1"
extends = "uk-police"
purpose = "As uk-police, but shorter."

[values]
max_duration_minutes = { value = 240, source = "Our policy document, section 5." }
"""
LOOSER = LOCAL.replace("value = 240", "value = 600")


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "short.toml").write_text(LOCAL)
    return tmp_path


def run(*command):
    return runner.invoke(app, ["policy", *map(str, command)])


def plain(text):
    return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text))


def test_the_list_names_what_ships_and_what_is_local(folder):
    (folder / "broken.toml").write_text("name = ")
    result = run("list", "--folder", folder)
    assert result.exit_code == 0
    for name in (*shipped(), "short", "broken"):
        assert f"{name} " in plain(result.output)
    assert "uk-police 2026.11.3, tightened" in plain(result.output)
    assert "does not hold" in plain(result.output)
    assert "demo 2026.11.3 for the local cloud alone" in plain(result.output)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_policy_is_shown_value_by_value_with_sources(name):
    result = run("show", name)
    assert result.exit_code == 0
    for field, order in ORDERS.items():
        if order is not Order.NAMES:
            assert f"{field} " in result.output
    assert f"{name} 2026.11.3" in result.output
    assert "24 hours" in plain(result.output)  # a source


def test_the_file_of_a_shipped_policy_can_be_checked():
    result = run("check", ROOT / "layers/core/src/proviso/policies/files/uk-police.toml")
    assert result.exit_code == 0, result.output
    assert ": holds" in result.output


def test_a_copy_of_a_shipped_policy_that_was_changed_does_not_hold(tmp_path):
    text = (ROOT / "layers/core/src/proviso/policies/files/uk-police.toml").read_text()
    (tmp_path / "uk-police.toml").write_text(text.replace("10000", "20000"))
    result = run("check", tmp_path / "uk-police.toml")
    assert result.exit_code == 1
    assert "extends: is missing" in plain(result.output)


def test_a_policy_that_tightens_holds_and_says_what_is_its_own(folder):
    result = run("check", folder / "short.toml")
    assert result.exit_code == 0
    assert "short 2026.12.1 (uk-police 2026.11.3, tightened)" in result.output
    assert "differences: none" in result.output
    assert "max_duration_minutes (its own) 240" in plain(result.output)
    assert "Our policy document, section 5." in result.output
    assert "superintendent" in result.output  # and what it took over


def test_a_looser_one_holds_but_is_not_what_it_extends(folder):
    (folder / "short.toml").write_text(LOOSER)
    result = run("check", folder / "short.toml")
    assert result.exit_code == 0
    assert "NOT uk-police 2026.11.3: 1 difference" in result.output
    assert "max_duration_minutes: 600 here, 480 in uk-police 2026.11.3 (looser)" in plain(result.output)


def test_every_fault_is_named_and_the_code_is_1(folder):
    broken = LOCAL.replace('"2026.12.1"', '"new"') + 'mx_entries = { value = 1, source = "Ours, section 4." }'
    (folder / "short.toml").write_text(broken)
    result = run("check", folder / "short.toml")
    assert result.exit_code == 1
    assert "version: is not of the form" in plain(result.output)
    assert "values.mx_entries: is not known here" in plain(result.output)
    assert "2 faults" in plain(result.output)


def test_there_is_no_such_file(tmp_path):
    result = run("check", tmp_path / "none.toml")
    assert result.exit_code == 1
    assert "cannot be read" in plain(result.output)


def test_two_policies_stand_side_by_side(folder):
    entries = 'max_entries = { value = 5, source = "Ours, section 4." }'
    (folder / "short.toml").write_text(LOOSER + entries)
    by_name = run("diff", "uk-police", "short", "--folder", folder)
    by_file = run("diff", "uk-police", folder / "short.toml")
    for result in (by_name, by_file):
        assert result.exit_code == 0
        assert "max_entries 10000 5 tighter" in plain(result.output)
        assert "max_duration_minutes 480 600 looser" in plain(result.output)
        assert "31 same, 1 tighter, 1 looser, 0 differs" in plain(result.output)


def test_a_policy_does_not_differ_from_itself():
    assert "33 same, 0 tighter, 0 looser, 0 differs" in plain(run("diff", "eu", "eu").output)


@pytest.mark.parametrize("width", [80, 120])
def test_in_a_narrow_window_no_word_is_broken(monkeypatch, width):
    recorded = Console(width=width, record=True, highlight=False)
    monkeypatch.setattr(output, "console", recorded)
    monkeypatch.setattr(policy, "console", recorded)
    assert run("diff", "uk-police", "eu").exit_code == 0
    shown = recorded.export_text()
    assert max(map(len, shown.splitlines())) <= width
    assert "targeted_search_for_victims_and_missing_persons" in shown
    assert "deputy_assistant_commissioner" in shown


@pytest.mark.parametrize("command", [("show", "nonsense"), ("diff", "eu", "nonsense"), ("list", "--folder", "nowhere")])
def test_what_is_not_there_is_said_so(command):
    result = run(*command)
    assert result.exit_code == 1
    assert "there is no" in plain(result.output)
