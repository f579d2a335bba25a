# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""OpenShift's own collection against the fake, as a playbook has it."""

from __future__ import annotations

import typing as t
from pathlib import Path

from tests.fakes.openshift import FakeOpenShift
from tests.openshift.test_builds import config, stream
from tests.playbooks import JSONL, play, results

AUTH = "community.okd.openshift_auth"
K8S = "community.okd.k8s"
SELF = "/apis/user.openshift.io/v1/users/~"


def tasks(where: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    login = {**where, "username": "developer", "password": "{{ password }}"}
    token = "{{ login.openshift_auth.api_key }}"
    who_am_i = {
        "url": where["host"] + SELF,
        "headers": {"Authorization": f"Bearer {token}"},
        "ca_path": where["ca_cert"],
        "status_code": "{{ expected }}",
    }
    cluster = {"host": where["host"], "ca_cert": where["ca_cert"], "api_key": token}
    project = {"apiVersion": "project.openshift.io/v1", "kind": "Project", "metadata": {"name": "lab"}}
    typo = config(dockerfilepath="x")
    typo["metadata"] = {"name": "typo", "namespace": "lab"}
    objects = [stream(), config()]
    for each in objects:
        each["metadata"]["namespace"] = "lab"
    return [
        {AUTH: login, "vars": {"password": "wrong"}, "register": "wrong", "failed_when": "wrong is not failed"},
        {AUTH: login, "vars": {"password": "secret"}, "register": "login"},
        {"ansible.builtin.uri": who_am_i, "vars": {"expected": 200}, "register": "before"},
        # There is none, so that the module asks for one.
        {K8S: {**cluster, "definition": project}, "register": "project"},
        {K8S: {**cluster, "definition": project}, "register": "project_again"},
        {K8S: {**cluster, "definition": objects}, "register": "objects"},
        {K8S: {**cluster, "definition": objects}, "register": "objects_again"},
        {K8S: {**cluster, "definition": typo}, "register": "typo", "failed_when": "typo is not failed"},
        {AUTH: {**where, "state": "absent", "api_key": token}, "register": "logout"},
        {"ansible.builtin.uri": who_am_i, "vars": {"expected": 401}},
        {
            "ansible.builtin.debug": {
                "msg": {
                    "wrong": "{{ wrong.req_status_code }}",
                    "user": "{{ before.json.metadata.name }}",
                    "changed": "{{ [project.changed, objects.changed, logout.changed] }}",
                    "again": "{{ [project_again.changed, objects_again.changed] }}",
                    "typo": "{{ typo.msg }}",
                }
            }
        },
    ]


def test_from_login_to_logout(openshift: FakeOpenShift, tmp_path: Path) -> None:
    content = {"tasks": tasks({"host": openshift.url, "ca_cert": str(openshift.files.authority)})}
    # In TMPDIR clients keep what they have discovered.
    environment = {**JSONL, "ANSIBLE_PIPELINING": "1", "TMPDIR": str(tmp_path)}
    said = results(play(content, tmp_path, environment=environment, bare=True))[-1]["msg"]
    assert (str(said["wrong"]), said["user"]) == ("401", "developer")
    assert (said["changed"], said["again"]) == ([True, True, True], [False, False])
    assert "unknown field" in said["typo"]
    assert "spec.strategy.dockerStrategy.dockerfilepath" in said["typo"]
    assert [(record.verb, record.path, record.status) for record in openshift.requests if "users" in record.path] == [
        ("GET", SELF, 200),
        ("GET", SELF, 401),
    ]
    assert openshift.unknown == []
