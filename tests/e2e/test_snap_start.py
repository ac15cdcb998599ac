"""With the parameter SnapStart on, detect, match and enrol come up through their hooks, and the journey is the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import NORTH, Person, Scene
from proviso.cli.demo.script import Demonstration
from proviso.domain.frame import Outcome
from proviso.local.cloud import local_cloud

pytestmark = [pytest.mark.integration]


def test_a_frame_goes_its_way_through_functions_that_were_restored(options: DemoOptions) -> None:
    given = cloud_options(options)
    given = replace(given, parameters={**given.parameters, "SnapStart": "on"})
    with local_cloud(given) as cloud:
        play = Demonstration(cloud, demo_policy(), options.models.manifest.demo_threshold, options.out)
        play.prepare()  # enrols too
        scene = Scene("restored", NORTH, "", (Person("hopper", 150, 420, 330),))
        (sent,) = play.cameras().run(NORTH, (scene,), float(play.policy.frame_age_limit_s))
        row = play.until(lambda: found if (found := play.row(sent.key)) and found.outcome is Outcome.SEARCHED else None, 60.0, "the search")
        assert row.counts.candidates == 1
        for name in ("DetectFunction", "MatchFunction", "EnrolFunction"):
            (worker,) = cloud.pool(name).workers
            assert worker.function.snap_start
            assert worker.runtime_api.snapshot_taken.is_set()
            assert worker.runtime_api.credentials_given > 0
        assert not cloud.pool("ReviewFunction").workers[0].function.snap_start
