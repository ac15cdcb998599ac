"""With the parameter SnapStart on, detect, match and enrol come up through their hooks, and the journey is the same."""

from dataclasses import replace

import pytest

from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import NORTH, Person, Scene
from proviso.cli.demo.script import Demonstration
from proviso.domain.frame import Outcome
from proviso.local.cloud import local_cloud

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def test_a_frame_goes_its_way_through_functions_that_were_restored(options: DemoOptions) -> None:
    given = cloud_options(options)
    with local_cloud(replace(given, parameters={**given.parameters, "SnapStart": "on"})) as cloud:
        play = Demonstration(cloud, demo_policy(), options.models.manifest.demo_threshold, options.out)
        play.prepare()  # a reference is enrolled on the way
        scene = Scene("restored", NORTH, "", (Person("hopper", 150, 420, 330),))
        sent = play.cameras().run(NORTH, (scene,), float(play.policy.frame_age_limit_s))
        row = play.outcomes(sent, 60.0)[sent[0].key]
        assert (row.outcome, row.counts.searched, row.counts.candidates) == (Outcome.SEARCHED, 1, 1)
        for name in ("DetectFunction", "MatchFunction", "EnrolFunction"):
            (worker,) = cloud.pool(name).workers
            assert worker.runtime_api.snapshot_taken.is_set(), name
            # There are no keys in its environment: it has them from the address, and asked after the restore only.
            assert worker.runtime_api.credentials_given > 0, name
        assert not cloud.pool("ReviewFunction").workers[0].runtime_api.snapshot_taken.is_set()
