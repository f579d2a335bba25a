# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _image_docker
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import (
    Engine,
    Kind,
    LocalImage,
    Steps,
    stream,
)

DOCKERFILE = """\
# What this is, in more
# than one line.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS python
# install Python
RUN apt-get update \\
    && apt-get install python3
# An explanation.
ENV A=b

FROM python
COPY --from=python /a /b
# install the packages
RUN /build/install lock
"""


@pytest.fixture
def steps() -> Steps:
    """The titles of a Dockerfile."""
    return Steps.of(DOCKERFILE)


@pytest.fixture
def fake(tmp_path: Path) -> t.Callable[[dict[str, tuple[int, str]]], Engine]:
    """Make an engine whose client answers a subcommand with an exit code and words."""

    def make(answers: dict[str, tuple[int, str]]) -> Engine:
        script = tmp_path / "client"
        script.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"code, said = {answers!r}.get(sys.argv[1], (0, ''))\nprint(said)\nsys.exit(code)\n"
        )
        script.chmod(0o755)
        return Engine(str(script))

    return make


def test_titles_are_single_comments_in_small_letters_above_run_and_copy(steps: Steps) -> None:
    assert [step[0] for step in steps.titles] == ["install Python", "install the packages"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Step 3/7 : RUN apt-get update     && apt-get install python3", "step 1 of 2, install Python"),
        ("STEP 7/7: RUN /build/install lock", "step 2 of 2, install the packages"),
        ("[2/2] STEP 3/3: RUN /build/install lock", "step 2 of 2, install the packages"),
        ("#7 [stage-1 3/3] RUN /build/install lock", "step 2 of 2, install the packages"),
        ("Step 6/7 : COPY --from=python /a /b", None),
        ("#7 1.234 something else", None),
        (" ---> Running in 0123456789ab", None),
    ],
)
def test_each_builder_s_output_is_understood(steps: Steps, line: str, expected: str | None) -> None:
    assert steps.read(line) == expected


def test_what_a_step_says_of_itself_is_told_with_the_step(steps: Steps) -> None:
    steps.read("Step 7/7 : RUN /build/install lock")
    assert steps.read("#7 2.5 daskops: install git") == "step 2 of 2, install the packages: install git"


def test_the_dockerfile_of_the_collection_has_titles() -> None:
    dockerfile = Path(__file__).parents[4] / "image/Dockerfile"
    titles = [step[0] for step in Steps.of(dockerfile.read_text()).titles]
    assert len(titles) == 7
    assert "install the user's packages" in titles


def test_a_command_that_runs_long_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_image_docker, "TICK", 0.1)
    told: list[str] = []
    script = "import time; print('go', flush=True); time.sleep(0.35); print('end')"
    code, said = stream(
        [sys.executable, "-c", script], lambda line: "step" if line == "go" else None, told.append, "begin"
    )
    assert (code, said) == (0, "go\nend")
    assert told[:2] == ["begin", "step"]
    assert told[2:4] == ["step, 0 s", "step, 0 s"]


def test_output_without_a_last_line_break_is_kept() -> None:
    code, said = stream(
        [sys.executable, "-c", "import sys; sys.stdout.write('a\\nb'); sys.exit(3)"], lambda _: None, print
    )
    assert (code, said) == (3, "a\nb")


def test_no_docker_is_one_sentence() -> None:
    with pytest.raises(DaskopsError, match="The command '/nowhere/docker' was not found: install a Docker client"):
        Engine("/nowhere/docker").inspect("x")


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(DaskopsError, match="Docker command is empty"):
        Engine(" ")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "engine does not answer"),
        ("Got permission denied while trying to connect to the Docker daemon socket", "may not be used by this user"),
    ],
)
def test_an_engine_that_cannot_be_used_is_one_sentence(fake: t.Any, said: str, message: str) -> None:
    with pytest.raises(DaskopsError, match=message):
        fake({"image": (1, said)}).inspect("x")


def test_an_image_that_is_not_there_is_none(fake: t.Any) -> None:
    assert fake({"image": (1, "Error response from daemon: No such image: x")}).inspect("x") is None


def test_an_image_is_read(fake: t.Any) -> None:
    described = {"Id": "sha256:1", "Size": 5, "Config": {"Labels": None}}
    assert fake({"image": (0, json.dumps(described))}).inspect("x") == LocalImage("sha256:1", 5, {})


def test_a_base_by_digest_needs_no_engine() -> None:
    assert Engine("/nowhere/docker").base("debian@sha256:1") == "debian@sha256:1"


def test_a_base_that_cannot_be_pulled_is_one_sentence(fake: t.Any) -> None:
    engine = fake(
        {"image": (1, "Error: No such image: x"), "pull": (1, "Error response from daemon: manifest unknown")}
    )
    with pytest.raises(
        DaskopsError, match=r"base image 'x' is not on this machine and cannot be pulled \(manifest unknown\)"
    ):
        engine.base("x")


def test_a_push_that_is_refused_says_to_log_in(fake: t.Any) -> None:
    engine = fake({"push": (1, "denied: requested access to the resource is denied")})
    with pytest.raises(DaskopsError, match=r"r\.example refuses the push .*docker login r\.example"):
        engine.push("r.example/x:1")


def test_a_push_that_fails_otherwise_keeps_the_words(fake: t.Any) -> None:
    with pytest.raises(DaskopsError, match=r"could not push the image .*: no space left") as caught:
        fake({"push": (1, "first\nno space left on device")}).push("r.example/x:1")
    assert caught.value.details["log"] == "first\nno space left on device"


def test_given_credentials_are_only_in_a_folder_that_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    (own / "cli-plugins").mkdir(parents=True)
    (own / "config.json").write_text(json.dumps({"auths": {"other.example.com": {"auth": "eDp5"}}, "proxies": {}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(own))
    script, noted = tmp_path / "client", tmp_path / "noted"
    script.write_text(
        f"#!{sys.executable}\nimport json, os, pathlib, sys\n"
        "folder = pathlib.Path(os.environ['DOCKER_CONFIG'])\n"
        "file = folder / 'config.json'\n"
        "seen = {'argv': sys.argv[1:], 'folder': str(folder), 'config': json.loads(file.read_text()),"
        " 'mode': oct(file.stat().st_mode), 'plugins': (folder / 'cli-plugins').is_dir()}\n"
        f"pathlib.Path({str(noted)!r}).write_text(json.dumps(seen))\n"
    )
    script.chmod(0o755)
    Engine(str(script)).push("r.example.com/x:1", ("builder", "secret"))
    seen = json.loads(noted.read_text())
    assert seen["argv"] == ["push", "r.example.com/x:1"]
    assert seen["config"] == {
        "auths": {"other.example.com": {"auth": "eDp5"}, "r.example.com": {"auth": "YnVpbGRlcjpzZWNyZXQ="}},
        "proxies": {},
    }
    assert seen["mode"].endswith("600")
    assert seen["plugins"]
    assert seen["folder"] != str(own)
    assert not Path(seen["folder"]).exists()


def test_a_push_that_is_refused_to_given_credentials_names_the_user(fake: t.Any) -> None:
    engine = fake({"push": (1, "unauthorized: authentication required")})
    with pytest.raises(
        DaskopsError, match=r"refuses the push of 'r\.example/x:1' by 'builder' .*correct the registry's"
    ):
        engine.push("r.example/x:1", ("builder", "secret"))


def test_layers_are_counted(tmp_path: Path) -> None:
    script = tmp_path / "client"
    lines = [
        "a" * 12 + ": Preparing",
        "b" * 12 + ": Preparing",
        "a" * 12 + ": Pushed",
        "b" * 12 + ": Layer already exists",
    ]
    script.write_text(f"#!{sys.executable}\nprint('\\n'.join({lines!r}))\n")
    script.chmod(0o755)
    told: list[str] = []
    Engine(str(script), told.append).push("r.example/x:1")
    assert told == [
        "push to r.example",
        "push to r.example, 1 of 2 layers are there",
        "push to r.example, 2 of 2 layers are there",
    ]


@pytest.mark.parametrize("prefix", ["", "#12 3.456 "])
def test_a_build_that_fails_names_the_package(fake: t.Any, tmp_path: Path, prefix: str) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    described = json.dumps({"Id": "sha256:1", "Size": 5, "Config": {"Labels": {}}})
    error = "daskops-error: Python package 'nope' cannot be installed: x"
    said = f"Step 7/7 : RUN /build/install lock\n{prefix}{error}\nother"
    engine = fake({"image": (0, described), "build": (1, said)})
    with pytest.raises(DaskopsError) as caught:
        engine.build(tmp_path, "x:1", "base", {})
    assert caught.value.message == "The image cannot be built: Python package 'nope' cannot be installed: x"


def test_a_build_that_fails_otherwise_names_the_step(fake: t.Any, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    described = json.dumps({"Id": "sha256:1", "Size": 5, "Config": {"Labels": {}}})
    said = "Step 3/7 : RUN apt-get update     && apt-get install python3\nE: no network"
    with pytest.raises(DaskopsError, match="build the image at step 1 of 2, install Python: E: no network"):
        fake({"image": (0, described), "build": (1, said)}).build(tmp_path, "x:1", "base", {})


def test_an_image_without_dask_is_refused(fake: t.Any) -> None:
    said = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'dask'"
    with pytest.raises(DaskopsError, match="lacks the Python package 'dask'"):
        fake({"run": (1, said)}).versions("x")


def test_an_image_without_python_is_refused(fake: t.Any) -> None:
    said = 'docker: Error response from daemon: exec: "python": executable file not found in $PATH: unknown.'
    with pytest.raises(DaskopsError, match="it has no Python"):
        fake({"run": (127, said)}).versions("x")


def test_versions_are_read_from_the_last_line(fake: t.Any) -> None:
    assert fake({"run": (0, 'a warning\n{"dask": "1"}')}).versions("x") == {"dask": "1"}


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], Path]:
    """Put a kind on the path that answers every command the same and notes what it was asked."""

    def make(said: str) -> Path:
        script = tmp_path / "bin/kind"
        script.parent.mkdir()
        script.write_text(f"#!/bin/sh\necho \"$@\" >>{tmp_path}/asked\necho '{said}'\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
        return tmp_path / "asked"

    return make


LISTED = "REF TYPE DIGEST SIZE\ndocker.io/library/x:1 application/x sha256:m 7 B linux/amd64 -"


@pytest.fixture
def nodes(tmp_path: Path, kind: t.Callable[[str], Path]) -> t.Callable[[dict[str, tuple[int, str]]], Kind]:
    """Make a cluster of two nodes whose containerd answers what ends in a given word."""
    kind("one\ntwo")

    def make(answers: dict[str, tuple[int, str]]) -> Kind:
        script = tmp_path / "client"
        script.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"answers = {answers!r}\n"
            "code, said = answers.get(sys.argv[2] + sys.argv[-1]) or answers.get(sys.argv[-1], (1, 'unknown'))\n"
            "print(said)\nsys.exit(code)\n"
        )
        script.chmod(0o755)
        return Kind("dask", Engine(str(script)))

    return make


def test_an_image_that_every_node_has_is_found(nodes: t.Any) -> None:
    manifest = {"config": {"digest": "sha256:c"}, "layers": [{"size": 3}, {"size": 4}]}
    config = {"config": {"Labels": {"io.daskops.version.dask": "1"}}}
    answers = {
        "name==docker.io/library/x:1": (0, LISTED),
        "sha256:m": (0, json.dumps(manifest)),
        "sha256:c": (0, json.dumps(config)),
    }
    assert nodes(answers).find("x:1") == LocalImage("sha256:c", 7, {"io.daskops.version.dask": "1"})


def test_an_image_that_a_node_lacks_is_not_found(nodes: t.Any) -> None:
    name = "name==docker.io/library/x:1"
    assert nodes({f"one{name}": (0, LISTED), f"two{name}": (0, "REF TYPE DIGEST SIZE")}).find("x:1") is None


def test_a_node_that_does_not_answer_is_one_sentence(nodes: t.Any) -> None:
    said = "Error response from daemon: container one is not running"
    with pytest.raises(DaskopsError, match="look for an image on the node one: container one is not running"):
        nodes({"name==docker.io/library/x:1": (1, said)}).find("x:1")


def test_an_image_is_loaded_by_kind(fake: t.Any, kind: t.Callable[[str], Path]) -> None:
    asked = kind("one")
    Kind("dask", fake({})).load("x:1")
    assert asked.read_text().splitlines() == ["get nodes --name dask", "load docker-image x:1 --name dask"]


@pytest.mark.parametrize("said", ["", 'No kind nodes found for cluster "dask".'])
def test_a_cluster_without_nodes_is_one_sentence(fake: t.Any, kind: t.Callable[[str], Path], said: str) -> None:
    kind(said)
    with pytest.raises(DaskopsError, match="The kind cluster 'dask' has no nodes to load an image into"):
        Kind("dask", fake({}))


def test_without_kind_it_is_one_sentence(fake: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DaskopsError, match="The command 'kind' was not found"):
        Kind("dask", fake({}))
