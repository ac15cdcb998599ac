"""The local cloud's database: the embedded PostgreSQL, or the one of DATABASE_URL."""

import contextlib
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from proviso.local import postgres


class Database:
    """The embedded PostgreSQL, started beside the rest, or the one that was given."""

    def __init__(self, given: str | None, data: Path | None) -> None:
        self._given = given
        self._context = contextlib.ExitStack()
        self._starting: Future[str] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="postgres")
        if data is not None:
            self._starting = self._pool.submit(self._start, data / f"postgres-{os.getpid()}")

    def _start(self, folder: Path) -> str:
        # moto's state ends with the process, so what the database knows of it must end too. A folder each, because
        # `proviso invoke` may run twice at the same time; what a killed process left is swept here.
        for left in folder.parent.glob("postgres-*"):
            if not Path(f"/proc/{left.name.removeprefix('postgres-').removesuffix('.log')}").exists():
                shutil.rmtree(left, ignore_errors=True)
                left.with_suffix(".log").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        url = self._context.enter_context(postgres.embedded_postgres(folder))
        self._context.callback(folder.with_suffix(".log").unlink, True)
        self._context.callback(shutil.rmtree, folder, True)
        return url

    def url(self) -> str:
        return self._given if self._given is not None else self._starting.result() if self._starting else ""

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._context.close()
