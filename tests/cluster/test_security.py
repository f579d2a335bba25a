# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What others may not do."""

from __future__ import annotations

import time
import typing as t

from kubernetes import client as kubernetes_client
from kubernetes.stream import stream

JSON = dict[str, t.Any]


def test_the_namespace_enforces_restricted(known: JSON, kubernetes: kubernetes_client.ApiClient) -> None:
    namespace = kubernetes_client.CoreV1Api(kubernetes).read_namespace(known["namespace"])
    assert namespace.metadata.labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_pod_has_a_token_or_may_write_to_its_root(known: JSON, kubernetes: kubernetes_client.ApiClient) -> None:
    pods = kubernetes_client.CoreV1Api(kubernetes).list_namespaced_pod(known["namespace"]).items
    assert len(pods) >= 5
    for pod in pods:
        assert pod.spec.automount_service_account_token is False
        for container in pod.spec.containers:
            assert container.security_context.read_only_root_filesystem is True


def _connects(kubernetes: kubernetes_client.ApiClient, namespace: str, pod: str, host: str, port: int) -> bool:
    program = (
        f"import socket\ntry:\n socket.create_connection(('{host}', {port}), 3).close(); print('connected')\n"
        "except OSError as e:\n print('refused', e)"
    )
    core = kubernetes_client.CoreV1Api(kubernetes)
    command = ["python", "-c", program]
    said: str = stream(core.connect_get_namespaced_pod_exec, pod, namespace, command=command, stdout=True, stderr=True)
    return "connected" in said


def test_a_pod_of_others_reaches_no_port_of_ours(known: JSON, kubernetes: kubernetes_client.ApiClient) -> None:
    core = kubernetes_client.CoreV1Api(kubernetes)
    pods = core.list_namespaced_pod(known["namespace"]).items
    one = {pod.metadata.labels["app.kubernetes.io/component"]: pod for pod in pods}
    image = one["scheduler"].spec.containers[0].image
    core.create_namespaced_pod(
        "default",
        kubernetes_client.V1Pod(
            metadata=kubernetes_client.V1ObjectMeta(name="stranger"),
            spec=kubernetes_client.V1PodSpec(
                containers=[kubernetes_client.V1Container(name="stranger", image=image, command=["sleep", "600"])]
            ),
        ),
    )
    try:
        for _attempt in range(120):
            if core.read_namespaced_pod("stranger", "default").status.phase == "Running":
                break
            time.sleep(0.5)
        scheduler, worker = one["scheduler"].status.pod_ip, one["worker"].status.pod_ip
        # The doors: TLS with a certificate, and a password.
        assert _connects(kubernetes, "default", "stranger", scheduler, 8786)
        assert _connects(kubernetes, "default", "stranger", one["notebook"].status.pod_ip, 8888)
        # What has no lock of its own.
        assert not _connects(kubernetes, "default", "stranger", scheduler, 8787)
        assert not _connects(kubernetes, "default", "stranger", worker, 8788)
        assert not _connects(kubernetes, "default", "stranger", worker, 8789)
        # The same ports, from inside: else the four lines above would prove nothing.
        inside = one["notebook"].metadata.name
        assert _connects(kubernetes, known["namespace"], inside, scheduler, 8787)
        assert _connects(kubernetes, known["namespace"], inside, worker, 8788)
        assert _connects(kubernetes, known["namespace"], inside, worker, 8789)
    finally:
        core.delete_namespaced_pod("stranger", "default", grace_period_seconds=0)
