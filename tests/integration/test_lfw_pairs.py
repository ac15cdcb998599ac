"""The default pack on LFW's labelled pairs, by the k-fold rule: at least 98.8 % as a mean over the folds."""

import os
import sys
from functools import partial

import pytest

from bench.lfw import report, verify
from bench.vision_scenes import SHARED, model_folders
from proviso.domain.errors import ConfigurationFault
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest
from proviso.vision.pipeline import load_pipeline

FACES = SHARED / "faces"


@pytest.mark.integration
def test_verification_accuracy_of_the_default_pack():
    if not (FACES / "labels" / "lfw_pairs.csv").is_file():
        pytest.skip("the LFW pictures are absent; they belong into ../shared/faces beside the checkout")
    folders = model_folders()
    try:
        find_files(load_manifest("mobilefacenet"), folders)
    except ConfigurationFault as absent:
        pytest.skip(str(absent))

    make = partial(load_pipeline, "mobilefacenet", folders=folders)
    result = verify(make, FACES, workers=min(2, os.cpu_count() or 1))

    sys.stdout.write(f"\n{report(result)}\n")
    assert len(result.folds) == 5
    assert result.without_face <= result.pictures // 100
    assert result.mean >= 0.988
