# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import base64
import json
import platform
import socket
import sys
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import Inputs, Reference, make_context
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_delivery import Target, check_existing, provide
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import Engine
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_registry import (
    Registry,
    RegistryUnreachable,
    RemoteImage,
    docker_credentials,
    logged_in,
    merged_config,
)

DIGEST = f"sha256:{'d' * 64}"
MANIFEST = {"config": {"digest": "sha256:c", "size": 100}, "layers": [{"size": 1000}, {"size": 2000}]}
CONFIG = {"config": {"Labels": {"io.daskops.version.dask": "2026.8.0"}}}
if t.TYPE_CHECKING:
    from pathlib import Path

Answer = tuple[int, dict[str, str], t.Any]


class Fake:
    """A registry that answers from a table and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, t.Callable[[t.Mapping[str, str]], Answer]] = {}
        self.asked: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.asked.append(self.path)
                answer = fake.answers.get(self.path)
                status, headers, body = answer(dict(self.headers)) if answer else (404, {}, {})
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(data))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_port}"

    def serve(self, path: str, body: t.Any, status: int = 200, **headers: str) -> None:
        """Answer a path always the same."""
        self.answers[path] = lambda _: (
            status,
            {name.replace("_", "-"): value for name, value in headers.items()},
            body,
        )


@pytest.fixture
def fake() -> t.Iterator[Fake]:
    """A registry on this machine."""
    registry = Fake()
    yield registry
    registry.server.shutdown()
    registry.server.server_close()


def find(fake: Fake, reference: str = "a/b:1", credentials: tuple[str, str] | None = None) -> RemoteImage | None:
    return Registry(fake.host, lambda _: credentials, timeout=2).find(Reference.parse(f"{fake.host}/{reference}"))


def test_an_image_is_found_with_its_digest_labels_and_size(fake: Fake) -> None:
    fake.serve("/v2/a/b/manifests/1", MANIFEST, Docker_Content_Digest="sha256:d")
    fake.serve("/v2/a/b/blobs/sha256:c", CONFIG)
    assert find(fake) == RemoteImage("sha256:d", 3100, {"io.daskops.version.dask": "2026.8.0"})


def test_an_image_that_is_not_there_is_none(fake: Fake) -> None:
    assert find(fake) is None


def test_an_index_leads_to_this_machine_s_image_and_keeps_its_own_digest(fake: Fake) -> None:
    ours = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    manifests = [
        {"digest": "sha256:other", "platform": {"os": "linux", "architecture": "s390x"}},
        {"digest": "sha256:ours", "platform": {"os": "linux", "architecture": ours}},
    ]
    fake.serve("/v2/a/b/manifests/1", {"manifests": manifests}, Docker_Content_Digest="sha256:index")
    fake.serve("/v2/a/b/manifests/sha256:ours", MANIFEST)
    fake.serve("/v2/a/b/blobs/sha256:c", CONFIG)
    found = find(fake)
    assert found is not None
    assert (found.digest, found.size_bytes) == ("sha256:index", 3100)


def test_a_token_is_fetched_with_the_credentials(fake: Fake) -> None:
    challenge = f'Bearer realm="http://{fake.host}/token",service="s",scope="x"'
    basic = f"Basic {base64.b64encode(b'user:secret').decode()}"

    def guarded(headers: t.Mapping[str, str]) -> Answer:
        if headers.get("Authorization") == "Bearer t":
            return 200, {"Docker-Content-Digest": "sha256:d"}, MANIFEST
        return 401, {"WWW-Authenticate": challenge}, {}

    def token(headers: t.Mapping[str, str]) -> Answer:
        return (200, {}, {"token": "t"}) if headers.get("Authorization") == basic else (401, {}, {})

    fake.answers["/v2/a/b/manifests/1"] = guarded
    fake.answers["/token?service=s&scope=repository%3Aa%2Fb%3Apull"] = token
    fake.serve("/v2/a/b/blobs/sha256:c", CONFIG)
    found = find(fake, credentials=("user", "secret"))
    assert found is not None
    assert found.digest == "sha256:d"
    with pytest.raises(DaskopsError, match=r"refuses access to 'a/b' without credentials \(HTTP 401\): log in with"):
        find(fake)


@pytest.mark.parametrize(("status", "credentials", "known"), [(401, None, "without"), (403, ("u", "p"), "with the")])
def test_a_registry_that_refuses_is_one_sentence(
    fake: Fake, status: int, credentials: tuple[str, str] | None, known: str
) -> None:
    fake.serve("/v2/a/b/manifests/1", {}, status, WWW_Authenticate='Basic realm="r"')
    with pytest.raises(DaskopsError, match=rf"refuses access to 'a/b' {known} .*docker login {fake.host}"):
        find(fake, credentials=credentials)


def test_an_image_that_only_the_target_may_pull_is_taken_by_its_digest(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pods have a pull secret, which who deploys need not have."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for version in ("1", DIGEST):
        fake.serve(f"/v2/a/b/manifests/{version}", {}, 401, WWW_Authenticate='Basic realm="r"')
    engine = Engine("/nowhere/docker")
    found = check_existing(f"{fake.host}/a/b@{DIGEST}", Target("none"), engine, check=False)
    assert found.reference == f"{fake.host}/a/b@{DIGEST}"
    assert "refuses access to 'a/b' without credentials" in found.warnings[0]
    assert "the image's versions are read when it runs" in found.warnings[0]
    with pytest.raises(DaskopsError, match=r"or give its digest .* when only the target is let in"):
        check_existing(f"{fake.host}/a/b:1", Target("none"), engine, check=False)


def test_a_registry_that_breaks_is_one_sentence(fake: Fake) -> None:
    fake.serve("/v2/a/b/manifests/1", {}, 500)
    with pytest.raises(DaskopsError, match="HTTP 500"):
        find(fake)


def test_what_is_no_registry_is_said(fake: Fake) -> None:
    fake.serve("/v2/a/b/manifests/1", b"<html>")
    with pytest.raises(RegistryUnreachable, match="is no image registry"):
        find(fake)


def test_a_registry_that_is_not_there_is_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(RegistryUnreachable, match=rf"registry {host} does not answer \(Connection refused\): start it"):
        Registry(host, lambda _: None).find(Reference(host, "a", "1"))


def test_a_name_that_does_not_resolve_is_one_sentence() -> None:
    with pytest.raises(RegistryUnreachable, match=r"registry registry\.invalid does not answer \(.+\)"):
        Registry("registry.invalid", lambda _: None).find(Reference("registry.invalid", "a", "1"))


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[t.Any], None]:
    """Write Docker's configuration."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def write(config: t.Any) -> None:
        (tmp_path / "config.json").write_text(json.dumps(config))

    return write


def test_credentials_are_docker_s(configure: t.Callable[[t.Any], None]) -> None:
    encoded = base64.b64encode(b"user:a:b").decode()
    configure({"auths": {"r.example": {"auth": encoded}, "https://index.docker.io/v1/": {"auth": encoded}}})
    credentials = docker_credentials(lambda _command, _stdin: None)
    assert credentials("r.example") == ("user", "a:b")
    assert credentials("docker.io") == ("user", "a:b")
    assert credentials("other.example") is None


def test_a_credential_helper_is_asked(configure: t.Callable[[t.Any], None]) -> None:
    asked: list[tuple[list[str], str]] = []

    def run(command: list[str], stdin: str) -> str:
        asked.append((command, stdin))
        return json.dumps({"Username": "_token", "Secret": "s"})

    configure({"credHelpers": {"r.example": "gcloud"}})
    assert docker_credentials(run)("r.example") == ("_token", "s")
    assert asked == [(["docker-credential-gcloud", "get"], "r.example")]


def test_without_a_configuration_there_are_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nowhere"))
    assert docker_credentials(lambda _command, _stdin: None)("r.example") is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {}),
        ({"auths": {"r.example.com": {"auth": "eDp5"}}, "currentContext": "far"}, {"currentContext": "far"}),
        ({"credHelpers": {"r.example.com": "gcloud"}}, {}),
        (
            {"credHelpers": {"r.example.com": "a", "other.example.com": "b"}},
            {"credHelpers": {"other.example.com": "b"}},
        ),
    ],
)
def test_given_credentials_go_before_the_user_s(config: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    entry = {"r.example.com": {"auth": "dTpw"}}
    assert merged_config(config, "r.example.com", ("u", "p")) == {"auths": entry, **expected}


def test_what_is_in_a_store_is_still_found_there() -> None:
    config = {"credsStore": "pass", "auths": {"r.example.com": {}, "other.example.com": {}}}
    merged = merged_config(config, "r.example.com", ("u", "p"))
    assert merged["credHelpers"] == {"other.example.com": "pass"}
    assert "credsStore" not in merged
    assert merged["auths"]["r.example.com"] == {"auth": "dTpw"}


def test_docker_hub_has_a_name_of_its_own() -> None:
    assert list(merged_config({}, "docker.io", ("u", "p"))["auths"]) == ["https://index.docker.io/v1/"]


def test_without_credentials_the_environment_is_the_user_s() -> None:
    with logged_in("r.example.com", None) as environment:
        assert environment == {}


def test_given_credentials_that_are_refused_are_one_sentence(fake: Fake) -> None:
    fake.serve("/v2/a/b/manifests/1", {}, 401, WWW_Authenticate='Basic realm="x"')
    registry = Registry(fake.host, lambda _: None, timeout=2, given=("builder", "secret"))
    with pytest.raises(DaskopsError, match=r"refuses access to 'a/b' by 'builder' \(HTTP 401\): correct") as caught:
        registry.find(Reference.parse(f"{fake.host}/a/b:1"))
    assert "secret" not in caught.value.message


def test_an_exposed_registry_is_asked_and_pushed_to_as_the_given_user(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
    inputs = Inputs(context=context, base=f"debian@sha256:{'b' * 64}")
    tag, content = make_context(inputs).tag(inputs.base), make_context(inputs).content(inputs.base)
    pushed, users = tmp_path / "pushed", []

    def manifest(headers: t.Mapping[str, str]) -> Answer:
        users.append(headers.get("Authorization"))
        if not headers.get("Authorization"):
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, {}
        return (200, {"Docker-Content-Digest": DIGEST}, MANIFEST) if pushed.exists() else (404, {}, {})

    fake.answers[f"/v2/lab/dask/manifests/{tag}"] = manifest
    fake.serve("/v2/lab/dask/blobs/sha256:c", CONFIG)
    local = json.dumps({"Id": "sha256:1", "Size": 1, "Config": {"Labels": {"io.daskops.content": content}}})
    client = tmp_path / "docker"
    client.write_text(
        f"#!{sys.executable}\nimport json, os, pathlib, sys\n"
        "if sys.argv[1] == 'push':\n"
        "    config = pathlib.Path(os.environ['DOCKER_CONFIG'], 'config.json').read_text()\n"
        f"    pathlib.Path({str(pushed)!r}).write_text(json.dumps([sys.argv[1:], json.loads(config)]))\n"
        f"else:\n    print({local!r})\n"
    )
    client.chmod(0o755)
    nodes = "image-registry.openshift-image-registry.svc:5000/lab/dask"
    target = Target("push", f"{fake.host}/lab/dask", "", nodes, "builder", "secret")
    would = provide(inputs, target, Engine(str(client)), check=True)
    assert (would.reference, would.pushed, pushed.exists()) == (f"{nodes}:{tag}", True, False)
    done = provide(inputs, target, Engine(str(client)), check=False)
    assert (done.reference, done.built, done.pushed) == (f"{nodes}@{DIGEST}", False, True)
    basic = base64.b64encode(b"builder:secret").decode()
    assert set(users) == {None, f"Basic {basic}"}
    arguments, config = json.loads(pushed.read_text())
    assert arguments == ["push", f"{fake.host}/lab/dask:{tag}"]
    assert config == {"auths": {fake.host: {"auth": basic}}}
    assert provide(inputs, target, Engine("/nowhere/docker"), check=False).reference == f"{nodes}@{DIGEST}"
