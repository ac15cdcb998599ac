"""The one place where AWS errors become ours.

Everything that decides about frames hangs on the difference between "gone" and "I could not look" (design, rule 8):
a frame that is gone is done with, a frame that cannot be read is tried again. So exactly one answer means gone, the
key that is not there; a denial, a bucket that is not there, a time-out and all else are a fault of operation.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from proviso.domain.errors import StorageFault

_GONE = frozenset({"NoSuchKey"})
_UNMET = frozenset({"ConditionalCheckFailedException", "PreconditionFailed"})


class Gone(StorageFault):
    """The key is not there. Caught next to the call; where somebody forgets to, it still is a fault, never "done"."""


class Unmet(StorageFault):
    """The condition of a conditional write does not hold. Caught next to the call, like `Gone`."""


@contextmanager
def faults(operation: str, place: str) -> Iterator[None]:
    """Translate what the block's AWS call raises. `place` is a bucket/key, a table/key or a name: it is shown.

    Gone for a missing key, Unmet for a failed condition, StorageFault for all else. botocore's own errors may quote
    parameters, and parameters may be pictures or texts, so these are named and not chained.
    """
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "no status")
        kind = Gone if code in _GONE else Unmet if code in _UNMET else StorageFault
        raise kind(f"{operation} {place}: {code} ({status})") from error
    except (BotoCoreError, OSError) as error:
        raise StorageFault(f"{operation} {place}: {type(error).__name__}") from None
