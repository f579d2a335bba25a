# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbooks as users run them, as far as they reach nothing: each takes seconds."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.playbooks import ROOT, play


def changed(said: str) -> dict[str, int]:
    """By host, how many tasks changed something."""
    return {host: int(number) for host, number in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", said, re.MULTILINE)}


# --- tests/e2e --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "environment", "message"),
    [
        ("gke", {}, "Nothing was done. Set GKE_E2E_PROJECT"),
        ("openshift", {}, "Nothing was done. Set OPENSHIFT_E2E_API"),
        ("openshift", {"OPENSHIFT_E2E_TOKEN": "t"}, "Nothing was done. Set OPENSHIFT_E2E_API"),
        ("openshift", {"OPENSHIFT_E2E_API": "https://127.0.0.1:1"}, "Nothing was done. Set OPENSHIFT_E2E_TOKEN, or"),
        (
            "openshift",
            {"OPENSHIFT_E2E_API": "https://127.0.0.1:1", "OPENSHIFT_E2E_USERNAME": "u"},
            "Nothing was done. Set OPENSHIFT_E2E_TOKEN, or",
        ),
    ],
)
def test_what_costs_refuses_before_it_does_anything(
    tmp_path: Path, name: str, environment: dict[str, str], message: str
) -> None:
    said = play(f"tests/e2e/{name}.yml", tmp_path, environment=environment, fails=True)
    assert message in " ".join(said.split())
    assert re.findall(r"^PLAY \[(.*)\]", said, re.MULTILINE) == ["Check that this is meant"]


# --- playbooks/mirror_list.yml ----------------------------------------------------------------------------------------

DIGEST = f"sha256:{'0' * 64}"


def clusters(folder: Path, **hosts: dict[str, t.Any]) -> str:
    path = folder / "clusters.yml"
    common = {"image_mirror_list": str(folder / "list.yaml"), "image_base": "debian:bookworm-slim"}
    path.write_text(yaml.safe_dump({"dask_clusters": {"vars": common, "hosts": hosts}}))
    return f"--inventory={path}"


def listed(path: Path) -> list[str]:
    found = yaml.safe_load(path.read_text())
    assert (found["apiVersion"], found["kind"]) == ("mirror.openshift.io/v2alpha1", "ImageSetConfiguration")
    assert set(found) == {"apiVersion", "kind", "mirror"}
    return [image["name"] for image in found["mirror"]["additionalImages"]]


def test_one_list_is_written_for_all_clusters(tmp_path: Path) -> None:
    inventory = clusters(
        tmp_path,
        berlin={
            "image_reference": f"registry.example.com/data/dask@{DIGEST}",
            "dask_worker_groups": [{"name": "cpu"}, {"name": "gpu", "image": "registry.example.com/data/gpu:1"}],
            "dask_notebook_oauth_proxy": {"image": "registry.example.com/openshift/oauth-proxy:v4"},
        },
        dublin={"image_registry": "mirror.example.com/dask", "image_mirror_images": ["registry:2", "debian"]},
    )
    said = play("playbooks/mirror_list.yml", tmp_path, inventory, "--check", "--diff")
    assert f"+    - name: registry.example.com/data/dask@{DIGEST}" in said
    assert not (tmp_path / "list.yaml").exists()

    said = play("playbooks/mirror_list.yml", tmp_path, inventory)
    assert changed(said) == {"berlin": 1, "dublin": 0}
    assert listed(tmp_path / "list.yaml") == [
        "docker.io/library/debian:bookworm-slim",
        "docker.io/library/debian:latest",
        "docker.io/library/registry:2",
        f"registry.example.com/data/dask@{DIGEST}",
        "registry.example.com/data/gpu:1",
        "registry.example.com/openshift/oauth-proxy:v4",
    ]

    said = play("playbooks/mirror_list.yml", tmp_path, inventory)
    assert changed(said) == {"berlin": 0, "dublin": 0}


def test_what_the_mirror_has_is_not_listed(tmp_path: Path) -> None:
    there = {"image_base": "mirror.example.com/debian:12", "image_registry": "mirror.example.com/dask"}
    play("playbooks/mirror_list.yml", tmp_path, clusters(tmp_path, berlin=there))
    assert listed(tmp_path / "list.yaml") == []


def test_a_list_needs_a_file(tmp_path: Path) -> None:
    said = play("playbooks/mirror_list.yml", tmp_path, fails=True)
    assert "Nothing was written. Set image_mirror_list to the path" in " ".join(said.split())


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"image_base": "no image"}, "The image reference 'no image' cannot be read"),
        ({"image_registry": "mirror"}, "The registry 'mirror' cannot be read: give its host"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, answers: dict[str, str], message: str) -> None:
    given = json.dumps({"image_mirror_list": str(tmp_path / "list.yaml"), **answers})
    said = play("playbooks/mirror_list.yml", tmp_path, "--extra-vars", given, fails=True)
    assert message in " ".join(said.split())


@pytest.mark.parametrize(
    ("answers", "mirrored"),
    [
        ({"image_base": "debian:12"}, "localhost:1/mirror/library/debian:12"),
        ({"image_reference": "registry.example.com/a/dask:1"}, "localhost:1/mirror/a/dask:1"),
    ],
)
def test_the_image_is_taken_from_the_mirror(tmp_path: Path, answers: dict[str, str], mirrored: str) -> None:
    """Which nothing answers for, so that it is named in what the engine is asked or in what the role says."""
    engine, asked = tmp_path / "engine", tmp_path / "asked"
    engine.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexit 1\n')
    engine.chmod(0o755)
    asked.touch()
    target = {"registry": {"kind": "none" if "image_reference" in answers else "push", "repository": "localhost:1/x"}}
    role = {"role": "daskops.kubernetes.image", "image_target": {"context": "none", **target}}
    role |= {"image_registry": "localhost:1/mirror", "image_docker_command": str(engine), **answers}
    said = play({"roles": [role]}, tmp_path, fails=True)
    assert mirrored in asked.read_text() + said


# --- what a survey answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "group"),
    [
        ({}, {"name": "default", "replicas": 3, "cpu": "1", "memory": "2Gi"}),
        ({"dask_workers": 5, "dask_worker_cpu": "2"}, {"name": "default", "replicas": 5, "cpu": "2", "memory": "2Gi"}),
        ({"dask_workers": "5"}, {"name": "default", "replicas": 5, "cpu": "1", "memory": "2Gi"}),
        ({"dask_workers": 5, "dask_worker_groups": [{"name": "gpu"}]}, {"name": "gpu"}),
    ],
)
def test_flat_variables_are_the_size_of_the_usual_group(
    tmp_path: Path, answers: dict[str, t.Any], group: dict[str, t.Any]
) -> None:
    """As the role's specification and the module that takes them see it: whole numbers may be strings."""
    told = tmp_path / "told.json"
    checked = {
        "vars_files": [str(ROOT / "roles/dask/defaults/main.yml")],
        "vars": {"spec": yaml.safe_load((ROOT / "roles/dask/meta/argument_specs.yml").read_text())},
        "tasks": [
            {
                "ansible.builtin.validate_argument_spec": {
                    "argument_spec": {
                        "dask_worker_groups": "{{ spec.argument_specs.main.options.dask_worker_groups }}",
                        "dask_workers": "{{ spec.argument_specs.main.options.dask_workers }}",
                    },
                    "provided_arguments": {
                        "dask_worker_groups": "{{ dask_worker_groups }}",
                        "dask_workers": "{{ dask_workers }}",
                    },
                }
            },
            {"ansible.builtin.copy": {"dest": str(told), "content": "{{ dask_worker_groups | to_json }}"}},
        ],
    }
    play(checked, tmp_path, "--extra-vars", json.dumps(answers))
    (found,) = json.loads(told.read_text())
    if "replicas" in found:
        found["replicas"] = int(found["replicas"])
    assert found == group


# --- roles/gke --------------------------------------------------------------------------------------------------------


def test_googles_registries_are_pushed_to_with_the_clusters_token(tmp_path: Path) -> None:
    found = {
        "kubeconfig": {"context": "gke_p_l_dask", "path": "/nowhere"},
        "managed": True,
        "cost_per_hour": {"min": 0, "max": 0, "unknown": []},
    }
    role = {"name": "daskops.kubernetes.gke", "tasks_from": "_hand_over.yml"}
    repositories = ["", "us.gcr.io/p/dask", "localhost:5004/dask", "registry.example.com/us-docker.pkg.dev/dask"]
    tasks = []
    for repository in repositories:
        tasks += [
            {"ansible.builtin.include_role": role, "vars": {"gke_image_repository": repository}},
            {"ansible.builtin.debug": {"msg": "registry: {{ gke_target.registry | to_json }}"}},
        ]
    given = {"gke_project": "my-project", "gke_location": "europe-west4-a", "__gke_result": found}
    said = play({"vars": given, "tasks": tasks}, tmp_path, environment={"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"})
    registries = [json.loads(line) for line in re.findall(r"registry: (\{.*?\})", " ".join(said.split()))]
    assert [registry["repository"] for registry in registries] == [
        "europe-west4-docker.pkg.dev/my-project/dask/dask",
        *repositories[1:],
    ]
    logins = [(registry["username"], registry["cluster_token"]) for registry in registries]
    assert logins == [("oauth2accesstoken", True)] * 2 + [("", False)] * 2
