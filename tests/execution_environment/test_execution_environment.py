# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The execution environment, built on the test bed's base image and run as OpenShift runs job pods.

Galaxy is not asked: its two collections come from the wheel that `.venv` has them from, as tarballs like our own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.fakes.openshift import FakeOpenShift

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ROOT / "execution-environment"
PROGRAMS = Path(sys.executable).parent
RUN = f"daskops-execution-environment-test-{os.getpid()}"
BASE, IMAGE = f"{RUN}/base", f"{RUN}/image"
MARK = f"io.daskops.test={RUN}"  # a label, which the base hands down to all that is built on it
# What README.md names for Debian.
DEBIAN = {
    "EE_BASE_IMAGE": BASE,
    "PKGMGR": "/usr/bin/apt-get",
    "PYCMD": "/usr/bin/python3",
    "PYPKG": "--no-install-recommends python3 python3-pip python3-venv",
}
# A user id of a namespace's range, group 0, and none of root's rights.
AS_OPENSHIFT_DOES = ["--user=1000650000:0", "--cap-drop=ALL", "--security-opt=no-new-privileges"]


def run(*command: str | Path, cwd: Path = ROOT, timeout: float = 120) -> str:
    """What a command prints."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
    return done.stdout


def build_tarball(source: Path, folder: Path) -> None:
    """Build a collection."""
    run(PROGRAMS / "ansible-galaxy", "collection", "build", "--output-path", folder, source)


def as_source(name: str, folder: Path) -> Path:
    """An installed collection, so that it can be built again."""
    spec = importlib.util.find_spec("ansible_collections")
    installed = Path(next(iter(spec.submodule_search_locations))) / Path(*name.split("."))
    source = folder / name
    shutil.copytree(installed, source, ignore=shutil.ignore_patterns("__pycache__", "MANIFEST.json", "FILES.json"))
    about = json.loads((installed / "MANIFEST.json").read_text())["collection_info"]
    (source / "galaxy.yml").write_text(yaml.safe_dump({key: value for key, value in about.items() if value}))
    return source


def make_definition(folder: Path) -> Path:
    """The definition as users have it, but for where two collections come from."""
    definition = folder / "definition"
    shutil.copytree(DEFINITION, definition, ignore=shutil.ignore_patterns("collections", "context"))
    collections = definition / "collections"
    build_tarball(ROOT, collections)
    requirements = yaml.safe_load((definition / "requirements.yml").read_text())
    for wanted in requirements["collections"]:
        if wanted.get("type") != "file":
            build_tarball(as_source(wanted["name"], folder), collections)
            name = wanted.pop("name").replace(".", "-")
            wanted |= {"name": f"collections/{next(collections.glob(f'{name}-*')).name}", "type": "file"}
            wanted.pop("version")
    (definition / "requirements.yml").write_text(yaml.safe_dump(requirements))
    return definition / "execution-environment.yml"


def make_base(folder: Path) -> None:
    """The base image of somebody behind a proxy that ends TLS: it trusts the authorities that this machine trusts."""
    folder.mkdir()
    dockerfile = f"FROM {os.environ['BASE_IMAGE']}\nLABEL {MARK}\n"
    if bundle := os.environ.get("SSL_CERT_FILE"):
        shutil.copy(bundle, folder / "ca.crt")
        dockerfile += "COPY ca.crt /usr/local/share/ca.crt\nENV PIP_CERT=/usr/local/share/ca.crt\n"
    (folder / "Dockerfile").write_text(dockerfile)
    run("docker", "build", "--tag", BASE, folder)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """The execution environment."""
    assert os.environ.get("BASE_IMAGE"), 'BASE_IMAGE is not set: run  eval "$(tests/testbed/prepare)"  first'
    folder = tmp_path_factory.mktemp("execution-environment")
    definition = make_definition(folder)
    make_base(folder / "base")
    try:
        arguments = [f"--build-arg={name}={value}" for name, value in DEBIAN.items()]
        options = ["--container-runtime=docker", "--tag", IMAGE, f"--context={folder / 'context'}", *arguments]
        run(PROGRAMS / "ansible-builder", "build", "--file", definition, *options, timeout=1800)
        yield IMAGE
    finally:
        # The legacy builder leaves an image of each stage.
        for command in (["rm", IMAGE, BASE], ["prune", "--force", f"--filter=label={MARK}"]):
            subprocess.run(["docker", "image", *command], capture_output=True, check=False)


def inside(image: str, *command: str, options: t.Sequence[str] = ()) -> str:
    """What a command prints in a container of any user."""
    return run("docker", "run", "--rm", *AS_OPENSHIFT_DOES, *options, image, *command)


def test_the_collections_are_there_in_the_versions_that_were_asked_for(image: str) -> None:
    found = json.loads(inside(image, "ansible-galaxy", "collection", "list", "--format", "json"))
    collections = found["/usr/share/ansible/collections/ansible_collections"]
    versions = {name: about["version"] for name, about in collections.items()}
    assert set(versions) == {"daskops.kubernetes", "kubernetes.core", "community.okd"}
    assert versions["daskops.kubernetes"] == yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    assert versions["kubernetes.core"].startswith("6.")


def test_every_module_is_documented(image: str) -> None:
    listed = json.loads(inside(image, "ansible-doc", "--json", "--list", "daskops.kubernetes"))
    assert set(listed) == {f"daskops.kubernetes.{path.stem}" for path in (ROOT / "plugins/modules").glob("[!_]*.py")}


@pytest.mark.parametrize("playbook", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")))
def test_every_playbook_is_found_by_its_name(image: str, playbook: str) -> None:
    inside(image, "ansible-playbook", f"daskops.kubernetes.{playbook}", "--syntax-check")


def test_what_the_modules_import_is_there(image: str) -> None:
    names = "argon2, cryptography, google.auth, jsonpatch, kubernetes, requests, requests_oauthlib, ansible_runner"
    assert inside(image, "python3", "-c", f"import {names}; print('all')").strip() == "all"


def test_a_module_runs(image: str) -> None:
    """One that imports what it can and then has no cluster to reach."""
    arguments = "kubeconfig=/nowhere context=none namespace=dask"
    command = ["ansible", "localhost", "-m", "daskops.kubernetes.target_info", "-a", arguments]
    done = subprocess.run(
        ["docker", "run", "--rm", *AS_OPENSHIFT_DOES, image, *command], capture_output=True, text=True, check=False
    )
    assert "/nowhere" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "Failed to import" not in done.stdout


def test_it_takes_jobs_as_a_controller_gives_them(image: str, tmp_path: Path) -> None:
    """A project's playbook, sent to the worker that a job pod runs, and its result sent back."""
    project = tmp_path / "job" / "project"
    project.mkdir(parents=True)
    (project / "list.yml").write_text("- import_playbook: daskops.kubernetes.mirror_list\n")
    (project.parent / "env").mkdir()
    answers = {"image_mirror_list": "/tmp/list.yaml", "image_base": "debian:bookworm-slim"}
    (project.parent / "env/extravars").write_text(json.dumps(answers))
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    script = (
        "ansible-runner transmit /job -p list.yml | ansible-runner worker --private-data-dir=/runner"
        " | ansible-runner process /tmp/result && cat /tmp/list.yaml"
    )
    said = inside(image, "bash", "-o", "pipefail", "-c", script, options=[f"--volume={project.parent}:/job:ro"])
    assert yaml.safe_load(said[said.rindex("---") :])["mirror"] == {
        "additionalImages": [{"name": "docker.io/library/debian:bookworm-slim"}]
    }


def test_it_logs_in_as_a_pod_does(image: str, openshift: FakeOpenShift, tmp_path: Path) -> None:
    """By the files that the kubelet gives a pod, where it gives them."""
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(openshift.login("developer"))
    shutil.copy(openshift.files.authority, account / "ca.crt")
    role = {"name": "daskops.kubernetes.openshift", "tasks_from": "target"}
    tasks = [
        {"ansible.builtin.import_role": role},
        {"ansible.builtin.debug": {"msg": "user={{ __openshift_info.user }} at={{ openshift_target.context }}"}},
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    options = [
        "--network=host",
        f"--env=KUBERNETES_SERVICE_HOST={urlsplit(openshift.url).hostname}",
        f"--env=KUBERNETES_SERVICE_PORT={urlsplit(openshift.url).port}",
        f"--volume={account}:/var/run/secrets/kubernetes.io/serviceaccount:ro",
        f"--volume={tmp_path / 'play.yml'}:/play.yml:ro",
    ]
    said = inside(image, "ansible-playbook", "/play.yml", options=options)
    assert f"user=developer at={urlsplit(openshift.url).netloc}" in said


def test_nothing_of_the_build_is_left(image: str) -> None:
    assert inside(image, "sh", "-c", "ls -d /output /build 2>/dev/null; ls /var/lib/apt/lists; true").strip() == ""
