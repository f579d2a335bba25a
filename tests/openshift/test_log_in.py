# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the role openshift logs in where no scenario does: as a pod, and by a kubeconfig."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client
from tests.openshift.conftest import add_sample
from tests.playbooks import JSON, JSONL, play, results


def hand_over(folder: Path, variables: JSON, environment: dict[str, str]) -> JSON:
    """The registry that the role hands over, and who it was to the cluster."""
    role = {"name": "daskops.kubernetes.openshift", "tasks_from": "target"}
    tasks = [
        {"ansible.builtin.import_role": role},
        {"ansible.builtin.debug": {"msg": {"registry": "{{ openshift_target.registry }}", "user": "{{ user }}"}}},
    ]
    variables = {**variables, "openshift_namespace": "lab", "user": "{{ __openshift_info.user }}"}
    printed = play({"tasks": tasks}, folder, "-e", json.dumps(variables), environment={**JSONL, **environment})
    return results(printed)[-1]["msg"]


@pytest.fixture
def registry(openshift: FakeOpenShift, api_server: ApiServer, client: t.Callable[[str], Client]) -> JSON:
    """The cluster's own, which is exposed, as a sample shows, and is pushed to by the user's token."""
    openshift.settings.public_registry = "registry.apps.example.test"
    add_sample(api_server, client)
    return {
        "kind": "push",
        "repository": "registry.apps.example.test/lab/dask",
        "pull_repository": "image-registry.openshift-image-registry.svc:5000/lab/dask",
        "cluster_token": True,
        "pull_secret": "",
        "account_pull_secrets": True,
    }


def test_a_pod_is_its_service_account(openshift: FakeOpenShift, tmp_path: Path, registry: JSON) -> None:
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(openshift.login("developer"))
    (account / "ca.crt").write_bytes(openshift.files.authority.read_bytes())
    where = urlsplit(openshift.url)
    environment = {"KUBERNETES_SERVICE_HOST": str(where.hostname), "KUBERNETES_SERVICE_PORT": str(where.port)}
    variables = {"__openshift_account": str(account), "openshift_registry_kind": "exposed"}
    assert hand_over(tmp_path, variables, environment) == {"user": "developer", "registry": registry}


@pytest.mark.parametrize("verify", ["False", "True"])
def test_the_environment_says_whether_the_certificate_is_checked(
    openshift: FakeOpenShift, tmp_path: Path, registry: JSON, verify: str
) -> None:
    authority = {"K8S_AUTH_SSL_CA_CERT": str(openshift.files.authority)} if verify == "True" else {}
    environment = {"K8S_AUTH_HOST": openshift.url, "K8S_AUTH_API_KEY": openshift.login("developer"), **authority}
    found = hand_over(tmp_path, {"openshift_registry_kind": "exposed"}, {**environment, "K8S_AUTH_VERIFY_SSL": verify})
    assert found == {"user": "developer", "registry": registry}


def test_a_kubeconfig_is_its_user(openshift: FakeOpenShift, tmp_path: Path, registry: JSON) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    openshift.kubeconfig(kubeconfig, openshift.login("developer"), "lab")
    variables = {"openshift_context": "openshift", "openshift_registry_kind": "exposed"}
    environment = {"K8S_AUTH_KUBECONFIG": str(kubeconfig)}
    assert hand_over(tmp_path, variables, environment) == {"user": "developer", "registry": registry}


def test_a_deployment_of_an_image_that_exists_has_the_stream_of_its_own_name(
    openshift: FakeOpenShift, tmp_path: Path
) -> None:
    """Its teardown removes that one, if it is there, and not another deployment's."""
    kubeconfig = tmp_path / "kubeconfig"
    openshift.kubeconfig(kubeconfig, openshift.login("developer"), "lab")
    variables = {
        "openshift_kubeconfig": str(kubeconfig),
        "openshift_context": "openshift",
        "image_reference": f"registry.example.test/dask@sha256:{'0' * 64}",
        "dask_name": "blue",
    }
    found = hand_over(tmp_path, variables, {})["registry"]
    assert found == {"kind": "openshift", "repository": "blue", "pull_secret": "", "account_pull_secrets": False}


def test_wrong_input_shows_no_secret(tmp_path: Path) -> None:
    """Ansible prints the whole specification of a role whose input is wrong."""
    secrets = {"K8S_AUTH_API_KEY": "sha256~of-the-environment", "K8S_AUTH_PASSWORD": "hunter2-of-the-environment"}
    tasks = [{"ansible.builtin.import_role": {"name": "daskops.kubernetes.openshift"}}]
    wrong = {"vars": {"openshift_hub_timeout": "abc"}, "tasks": tasks}
    said = play(wrong, tmp_path, environment=secrets, fails=True)
    assert "openshift_hub_timeout" in said
    assert [value for value in secrets.values() if value in said] == []
