# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The image as it is built: what is in it, what is not, what it says of itself, and how a build fails."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import typing as t
import zipfile
from pathlib import Path

import pytest
from harness import (
    ROOT,
    DaskopsError,
    Docker,
    Engine,
    Result,
    Target,
    build,
    check_existing,
    docker,
    inputs,
    make_context,
    provide,
    published,
)


def run(image: str, *command: str) -> str:
    """What a command says in a container of the image."""
    return docker("run", "--rm", image, *command).stdout.strip()


def base_argument() -> list[str]:
    """What a plain build of the context needs."""
    return ["--build-arg", f"BASE_IMAGE={os.environ['BASE_IMAGE']}"]


def labels(image: str) -> dict[str, str]:
    """An image's labels."""
    found: dict[str, str] = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", image).stdout)
    return found


def test_an_unchanged_image_is_neither_built_nor_pushed(image: Result, registry: str) -> None:
    started = time.monotonic()
    again = build(registry)
    seconds = time.monotonic() - started
    print(f"unchanged: {seconds:.2f} s")
    assert (again.built, again.pushed) == (False, False)
    assert (again.reference, again.versions, again.size_bytes) == (image.reference, image.versions, image.size_bytes)
    assert seconds < 5


def test_the_image_says_what_it_holds(image: Result) -> None:
    found = labels(image.reference)
    names = ("dask", "distributed", "jupyterlab")
    script = f"import platform; print(platform.python_version()); [print(__import__(n).__version__) for n in {names}]"
    said = run(image.reference, "python", "-c", script).split()
    inside = dict(zip(("python", *names), said, strict=True))
    assert {name: found[f"io.daskops.version.{name}"] for name in inside} == inside
    assert {name: image.versions[name] for name in inside} == inside
    assert found["io.daskops.lock"] == hashlib.sha256((ROOT / "image/requirements.txt").read_bytes()).hexdigest()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["org.opencontainers.image.created"])
    assert found["org.opencontainers.image.version"] == inside["dask"]


def test_everything_that_is_promised_is_there(image: Result) -> None:
    packages = (
        "dask distributed bokeh psutil jupyterlab jupyter_server_proxy dask_labextension prometheus_client numpy scipy "
        "pandas sklearn joblib pyarrow lz4 zstandard s3fs gcsfs ipywidgets dulwich pip"
    )
    assert run(image.reference, "python", "-c", f"import {', '.join(packages.split())}; print('all')") == "all"


def test_nothing_of_the_build_is_left(image: Result) -> None:
    found = run(
        image.reference,
        "sh",
        "-c",
        "ls -d /build /delta /opt/.removed /root/.cache 2>/dev/null; "
        "find / -xdev \\( -name ca.crt -o -name bundle.crt -o -name uv \\) -type f 2>/dev/null; ls /var/lib/apt/lists",
    )
    assert found == ""
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image.reference).stdout
    assert "ca.cr" not in history


def test_bytecode_is_there_for_every_module_and_is_used(image: Result) -> None:
    script = (
        "import pathlib, importlib.util as u\n"
        "site = pathlib.Path('/opt/dask/lib/python3.11/site-packages')\n"
        "print([str(p) for n in ('dask', 'distributed', 'tornado', 'pandas') for p in (site / n).rglob('*.py')\n"
        "       if not pathlib.Path(u.cache_from_source(str(p))).exists() and p.stat().st_size][:5])\n"
    )
    assert run(image.reference, "python", "-c", script) == "[]"


def test_the_size_is_reported_and_smaller_than_in_one_stage(image: Result) -> None:
    context = make_context(inputs())
    with tempfile.TemporaryDirectory() as folder:
        context.write(Path(folder))
        shutil.copy(ROOT / "tests/image/one-stage/Dockerfile", Path(folder) / "Dockerfile")
        docker("build", *base_argument(), "-t", "daskops-image-test/one-stage", folder, timeout=1200)

    def size(name: str) -> int:
        return int(docker("image", "inspect", "--format", "{{.Size}}", name).stdout)

    ours, plain, base = size(image.reference), size("daskops-image-test/one-stage"), size(os.environ["BASE_IMAGE"])
    sizes = {"image": ours, "in one stage": plain, "base": base, "to pull": image.size_bytes}
    print(", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sizes.items()))
    assert ours < plain
    assert 0 < image.size_bytes < ours


# --- packages of the user ---------------------------------------------------------------------------------------------


def conda_package(
    channel: Path, name: str, version: str, files: dict[str, str | bytes], links: dict[str, str] | None = None
) -> None:
    """Write a conda package for any platform, and add it to the channel's index."""
    folder = channel / "noarch"
    folder.mkdir(parents=True, exist_ok=True)
    (channel / "linux-64").mkdir(exist_ok=True)
    index: dict[str, t.Any] = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": []}
    index |= {"subdir": "noarch", "noarch": "generic"}
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
        for path, data in contents.items()
    ]
    paths += [{"_path": path, "path_type": "softlink"} for path in links or {}]
    contents |= {
        "info/index.json": json.dumps(index).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
        "info/files": "\n".join([*files, *(links or {})]).encode(),
    }
    file = folder / f"{name}-{version}-0.tar.bz2"
    with tarfile.open(file, "w:bz2") as archive:
        for path, data in contents.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(data))
        for path, target in (links or {}).items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    data = file.read_bytes()
    repodata = folder / "repodata.json"
    known: dict[str, t.Any] = {"info": {"subdir": "noarch"}, "packages": {}}
    if repodata.exists():
        known = json.loads(repodata.read_text())
    sums = {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    known["packages"][file.name] = index | sums
    repodata.write_text(json.dumps(known))
    (channel / "linux-64/repodata.json").write_text(json.dumps({"info": {"subdir": "linux-64"}, "packages": {}}))


def wheel(folder: Path) -> Path:
    """Write a wheel."""
    path = folder / "daskops_test_tool-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("daskops_test_tool.py", "ANSWER = 42\n")
        described = "Metadata-Version: 2.1\nName: daskops-test-tool\nVersion: 1.0\n"
        kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        for name, text in {"METADATA": described, "WHEEL": kind, "RECORD": ""}.items():
            archive.writestr(f"daskops_test_tool-1.0.dist-info/{name}", text)
    return path


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conda channel in a folder, with a tool and with what is a Python as far as its environment goes."""
    folder = tmp_path_factory.mktemp("channel")
    conda_package(folder, "hello", "1.0", {"bin/hello": "#!/bin/sh\necho hello from conda\n"})
    conda_package(folder, "hello", "2.0", {"bin/hello": "#!/bin/sh\necho hello again from conda\n"})
    home = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n"
    conda_package(
        folder,
        "python",
        "3.11.2",
        {"pyvenv.cfg": home, "lib/python3.11/site-packages/empty.py": ""},
        {"bin/python": "/usr/bin/python3"},
    )
    return folder


def test_packages_of_every_kind_are_baked_in(registry: str, image: Result, channel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment.yml"
    environment.write_text(f"channels: ['file://{channel}']\ndependencies: ['hello <2', pip: [tabulate==0.9.0]]\n")
    built = build(
        registry,
        apt_packages=("tree",),
        pip_packages=("toolz==0.12.1", str(wheel(tmp_path))),
        environment_file=environment,
    )
    assert (built.built, built.pushed) == (True, True)
    assert built.reference != image.reference
    assert run(built.reference, "hello") == "hello from conda"
    assert "tree v" in run(built.reference, "tree", "--version")
    script = (
        "import importlib.metadata as m, tabulate, daskops_test_tool as tool\n"
        "print(tool.ANSWER, [d.version for d in m.distributions() if d.name == 'toolz'], tabulate.__file__)\n"
    )
    assert run(built.reference, "python", "-c", script).startswith("42 ['0.12.1'] /opt/dask/")
    # The user's packages are a layer of their own: what is below is shared, and neither pushed nor pulled again.
    layers = [
        json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", name).stdout)
        for name in (image.reference, built.reference)
    ]
    assert layers[0][:3] == layers[1][:3]
    assert labels(built.reference)["io.daskops.version.toolz"] == built.versions["toolz"] == "0.12.1"


def test_a_conda_environment_with_a_python_is_a_kernel_of_the_notebook(
    registry: str, channel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment.yml"
    environment.write_text("dependencies: [python, {pip: [ipykernel==7.4.0]}]\n")
    built = build(registry, conda_packages=("hello",), conda_channels=(str(channel),), environment_file=environment)
    assert run(built.reference, "hello") == "hello again from conda"
    script = (
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name='conda')\n"
        "client.execute_interactive('import sys; print(sys.prefix)', timeout=60)\n"
        "manager.shutdown_kernel()\n"
    )
    assert run(built.reference, "python", "-c", script) == "/opt/conda"


@pytest.mark.parametrize(("name", "options"), [("requirements.txt", ["--generate-hashes"]), ("pylock.toml", [])])
def test_a_lock_file_is_installed_as_it_is(registry: str, tmp_path: Path, name: str, options: list[str]) -> None:
    (tmp_path / "in.txt").write_text("tabulate==0.9.0\n")
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "compile", "-q", "--python-version=3.11", *options]
    subprocess.run([*command, str(tmp_path / "in.txt"), "-o", str(tmp_path / name)], check=True)
    built = build(registry, environment_file=tmp_path / name)
    assert run(built.reference, "python", "-c", "import tabulate; print(tabulate.__version__)") == "0.9.0"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"apt_packages": ("tree", "no-such-tool")},
            "Debian package 'no-such-tool' cannot be installed: Unable to locate",
        ),
        (
            {"pip_packages": ("tabulate", "daskops-no-such-package")},
            "Python package 'daskops-no-such-package' cannot be",
        ),
        ({"pip_packages": ("tabulate==99",)}, "Python package 'tabulate==99' cannot be installed"),
        ({"pip_packages": ("tabulate==0.9.0", "tabulate==0.8.0")}, "Python packages .* cannot be installed together"),
        ({"pip_packages": ("jinja2==2.11.3",)}, "Python packages jinja2==2.11.3 do not fit the others: .*jupyterlab"),
    ],
)
def test_an_install_that_fails_fails_the_build_and_names_the_package(
    registry: str, more: dict[str, t.Any], message: str
) -> None:
    before = docker("ps", "--all", "--quiet").stdout
    with pytest.raises(DaskopsError, match=rf"^The image cannot be built: {message}") as caught:
        build(registry, **more)
    print(caught.value.message)
    assert "\n" not in caught.value.message
    assert docker("ps", "--all", "--quiet").stdout == before, "the failed step's container is left"


def test_a_conda_package_that_is_not_in_its_channels_is_named(registry: str, channel: Path) -> None:
    with pytest.raises(
        DaskopsError, match=r"built: conda package 'no-such' cannot be installed from file://"
    ) as caught:
        build(registry, conda_packages=("hello", "no-such"), conda_channels=(str(channel),))
    print(caught.value.message)


# --- what is not as it should be --------------------------------------------------------------------------------------


def test_a_base_that_does_not_exist_is_one_sentence(registry: str) -> None:
    target = Target("push", f"{registry}/dask")
    missing = inputs(base=f"{registry}/no-such-base:1")
    with pytest.raises(
        DaskopsError, match=r"^The base image '.*/no-such-base:1' is not on this machine and cannot be pulled"
    ):
        provide(missing, target, Engine(), check=False)


def test_a_registry_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(
        DaskopsError, match=r"^The registry localhost:9 does not answer \(Connection refused\): start it"
    ):
        provide(inputs(), Target("push", "localhost:9/dask"), Engine(), check=False)


def test_without_docker_it_is_one_sentence(registry: str) -> None:
    with pytest.raises(DaskopsError, match=r"^The command 'no-such-docker' was not found: install a Docker client"):
        provide(inputs(), Target("push", f"{registry}/dask"), Engine("no-such-docker"), check=False)


def test_an_engine_that_does_not_run_is_one_sentence(registry: str) -> None:
    with pytest.raises(DaskopsError, match=r"^The Docker engine does not answer \("):
        provide(
            inputs(), Target("push", f"{registry}/dask"), Engine("env DOCKER_HOST=unix:///nowhere docker"), check=False
        )


def test_a_registry_with_a_password_refuses_and_then_lets_in(
    engine: Docker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "auth").mkdir()
    # "user" with the password "secret", as htpasswd -B writes it
    (tmp_path / "auth/htpasswd").write_text("user:$2b$05$mXDhsL/168s.By37FTzzT.cdwTUww3tm5yv97GX0P16yOHpcSnBbu\n")
    options = [
        "-p=127.0.0.1::5000",
        f"--volume={tmp_path}/auth:/auth:ro",
        "--env=REGISTRY_AUTH=htpasswd",
        "--env=REGISTRY_AUTH_HTPASSWD_REALM=test",
        "--env=REGISTRY_AUTH_HTPASSWD_PATH=/auth/htpasswd",
    ]
    address = published(engine.start(os.environ["REGISTRY_IMAGE"], name="guarded", options=options))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    label = "--label=io.daskops.version.dask=1"
    docker("build", "-q", "--target=python", label, *base_argument(), "-t", f"{address}/dask:1", str(ROOT / "image"))
    refusal = rf"cannot be looked up: The registry {address} refuses access to 'dask' without credentials"
    with pytest.raises(DaskopsError, match=refusal):
        check_existing(f"{address}/dask:1", Target("none"), Engine(), check=False)
    with pytest.raises(DaskopsError, match=rf"^The registry {address} refuses the push of '{address}/dask:1' \("):
        Engine().push(f"{address}/dask:1")
    docker("login", "-u", "user", "-p", "secret", address)
    Engine().push(f"{address}/dask:1")
    found = check_existing(f"{address}/dask:1", Target("none"), Engine(), check=False)
    assert found.versions == {"dask": "1"}


# --- images that exist ------------------------------------------------------------------------------------------------


def test_an_image_of_ours_is_known_by_its_labels(image: Result) -> None:
    # No engine is needed for it.
    found = check_existing(image.reference, Target("none"), Engine("no-such-docker"), check=False)
    assert (found.reference, found.versions, found.size_bytes) == (image.reference, image.versions, image.size_bytes)


@pytest.fixture(scope="module")
def unlabelled(registry: str, image: Result) -> str:
    """The image without what it says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        names = [name for name in labels(image.reference) if name.startswith("io.daskops.")]
        Path(folder, "Dockerfile").write_text(
            f"FROM {image.reference}\nLABEL " + " ".join(f"{name}=''" for name in names)
        )
        docker("build", "-q", "-t", f"{registry}/other:1", folder)
    docker("push", f"{registry}/other:1")
    return f"{registry}/other:1"


def test_an_image_that_says_nothing_is_run_once(
    unlabelled: str, image: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = check_existing(unlabelled, Target("none"), Engine(), check=False)
    assert found.versions == image.versions
    assert found.reference.startswith(f"{unlabelled.removesuffix(':1')}@sha256:")
    # The second time without an engine, from what the first time found out.
    again = check_existing(unlabelled, Target("none"), Engine("no-such-docker"), check=False)
    assert again == found
    shutil.rmtree(tmp_path / "daskops")
    unknown = check_existing(found.reference, Target("none"), Engine("no-such-docker"), check=False)
    assert unknown.versions == {}
    assert "are read when it runs" in unknown.warnings[0]


def test_an_image_without_dask_is_refused(registry: str) -> None:
    tag = f"{registry}/plain:1"
    docker(
        "build",
        "-q",
        "--target",
        "python",
        *base_argument(),
        "-t",
        tag,
        str(ROOT / "image"),
    )
    docker("push", tag)
    with pytest.raises(DaskopsError, match=r"^The image '.*' cannot be used: it lacks the Python package 'dask'"):
        check_existing(tag, Target("none"), Engine(), check=False)


def test_an_image_without_python_is_refused(registry: str) -> None:
    tag = f"{registry}/bare:1"
    docker("tag", os.environ["BASE_IMAGE"], tag)
    docker("push", tag)
    with pytest.raises(DaskopsError, match=r"^The image '.*' cannot be used: it has no Python"):
        check_existing(tag, Target("none"), Engine(), check=False)


def test_an_image_that_its_registry_lacks_is_refused(registry: str) -> None:
    with pytest.raises(DaskopsError, match=r"^The registry .* holds no image '.*/none:1': push it"):
        check_existing(f"{registry}/none:1", Target("none"), Engine(), check=False)


def test_a_digest_in_a_registry_that_only_the_target_reaches_is_taken() -> None:
    reference = f"localhost:9/dask@sha256:{'0' * 64}"
    found = check_existing(reference, Target("none"), Engine(), check=False)
    assert (found.reference, found.versions) == (reference, {})
    assert "does not answer" in found.warnings[0]
    with pytest.raises(DaskopsError, match="or give its digest"):
        check_existing("localhost:9/dask:1", Target("none"), Engine(), check=False)


# --- other builders ---------------------------------------------------------------------------------------------------


def test_buildkit_builds_it_too_and_says_how_far_it_is(registry: str) -> None:
    told: list[str] = []
    docker_with = Engine("env DOCKER_BUILDKIT=1 docker", told.append)
    built = provide(inputs(tag_prefix="buildkit-"), Target("push", f"{registry}/dask"), docker_with, check=False)
    assert built.built
    assert built.versions["dask"]
    assert any(re.match(r"step \d of 7, install the Python packages", text) for text in told), told
