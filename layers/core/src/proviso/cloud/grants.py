"""Upload rights for cameras: a POST policy, signed by the function's own role (S35).

botocore's presigner would take the expiry from its own clock and count in whole seconds from there. Here the end of a
right is the end of a permit, so the policy document is made from the moment that the stage decided on, and botocore's
signer signs it. A form may be posted only with what the policy names: S3 refuses every further field.

A policy can hold a media type to one value or to a beginning, and to nothing in between. So bursts have a form of their
own, with their one type; a beginning that fits both types would fit others as well.
"""

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from proviso.cloud.clients import session
from proviso.cloud.faults import faults
from proviso.domain.camera import BURST_TYPE, FRAME_TYPE, UploadGrant
from proviso.domain.errors import ConfigurationFault
from proviso.domain.frame import MAX_FRAME_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ALGORITHM = "AWS4-HMAC-SHA256"


class S3UploadGrants:
    """UploadGrants on a bucket. `credentials` are botocore's, those of the function's role."""

    def __init__(self, client: "S3Client", credentials: Any, bucket: str) -> None:
        self._client = client
        self._credentials = credentials
        self._bucket = bucket

    def sign(self, camera: str, now: datetime, expires_at: datetime, burst_frames: int) -> UploadGrant:
        prefix = f"{camera}/"
        return UploadGrant(
            self._address(),
            self._form(FRAME_TYPE, prefix, now, expires_at),
            prefix,
            expires_at,
            burst_frames,
            self._form(BURST_TYPE, prefix, now, expires_at) if burst_frames > 1 else None,
        )

    def _form(self, media_type: str, prefix: str, now: datetime, expires_at: datetime) -> dict[str, str]:
        """The signed fields of a form for one media type."""
        from botocore.auth import S3SigV4PostAuth
        from botocore.awsrequest import AWSRequest

        frozen = self._credentials.get_frozen_credentials()
        signer = S3SigV4PostAuth(frozen, "s3", self._client.meta.region_name)
        request = AWSRequest()
        request.context["timestamp"] = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        fields = {
            "Content-Type": media_type,
            "x-amz-algorithm": _ALGORITHM,
            "x-amz-credential": signer.scope(request),
            "x-amz-date": request.context["timestamp"],
        }
        if frozen.token:
            fields["x-amz-security-token"] = frozen.token
        policy = {
            "expiration": expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "conditions": [
                {"bucket": self._bucket},
                ["starts-with", "$key", prefix],
                ["content-length-range", 1, MAX_FRAME_BYTES],
                *({name: value} for name, value in fields.items()),
            ],
        }
        fields["policy"] = base64.b64encode(json.dumps(policy).encode()).decode("ascii")
        fields["x-amz-signature"] = signer.signature(fields["policy"], request)
        return fields

    def _address(self) -> str:
        """Where the bucket takes forms, as botocore finds its endpoint (AWS_ENDPOINT_URL_S3 and its kin)."""
        with faults("s3:presign", self._bucket):
            return str(self._client.generate_presigned_post(Bucket=self._bucket, Key="none", ExpiresIn=1)["url"])


def signing_credentials() -> Any:
    """The process's credentials. ConfigurationFault when there are none."""
    found = session().get_credentials()
    if found is None:
        raise ConfigurationFault("grant has no AWS credentials to sign with; give its function a role")
    return found
