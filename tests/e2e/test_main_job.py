"""The main job from end to end, as `proviso demo` plays it, with the default pack and with the dlib pack."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from proviso.cli.demo.run import DemoOptions, run_demo
from tests.e2e.conftest import models_or_skip

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def play(options: DemoOptions) -> str:
    """Run it; everything that it says. Fails with that text when anything did not hold."""
    said = io.StringIO()
    code = run_demo(options, Console(file=said, width=160, force_terminal=False))
    text = said.getvalue()
    assert code == 0, text
    return text


def test_a_listed_person_is_found_reviewed_and_told_and_nobody_else(options: DemoOptions) -> None:
    text = play(options)
    for outcome in ("searched: candidate", "searched: none", "no_face", "refused: no_permit", "stale", "unreadable"):
        assert outcome in text
    assert "Possible match, checked by a reviewer; not proof of identity: verify first." in text
    assert text.count("SMS to") == 2
    assert text.count("E-mail to") == 2
    for written in ("evidence-*.jpg", "reference-*.jpg", "frames.png"):
        assert len(list(options.out.glob(written))) == 1, written
    assert "Grace Hopper" not in text  # the label is for the watchlist officer alone (S20)


def test_it_goes_on_with_the_dlib_pack_where_the_default_pack_is_not_to_be_had(options: DemoOptions) -> None:
    text = play(replace(options, models=models_or_skip("dlib")))
    assert "model pack dlib" in text
