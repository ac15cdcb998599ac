"""Model files: the order of places, and that a wrong file is refused with both hashes named."""

import hashlib
import http.client
import io
import sys
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.vision.locate import find_file, find_files, read_file
from proviso.vision.pack import PackFile, load_manifest

CONTENT = b"a model, as it were" * 1000
SHA = hashlib.sha256(CONTENT).hexdigest()
FILE = PackFile("embedder", "model.onnx", SHA, len(CONTENT), ("https://models.invalid/model.onnx",), False, "", "")
MANIFEST = replace(load_manifest("mobilefacenet"), files=(FILE,))


@pytest.fixture
def network(monkeypatch):
    """Stands where urlopen is. What it answers is set by the test; it keeps the addresses asked for."""

    class Network:
        def __init__(self):
            self.answer = CONTENT
            self.asked = []

        def __call__(self, url, timeout):
            self.asked.append((url, timeout))
            if isinstance(self.answer, Exception):
                raise self.answer
            return io.BytesIO(self.answer)

    network = Network()
    monkeypatch.setattr(urllib.request, "urlopen", network)
    return network


def put(folder, content=CONTENT):
    folder.mkdir(exist_ok=True)
    (folder / FILE.name).write_bytes(content)
    return folder


def test_the_first_folder_that_has_it_answers(tmp_path, network):
    first, second = tmp_path / "absent", put(tmp_path / "second")
    third = put(tmp_path / "third")
    assert find_files(MANIFEST, [first, second, third], cache=tmp_path, download=True) == {
        "embedder": second / "model.onnx"
    }
    assert network.asked == []


def test_the_cache_answers_before_the_network(tmp_path, network):
    cache = put(tmp_path / "cache")
    assert find_files(MANIFEST, [tmp_path / "absent"], cache=cache, download=True)["embedder"] == cache / FILE.name
    assert network.asked == []


@pytest.mark.parametrize("find", [lambda m, f: find_files(m, f), lambda m, f: find_file(m, "embedder", f)])
def test_a_wrong_hash_is_refused_with_both_hashes_named(tmp_path, find):
    wrong = put(tmp_path / "models", b"something else")
    with pytest.raises(ConfigurationFault) as refused:
        find(MANIFEST, [wrong])
    assert SHA in str(refused.value)
    assert hashlib.sha256(b"something else").hexdigest() in str(refused.value)


def test_bytes_are_hashed_as_read(tmp_path):
    assert read_file(MANIFEST, "embedder", [put(tmp_path / "good")]) == CONTENT
    with pytest.raises(ConfigurationFault, match=SHA):
        read_file(MANIFEST, "embedder", [put(tmp_path / "bad", CONTENT + b"x")])


def test_where_nobody_has_it_one_line_says_so(tmp_path, network):
    network.answer = urllib.error.URLError("no route")
    with pytest.raises(ConfigurationFault) as missing:
        find_files(MANIFEST, [tmp_path / "a"], cache=tmp_path / "cache", download=True)
    line = str(missing.value)
    assert "\n" not in line
    assert "model.onnx" in line
    assert "the network" in line
    assert "PROVISO_MODELS" in line


def test_without_leave_the_network_is_not_asked(tmp_path, network):
    with pytest.raises(ConfigurationFault, match="not found"):
        find_files(MANIFEST, [], cache=tmp_path, download=False)
    assert network.asked == []


def test_a_download_is_verified_reported_and_kept(tmp_path, network):
    seen = []
    found = find_files(
        MANIFEST, [], cache=tmp_path / "cache", download=True, timeout_s=3.0, progress=lambda *step: seen.append(step)
    )
    assert found["embedder"].read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [FILE.name]
    assert network.asked == [(FILE.urls[0], 3.0)]
    assert seen[-1] == (FILE.name, len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("answer", [b"<html>not found</html>", CONTENT + b"x", CONTENT[:-1]])
def test_a_download_of_something_else_is_refused_and_not_kept(tmp_path, network, answer):
    network.answer = answer
    with pytest.raises(ConfigurationFault, match=SHA):
        find_files(MANIFEST, [], cache=tmp_path / "cache", download=True)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    "fault", [TimeoutError(), ConnectionResetError(), http.client.IncompleteRead(b""), urllib.error.URLError("x")]
)
def test_a_network_that_fails_leaves_nothing_behind(tmp_path, network, fault):
    network.answer = fault
    with pytest.raises(ConfigurationFault, match="not found"):
        find_files(MANIFEST, [], cache=tmp_path / "cache", download=True)
    assert list(tmp_path.rglob("*model*")) == []


def test_only_https_is_asked(tmp_path, network):
    plain = replace(MANIFEST, files=(replace(FILE, urls=("http://models.invalid/m", "file:///etc/passwd")),))
    with pytest.raises(ConfigurationFault, match="not found"):
        find_files(plain, [], cache=tmp_path, download=True)
    assert network.asked == []


def test_a_package_is_located_and_never_imported(tmp_path, monkeypatch):
    package = tmp_path / "carrier_of_models"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "models" / "m.dat").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    carried = replace(FILE, urls=(), package="carrier_of_models", package_path="models/m.dat")
    found = find_files(replace(MANIFEST, files=(carried,)), [])
    assert found["embedder"] == package / "models" / "m.dat"
    assert "carrier_of_models" not in sys.modules


def test_a_missing_package_is_named_with_the_remedy():
    absent = replace(FILE, urls=(), package="no_such_package_here", package_path="m.dat")
    with pytest.raises(ConfigurationFault, match=r"the package no_such_package_here.*install the extra `dlib`"):
        find_files(replace(MANIFEST, files=(absent,)), [])
