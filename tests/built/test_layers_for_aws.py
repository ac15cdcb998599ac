"""The layers as they are deployed, for arm64, made by their Makefiles: whole, within the limit, nothing forbidden.

They cannot be run on another machine; what is run are the same layers for this one (test_functions_as_built).
"""

import pytest

from scripts import build, built_sizes, check_build
from scripts.built_parts import ROOT, architecture, default_pack, functions
from scripts.check_build import LIMIT_MB, MB, Build

pytestmark = [pytest.mark.integration, pytest.mark.timeout(280)]
ARM = ROOT / "out/arm64"


@pytest.fixture(scope="module")
def layers(python: str, models: object) -> Build:
    build.tree(ARM, architecture(), python, default_pack(), build.stand_in(), runtime=False)
    return Build(ARM, tuple(functions()), architecture(), proof=True)


def test_nothing_is_wrong_with_what_would_be_deployed(layers: Build) -> None:
    assert check_build.faults(layers) == []
    totals = check_build.totals(layers)
    assert max(totals.values()) <= LIMIT_MB * MB, built_sizes.table(layers, zipped=False)
    assert min(totals[name] for name in ("DetectFunction", "MatchFunction", "EnrolFunction")) > 100 * MB


def test_it_would_not_be_deployed_with_a_stand_in_for_the_certificates(layers: Build) -> None:
    (fault,) = check_build.faults(Build(layers.folder, layers.functions, layers.architecture))
    assert "stand-in" in fault


def test_the_licences_of_everything_that_is_shipped_are_listed(layers: Build) -> None:
    core = (ARM / "CoreLayer/licences/CoreLayer.md").read_text("utf-8")
    for name in ("proviso: Apache-2.0", "psycopg 3", "LGPL-3.0-only", "cryptography 50", "libpq-"):
        assert name in core
    vision = (ARM / "VisionLayer/licences/VisionLayer.md").read_text("utf-8")
    for name in ("onnxruntime/ThirdPartyNotices.txt", "cv2/LICENSE-3RD-PARTY.txt", "libavcodec"):
        assert name in vision
    models = (ARM / "ModelsLayer/licences/ModelsLayer.md").read_text("utf-8")
    for name in ("Weights: Apache-2.0", "MS-Celeb-1M was withdrawn", "Cleared for operational use: unknown"):
        assert name in models
    for line in (core + vision).splitlines():
        if line.startswith("  python/"):
            layer = ARM / ("CoreLayer" if line in core.splitlines() else "VisionLayer")
            assert (layer / line.strip()).is_file(), line


def test_building_again_makes_nothing_anew(layers: Build, python: str) -> None:
    before = (ARM / "build.json").read_bytes()
    again = build.tree(ARM, architecture(), python, default_pack(), build.stand_in(), runtime=False)
    assert again == []
    assert (ARM / "build.json").read_bytes() == before
