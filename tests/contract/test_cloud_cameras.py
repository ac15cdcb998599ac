"""Contracts of the registry of cameras and of what signs their upload rights: against moto or botocore's signer, and
against the fake."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.credentials import Credentials

from proviso.cloud import clients
from proviso.cloud.cameras import DynamoCameras
from proviso.cloud.grants import S3UploadGrants, signing_credentials
from proviso.domain.camera import RegisteredCamera
from proviso.domain.errors import ConfigurationFault
from proviso.domain.frame import MAX_FRAME_BYTES
from tests.contract.conftest import Cloud
from tests.contract.samples import CAMERA, NOW
from tests.fakes.cloud import FakeCameras, FakeGrants

SECRET = "a-secret-key-for-the-tests-of-forty-letters"
UNTIL = NOW + timedelta(minutes=7)


def registered(camera: str = CAMERA, digest: str = "d" * 64) -> RegisteredCamera:
    return RegisteredCamera(camera, digest, "person-1", NOW)


@pytest.mark.parametrize("kind", ["fake", "dynamodb"])
class TestCameraRegistry:
    @pytest.fixture
    def registry(self, kind: str, cloud: Cloud) -> Any:
        if kind == "fake":
            return FakeCameras()
        return DynamoCameras(cloud.client("dynamodb"), cloud.cameras_table(), page=1)

    def test_the_digest_of_a_registered_camera_is_found_and_no_other(self, registry: Any) -> None:
        registry.put(registered())
        assert registry.key_digest(CAMERA) == "d" * 64
        assert registry.key_digest("other") is None

    def test_putting_again_replaces(self, registry: Any) -> None:
        registry.put(registered())
        registry.put(registered(digest="e" * 64))
        assert registry.key_digest(CAMERA) == "e" * 64
        assert len(registry.cameras()) == 1

    def test_what_is_removed_is_gone_and_was_there_once(self, registry: Any) -> None:
        registry.put(registered())
        assert registry.remove(CAMERA) is True
        assert registry.remove(CAMERA) is False
        assert registry.key_digest(CAMERA) is None
        assert registry.cameras() == []

    def test_lists_all_by_name_whole(self, registry: Any) -> None:
        for name in ("c", "a", "b"):
            registry.put(registered(name))
        assert registry.cameras() == [registered(name) for name in ("a", "b", "c")]


@pytest.mark.parametrize("kind", ["fake", "s3"])
class TestUploadGrants:
    @pytest.fixture
    def grants(self, kind: str, cloud: Cloud) -> Any:
        if kind == "fake":
            return FakeGrants()
        return S3UploadGrants(cloud.client("s3"), Credentials("AKIDEXAMPLE", SECRET), "frames")

    def test_a_grant_is_for_one_prefix_until_the_moment_that_was_said(self, grants: Any) -> None:
        made = grants.sign(CAMERA, NOW, UNTIL, 1)
        assert (made.key_prefix, made.expires_at) == (f"{CAMERA}/", UNTIL)
        assert made.url.startswith("https://")
        assert made.fields["Content-Type"] == "image/jpeg"

    def test_its_fields_are_not_shown(self, grants: Any) -> None:
        made = grants.sign(CAMERA, NOW, UNTIL, 2)
        for fields in (made.fields, made.burst_fields):
            assert fields["x-amz-signature"] not in repr(made)

    def test_a_form_for_bursts_comes_only_where_they_are_allowed(self, grants: Any) -> None:
        single, several = grants.sign(CAMERA, NOW, UNTIL, 1), grants.sign(CAMERA, NOW, UNTIL, 5)
        assert (single.burst_frames, single.burst_fields) == (1, None)
        assert several.burst_frames == 5
        assert several.burst_fields["Content-Type"] == "video/x-motion-jpeg"
        assert several.fields == single.fields
        assert set(several.burst_fields) == set(several.fields)


def signed(cloud: Cloud, token: str | None = None) -> tuple[Any, dict[str, Any]]:
    made = S3UploadGrants(cloud.client("s3"), Credentials("AKIDEXAMPLE", SECRET, token), "frames").sign(
        CAMERA, NOW, UNTIL, 1
    )
    return made, json.loads(base64.b64decode(made.fields["policy"]))


def test_the_policy_names_everything_that_the_form_holds_and_nothing_is_open_but_the_rest_of_the_key(
    cloud: Cloud,
) -> None:
    made, policy = signed(cloud)
    assert policy == {
        "expiration": "2026-11-22T20:22:30Z",
        "conditions": [
            {"bucket": "frames"},
            ["starts-with", "$key", f"{CAMERA}/"],
            ["content-length-range", 1, MAX_FRAME_BYTES],
            {"Content-Type": "image/jpeg"},
            {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
            {"x-amz-credential": "AKIDEXAMPLE/20261122/eu-west-2/s3/aws4_request"},
            {"x-amz-date": "20261122T201530Z"},
        ],
    }
    named = {name for condition in policy["conditions"] if isinstance(condition, dict) for name in condition}
    assert set(made.fields) - {"policy", "x-amz-signature"} == named - {"bucket"}
    assert SECRET not in json.dumps(dict(made.fields))


def test_a_role_s_token_is_in_the_form_and_in_the_policy(cloud: Cloud) -> None:
    made, policy = signed(cloud, token="session")
    assert made.fields["x-amz-security-token"] == "session"
    assert {"x-amz-security-token": "session"} in policy["conditions"]


def test_it_is_signed_as_botocore_s_own_presigner_signs(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same document through botocore's signer of forms, its clock held still, has the same signature."""
    import boto3
    import botocore.auth
    from botocore.awsrequest import AWSRequest

    made, policy = signed(cloud)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: NOW)
    client = boto3.client("s3", region_name="eu-west-2", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key=SECRET)
    request = AWSRequest(method="POST", url="https://frames.s3.amazonaws.com/")
    unsigned = [c for c in policy["conditions"] if not (isinstance(c, dict) and next(iter(c)).startswith("x-amz-"))]
    request.context["s3-presign-post-fields"] = fields = {}
    request.context["s3-presign-post-policy"] = {"expiration": policy["expiration"], "conditions": unsigned}
    client._request_signer.sign("PutObject", request, "eu-west-2", "presign-post")
    assert fields["policy"] == made.fields["policy"]
    assert fields["x-amz-signature"] == made.fields["x-amz-signature"]


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [("", "https://frames.s3.eu-west-2.amazonaws.com/"), ("http://127.0.0.1:9", "http://127.0.0.1:9/frames")],
)
def test_cameras_are_sent_to_the_bucket_s_own_region_or_to_the_local_front(
    endpoint: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3's global host answers with a redirect while a bucket is young, and a form is not posted twice."""
    monkeypatch.setattr(clients, "_made", {})
    for name, value in (("ACCESS_KEY_ID", "AKIDEXAMPLE"), ("SECRET_ACCESS_KEY", SECRET), ("ENDPOINT_URL_S3", endpoint)):
        monkeypatch.setenv(f"AWS_{name}", value)
    grants = S3UploadGrants(clients.client("s3", "eu-west-2"), signing_credentials(), "frames")
    assert grants.sign(CAMERA, NOW, UNTIL, 1).url == address


def test_without_credentials_it_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.session

    monkeypatch.setattr(botocore.session.Session, "get_credentials", lambda self: None)
    with pytest.raises(ConfigurationFault, match="no AWS credentials"):
        signing_credentials()
