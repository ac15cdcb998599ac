"""A database that wakes slowly: a gate on a TCP port in front of a real PostgreSQL, like a cluster that resumes.

The first contact wakes it, and it takes `wakes_after_s` from then on. Until then it does one of two things:

    silent      the connection is taken and held without a word, and goes through once the database is awake
    refused     the first connection is broken off, and every further one is refused at once

Contacts are counted, whatever became of them: each would have woken a cluster that sleeps, or kept it awake.
"""

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

Way = Literal["silent", "refused"]


class WakingDatabase:
    """Use as a context: it listens on 127.0.0.1 at `port` and passes on to the server of `target_url`."""

    def __init__(self, target_url: str, wakes_after_s: float, way: Way = "silent") -> None:
        folder = parse_qs(urlsplit(target_url).query)["host"][0]
        self._target = str(Path(unquote(folder)) / ".s.PGSQL.5432")
        self._database = urlsplit(target_url).path.lstrip("/")
        self.wakes_after_s = wakes_after_s
        self.way: Way = way
        self.contacts: list[float] = []
        self._awake_at: float | None = None
        self._ended = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()
        self._drop()

    def url(self, role: str) -> str:
        """Where this login role connects; the server trusts it."""
        name = role if role == "postgres" else f"proviso_{role}"
        return f"postgresql://{name}@127.0.0.1:{self.port}/{self._database}?sslmode=disable"

    @property
    def awake(self) -> bool:
        return self._awake_at is not None and time.monotonic() >= self._awake_at

    def sleep(self) -> None:
        """Sleep again: what is open is closed, and the next contact starts the time anew."""
        self._awake_at = None
        self._drop()

    def _drop(self) -> None:
        held, self._open = self._open, []
        for one in held:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        return listener

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.contacts.append(time.monotonic())
            if self._awake_at is None:
                self._awake_at = time.monotonic() + self.wakes_after_s
            if self.awake or self.way == "silent":
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()
                continue
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            self._listener.close()  # refused from here on
            if self._ended.wait(max(0.0, self._awake_at - time.monotonic())):
                return
            self._listener = self._listen(self.port)

    def _pass(self, client: socket.socket) -> None:
        self._open.append(client)
        if self._awake_at is not None and self._ended.wait(max(0.0, self._awake_at - time.monotonic())):
            return
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._target)
        except OSError:
            client.close()
            return
        self._open.append(server)
        threading.Thread(target=_copy, args=(server, client), daemon=True).start()
        _copy(client, server)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
