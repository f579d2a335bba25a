# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import io
import json
import tarfile
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import (
    Inputs,
    Reference,
    make_context,
    read_environment,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_delivery import Plan, Target

DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small build context."""
    context = tmp_path / "context"
    (context / "user").mkdir(parents=True)
    (context / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
    (context / "requirements.txt").write_text("dask==2026.8.0\n")
    return context


@pytest.fixture
def inputs(folder: Path) -> Inputs:
    """What decides an image."""
    return Inputs(context=folder, base="debian:bookworm-slim")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debian", Reference("docker.io", "library/debian")),
        ("daskdev/dask:2026.8.0", Reference("docker.io", "daskdev/dask", "2026.8.0")),
        ("localhost/dask", Reference("localhost", "dask")),
        ("localhost:5001/dask:x", Reference("localhost:5001", "dask", "x")),
        (f"registry.example.com/a/b/c@{DIGEST}", Reference("registry.example.com", "a/b/c", "", DIGEST)),
        (f"registry.example.com:5000/a:1@{DIGEST}", Reference("registry.example.com:5000", "a", "1", DIGEST)),
    ],
)
def test_references_are_read_as_docker_does(text: str, expected: Reference) -> None:
    assert Reference.parse(text) == expected


@pytest.mark.parametrize("text", ["", "a b", "x@sha256:123", ":tag", "https://registry.example.com/x y"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(DaskopsError, match="cannot be read"):
        Reference.parse(text)


def test_a_reference_asks_for_its_digest_before_its_tag() -> None:
    assert Reference.parse(f"a/b:1@{DIGEST}").version == DIGEST
    assert Reference.parse("a/b").version == "latest"


def test_the_same_inputs_make_the_same_tag(inputs: Inputs) -> None:
    assert make_context(inputs).tag("sha256:base") == make_context(inputs).tag("sha256:base")


def change_file(inputs: Inputs) -> Inputs:
    (inputs.context / "requirements.txt").write_text("dask==2026.8.1\n")
    return inputs


def change_mode(inputs: Inputs) -> Inputs:
    (inputs.context / "requirements.txt").chmod(0o755)
    return inputs


def add_environment(inputs: Inputs) -> Inputs:
    path = inputs.context.parent / "more.txt"
    path.write_text("xarray\n")
    return replace(inputs, environment_file=path)


@pytest.mark.parametrize(
    "change",
    [
        lambda inputs: replace(inputs, apt_packages=("git",)),
        lambda inputs: replace(inputs, pip_packages=("xarray",)),
        lambda inputs: replace(inputs, conda_packages=("gdal",)),
        lambda inputs: replace(inputs, conda_packages=("gdal",), conda_channels=("other",)),
        lambda inputs: replace(inputs, build_args={"PIP_INDEX_URL": "https://example.com"}),
        change_file,
        change_mode,
        add_environment,
    ],
)
def test_whatever_decides_the_image_decides_the_tag(inputs: Inputs, change: t.Callable[[Inputs], Inputs]) -> None:
    before = make_context(inputs).tag("sha256:base")
    assert make_context(change(inputs)).tag("sha256:base") != before


def test_the_base_decides_the_tag(inputs: Inputs) -> None:
    context = make_context(inputs)
    assert context.tag("sha256:one") != context.tag("sha256:other")


def test_what_does_not_decide_the_image_does_not_decide_the_tag(inputs: Inputs, tmp_path: Path) -> None:
    before = make_context(inputs).tag("sha256:base")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (inputs.context / ".dockerignore").write_text(".dockerignore\n*.in\n**/__pycache__\n")
    (inputs.context / "requirements.in").write_text("dask\n")
    (inputs.context / "examples/__pycache__").mkdir(parents=True)
    (inputs.context / "examples/__pycache__/x.pyc").write_text("")
    proxied = replace(inputs, ca_bundle=tmp_path / "ca.pem", build_args={"https_proxy": "http://proxy.example.com"})
    assert make_context(proxied).tag("sha256:base") == before


def test_a_pattern_without_stars_holds_for_the_first_level_only(inputs: Inputs) -> None:
    (inputs.context / ".dockerignore").write_text("README.md\n")
    (inputs.context / "README.md").write_text("")
    (inputs.context / "examples").mkdir()
    (inputs.context / "examples/README.md").write_text("")
    files = make_context(inputs).files
    assert "README.md" not in files
    assert "examples/README.md" in files


def test_the_tag_begins_with_the_prefix(inputs: Inputs) -> None:
    assert make_context(replace(inputs, tag_prefix="team-")).tag("b").startswith("team-")


def test_the_context_is_written_with_the_authorities_and_without_them_in_its_hash(
    inputs: Inputs, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    context = make_context(replace(inputs, ca_bundle=tmp_path / "ca.pem", apt_packages=("git", "curl")))
    context.write(tmp_path / "out")
    assert (tmp_path / "out/user/ca.crt").read_text().startswith("-----BEGIN")
    assert (tmp_path / "out/user/apt.txt").read_text() == "git\ncurl\n"
    assert "user/ca.crt" not in context.files


def test_a_wheel_of_this_machine_is_taken_along(inputs: Inputs, tmp_path: Path) -> None:
    wheel = tmp_path / "tool-1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    files = make_context(replace(inputs, pip_packages=(str(wheel), "xarray"))).files
    assert files["user/pip.txt"] == b"/build/user/files/tool-1.0-py3-none-any.whl\nxarray\n"
    assert files["user/files/tool-1.0-py3-none-any.whl"] == b"wheel"


def test_a_channel_of_this_machine_is_taken_along(inputs: Inputs, tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    (channel / "noarch").mkdir(parents=True)
    (channel / "noarch/repodata.json").write_text("{}")
    asked = replace(inputs, conda_packages=("tool",), conda_channels=("conda-forge", f"file://{channel}"))
    files = make_context(asked).files
    assert json.loads(files["user/conda.json"])["channels"] == ["conda-forge", "file:///build/user/channels/1"]
    assert files["user/channels/1/noarch/repodata.json"] == b"{}"


def test_conda_packages_come_from_conda_forge_unless_told_otherwise(inputs: Inputs) -> None:
    files = make_context(replace(inputs, conda_packages=("gdal",))).files
    assert json.loads(files["user/conda.json"]) == {"channels": ["conda-forge"], "packages": ["gdal"], "pip": []}


def test_an_environment_yml_is_added_to_the_packages(inputs: Inputs, tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text("channels: [nodefaults, bioconda]\ndependencies: [samtools=1.21, {pip: [pysam]}]\n")
    files = make_context(replace(inputs, conda_packages=("gdal",), environment_file=path)).files
    assert json.loads(files["user/conda.json"]) == {
        "channels": ["bioconda"],
        "packages": ["gdal", "samtools=1.21"],
        "pip": ["pysam"],
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "# two\nxarray>=2026.1 \\\n    --hash=sha256:00\n--only-binary :all:\nzarr[full]\n"),
        ("req.lock", "git+https://example.com/tool.git\ntool @ https://example.com/tool.whl ; python_version > '3'\n"),
        ("pylock.toml", 'lock-version = "1.0"\ncreated-by = "uv"\n[[packages]]\nname = "xarray"\n'),
    ],
)
def test_a_lock_file_is_taken_as_it_is(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert list(read_environment(path).files.values()) == [text.encode()]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("environment.yml", "dependencies: [a", r"environment\.yml' is not YAML at line 1: .*; correct it there"),
        ("environment.yml", "- a\n", "is not a mapping"),
        ("environment.yml", "name: x\n", "has no list 'dependencies'"),
        ("environment.yml", "dependencies: [{apt: [git]}]\n", r"dependency \{\"apt\": \[\"git\"\]\} is neither"),
        ("environment.yml", "dependencies: [1.5]\n", "dependency 1.5 is neither"),
        ("environment.yml", "channels: conda-forge\ndependencies: []\n", "'channels' is no list"),
        ("environment.yml", "dependencies: []\nvariables: {A: b}\n", "'variables' would not be set"),
        ("environment.yml", "dependencies: [{pip: [-r more.txt]}]\n", "'-r more.txt' is an option or another file"),
        ("conda-lock.yml", "version: 1\nmetadata: {}\npackage: []\n", "is a conda-lock file"),
        ("pylock.toml", "lock-version = ", "is not TOML"),
        ("pylock.toml", 'name = "x"\n', "is no pylock.toml"),
        ("requirements.txt", "-r more.txt\n", r"refers to another file at line 1 \('-r more.txt'\)"),
        ("requirements.txt", "dask\n<html>\n", "'<html>' is no requirement"),
        ("requirements.txt", "{'a': 1}\n", "is no requirement"),
    ],
)
def test_an_environment_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DaskopsError, match=message):
        read_environment(path)


def test_a_binary_environment_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DaskopsError, match="not UTF-8"):
        read_environment(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"environment_file": Path("/nowhere/environment.yml")},
            "environment file '/nowhere/environment.yml' cannot be",
        ),
        ({"ca_bundle": Path("/nowhere/ca.pem")}, "CA bundle '/nowhere/ca.pem' cannot be read: No such file"),
        ({"context": Path("/nowhere")}, "build context '/nowhere' is no folder"),
        ({"apt_packages": ("Git; rm",)}, "'Git; rm' is no name of a Debian package"),
        ({"pip_packages": ("",)}, "'' is no package"),
        ({"pip_packages": ("/nowhere/x.whl",)}, "Python package '/nowhere/x.whl' cannot be read"),
        ({"conda_packages": ("a\nb",)}, "is no package"),
        ({"conda_packages": ("a",), "conda_channels": ("/nowhere",)}, "conda channel '/nowhere' has no repodata.json"),
        ({"build_args": {"A-B": "c"}}, "'A-B' is no name of a build argument"),
        ({"tag_prefix": "a/"}, "tag prefix 'a/' cannot begin"),
    ],
)
def test_bad_inputs_are_refused_in_one_sentence(inputs: Inputs, change: dict[str, t.Any], message: str) -> None:
    with pytest.raises(DaskopsError, match=message):
        make_context(replace(inputs, **change))


def test_a_bundle_without_certificates_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(DaskopsError, match="holds no certificate"):
        make_context(replace(inputs, ca_bundle=tmp_path / "ca.pem"))


def test_a_context_without_dockerfile_is_refused(inputs: Inputs) -> None:
    (inputs.context / "Dockerfile").unlink()
    with pytest.raises(DaskopsError, match="holds no Dockerfile"):
        make_context(inputs)


@pytest.mark.parametrize(
    ("in_target", "in_engine", "expected"),
    [
        (True, True, Plan(build=False, deliver=False)),
        (True, False, Plan(build=False, deliver=False)),
        (False, True, Plan(build=False, deliver=True)),
        (False, False, Plan(build=True, deliver=True)),
    ],
)
def test_only_what_is_missing_is_done(in_target: bool, in_engine: bool, expected: Plan) -> None:
    assert Plan.make(in_target=in_target, in_engine=in_engine) == expected


def test_the_archive_is_the_context_and_always_the_same(inputs: Inputs, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----")
    (inputs.context / "requirements.txt").chmod(0o755)
    context = make_context(replace(inputs, ca_bundle=bundle))
    archive = context.archive()
    assert archive == context.archive()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {member.name: member for member in tar.getmembers()}
    assert set(members) == {*context.files, "user/ca.crt"}
    assert (members["requirements.txt"].mode, members["Dockerfile"].mode) == (0o755, 0o644)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target("push", "r.example.com/a"), "r.example.com/a@x"),
        (Target("push", "r.example.com/a", pull_repository="svc:5000/ns/a"), "svc:5000/ns/a@x"),
        (Target("load", "r.example.com/a", pull_repository="svc:5000/ns/a"), "r.example.com/a@x"),
    ],
)
def test_an_image_is_named_as_nodes_pull_it(target: Target, expected: str) -> None:
    assert target.pulled("r.example.com/a@x") == expected


def test_credentials_are_a_name_and_a_password() -> None:
    assert Target("push", username="u", password="p").credentials == ("u", "p")
    assert Target("push").credentials is None
