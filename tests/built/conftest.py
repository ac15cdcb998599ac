"""A built tree for the tests of what is deployed, made once and brought up to date; skips where it cannot be made."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proviso.cli import places
from proviso.cli.demo.run import demo_policy
from proviso.cli.demo.script import PARAMETERS, Demonstration
from proviso.cli.places import Models
from proviso.domain.errors import ConfigurationFault
from proviso.local.cloud import LocalCloudOptions, local_cloud
from scripts import build, python313
from scripts.built_parts import ROOT, default_pack

NOT_PROVED = "not proved: {} here, so no function was run as it is deployed"


@pytest.fixture(scope="session")
def python() -> str:
    found = python313.find()
    if found is None:
        pytest.skip(NOT_PROVED.format("there is no Python 3.13"))
    return found


@pytest.fixture(scope="session")
def models() -> Models:
    try:
        return places.find_models(ROOT, pack=default_pack())
    except ConfigurationFault as missing:
        pytest.skip(NOT_PROVED.format(f"the model pack is not ({missing})"))


@pytest.fixture(scope="session")
def host(python: str, models: Models) -> Path:
    """out/built, as `make build-host` makes it."""
    build.tree(build.HOST, os.uname().machine, python, models.manifest.name, build.stand_in(), runtime=True)
    return build.HOST


@contextmanager
def cloud_of(tree: Path, tmp: Path, models: Models) -> Iterator[Demonstration]:
    """A local cloud whose functions run from a built tree, and the people of the demonstration before it.

    It is told of no folder of models: a function that finds its model finds it in its layer.
    """
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp), **places.database()}
    options = LocalCloudOptions(ROOT, tmp / "data", parameters=PARAMETERS, environment=environment, built=tree)
    with local_cloud(options) as cloud:
        yield Demonstration(cloud, demo_policy(), models.manifest.demo_threshold, tmp / "out")


def copy_of(tree: Path, target: Path) -> Path:
    """A copy that shares its files with the original: a file may be removed there, and none may be written to."""
    return Path(shutil.copytree(tree, target, copy_function=os.link, symlinks=True))
