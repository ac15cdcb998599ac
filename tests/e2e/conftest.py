"""A local cloud with a running deployment, and people who act in it. Skips with a reason where models are absent."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from proviso.cli import places
from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.script import Demonstration
from proviso.cli.places import Models
from proviso.domain.errors import ConfigurationFault
from proviso.local.cloud import local_cloud

ROOT = Path(__file__).resolve().parents[2]


def models_or_skip(pack: str = "") -> Models:
    """The pack's files, never from the network; skip with the sentence that says what is missing."""
    try:
        return places.find_models(ROOT, pack=pack)
    except ConfigurationFault as missing:
        pytest.skip(str(missing))


@pytest.fixture
def models() -> Models:
    return models_or_skip()


@pytest.fixture
def options(tmp_path: Path, models: Models) -> DemoOptions:
    return DemoOptions(ROOT, tmp_path / "data", tmp_path / "out", models)


@pytest.fixture
def begin(options: DemoOptions) -> Iterator[Callable[[], Demonstration]]:
    """Call it for a local cloud with a deployment that is running."""
    with ExitStack() as running:

        def start() -> Demonstration:
            cloud = running.enter_context(local_cloud(cloud_options(options)))
            play = Demonstration(cloud, demo_policy(), options.models.manifest.demo_threshold, options.out)
            play.prepare()
            return play

        yield start
