"""S25: footage is not kept. There is no setting, no policy value and no resource by which a frame could be kept, and no
function may write one; and what is in the frames bucket past its age is overdue, and says so.
"""

import re
import tomllib
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from proviso import settings
from proviso.domain.people import Role
from proviso.domain.policy import Policy
from proviso.stages import holdings
from tests.safeguards.house import House
from tests.samples import frame_key, principal
from tests.template.conftest import Template, read

pytest_plugins = ["tests.databases"]

ROOT = Path(__file__).parents[2]
KEEPING = re.compile(r"footage|video|record_frames|keep_frames|frame_days|frame_hours|retain_frames", re.IGNORECASE)


@pytest.fixture(scope="module")
def template() -> Template:
    return read(ROOT / "template.yaml")


def test_no_policy_has_a_value_by_which_frames_are_kept() -> None:
    assert not [field.name for field in fields(Policy) if KEEPING.search(field.name)]
    files = list((ROOT / "layers/core/src/proviso/policies/files").glob("*.toml"))
    assert len(files) >= 4
    for path in files:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        assert not [name for name in map(str, _names(values)) if KEEPING.search(name)], path.name


def _names(values: object) -> list[str]:
    if isinstance(values, dict):
        return [name for key, value in values.items() for name in (key, *_names(value))]
    return [name for value in values for name in _names(value)] if isinstance(values, list) else []


def test_no_setting_keeps_a_frame_for_longer_than_an_hour() -> None:
    for name, kind in vars(settings).items():
        if isinstance(kind, type) and issubclass(kind, settings.Settings):
            assert not [field for field in kind.model_fields if KEEPING.search(field)], name
    with pytest.raises(Exception, match="FRAME_AGE_LIMIT_SECONDS"):
        settings.Sweep.read({"FRAME_AGE_LIMIT_SECONDS": "3601"})


def test_the_bucket_keeps_no_versions_no_copies_and_forgets(template: Template) -> None:
    bucket = template.resources["FramesBucket"]
    for name in ("VersioningConfiguration", "ReplicationConfiguration", "ObjectLockEnabled", "InventoryConfigurations"):
        assert name not in bucket["Properties"]
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule] == [1]
    assert not [rule for rule in rules if "Transitions" in rule]
    assert bucket["DeletionPolicy"] == "Delete"
    assert template.raw["Parameters"]["FrameAgeLimitSeconds"]["MaxValue"] <= 3600


def test_no_function_puts_an_object_where_frames_are_and_none_copies_one_elsewhere(template: Template) -> None:
    for function in template.of("AWS::Lambda::Function"):
        written = template.allowed(function, "s3:PutObject")
        reads = template.allowed(function, "s3:GetObject")
        if function == "GrantFunction":  # it signs a camera's upload, which takes the right to do it; it reads no frame
            assert not [place for place in reads if place.startswith("FramesBucket")]
            continue
        assert not [place for place in written if place.startswith("FramesBucket")], function
        if reads & {"FramesBucket/*"}:
            # Who reads frames writes evidence pictures (S15), notices and a mark for open pages, and nothing else.
            assert written <= {
                "EvidenceBucket/evidence/*",
                "OutboxBucket/notices/*/*-raised.json",
                "PermitsBucket/state/candidates.json",
            }, function


@pytest.mark.integration
def test_a_frame_past_its_age_is_overdue_and_says_so(house: House) -> None:
    house.frames.upload(frame_key(1), b"people 3", house.now() - timedelta(minutes=10))
    house.frames.upload(frame_key(2), b"people 3", house.now())

    def lines() -> list[tuple[int, bool]]:
        checked = holdings.check(
            principal=principal("a", Role.AUDITOR),
            purpose="a test",
            room=house.retain_room(),
            frames=house.frames,
            age_limit_s=120,
            give_up_at=house.now() + timedelta(seconds=20),
        )
        return [(one.count, one.overdue) for one in checked.holdings if one.store == "frames"]

    assert lines() == [(1, False), (1, True)]
    house.sweep()
    assert lines() == [(1, False)]
