"""The client of the HTTP API against a small real server: sentences, waiting for the database, pictures."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from proviso.cli.api import Api, ApiFault, quoted

Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers what it is told to, in turn, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                server.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
                status, headers, body = server.answers.pop(0)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                return

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def says(self, status: int, values: Any, **headers: str) -> None:
        self.answers.append((status, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(values).encode()))


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()
    running.thread.join(5)


def test_a_question_carries_the_token_and_json(server: Server) -> None:
    server.says(201, {"id": "w"})
    assert Api(server.url, "tok").post("/watchlists", {"name": "a"}) == {"id": "w"}
    method, path, headers, body = server.asked[0]
    assert (method, path, json.loads(body)) == ("POST", "/watchlists", {"name": "a"})
    assert headers["Authorization"] == "Bearer tok"
    assert headers["Content-Type"] == "application/json"


def test_pictures_go_and_come_as_bytes(server: Server) -> None:
    server.says(201, {"id": "r"})
    server.answers.append((200, {"Content-Type": "image/jpeg"}, b"\xff\xd8picture"))
    api = Api(server.url, "tok")
    api.post_picture("/references", b"\xff\xd8jpeg")
    assert server.asked[0][2]["Content-Type"] == "image/jpeg"
    assert server.asked[0][3] == b"\xff\xd8jpeg"
    assert api.picture("/evidence") == b"\xff\xd8picture"


def test_a_refusal_is_the_servers_sentence_with_its_reason(server: Server) -> None:
    server.says(403, {"reason": "same_person", "message": "another person must do this"})
    with pytest.raises(ApiFault, match="another person must do this") as raised:
        Api(server.url, "tok").post("/deployments/1/authorise")
    assert (raised.value.status, raised.value.reason) == (403, "same_person")


@pytest.mark.parametrize(("status", "sentence"), [(401, "sign in first"), (500, "answered with 500")])
def test_an_answer_without_a_sentence_still_gets_one(server: Server, status: int, sentence: str) -> None:
    server.answers.append((status, {}, b"<html>"))
    with pytest.raises(ApiFault, match=sentence):
        Api(server.url).get("/people")


def test_it_waits_for_a_database_that_wakes_and_says_so(server: Server) -> None:
    for _ in range(2):
        server.says(503, {"reason": "database_away"}, Retry_After="5")
    server.says(200, {"people": []})
    slept: list[float] = []
    told: list[str] = []
    api = Api(server.url, "tok", sleep=slept.append, notify=told.append)
    assert api.get("/people") == {"people": []}
    assert slept == [5.0, 5.0]
    assert "waking" in told[0]


def test_its_patience_ends(server: Server) -> None:
    for _ in range(9):
        server.says(503, {"reason": "database_away", "message": "the database is away"}, Retry_After="5")
    slept: list[float] = []
    with pytest.raises(ApiFault, match="the database is away"):
        Api(server.url, "tok", patience_s=12, sleep=slept.append).get("/people")
    assert slept == [5.0, 5.0]


def test_an_address_where_nobody_is_or_that_is_none_is_told_in_a_sentence() -> None:
    with pytest.raises(ApiFault, match="cannot be reached"):
        Api("http://127.0.0.1:1").get("/people")
    with pytest.raises(ApiFault, match="not the address of an API"):
        Api("file:///etc/passwd").get("")


def test_an_answer_that_is_not_json_is_told_in_a_sentence(server: Server) -> None:
    server.answers.append((200, {}, b"<html>hello</html>"))
    with pytest.raises(ApiFault, match="not answered in JSON"):
        Api(server.url).get("/people")


def test_the_token_is_not_in_its_repr_and_parts_of_paths_are_quoted() -> None:
    assert "secret" not in repr(Api("http://x", "secret"))
    assert quoted("../people?x") == "..%2Fpeople%3Fx"
