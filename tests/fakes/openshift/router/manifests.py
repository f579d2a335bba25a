# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the router is in the cluster."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t

from tests.fakes.openshift.admission import GROUP
from tests.fakes.openshift.errors import JSON
from tests.fakes.openshift.router.router import HEALTH, HTTP, HTTPS

NAMESPACE, NAME = "openshift-ingress", "router-default"
_ROLE = "openshift-ingress-router"
_LABELS = {"ingresscontroller.operator.openshift.io/deployment-ingresscontroller": "default"}  # OpenShift's own
# By either of the first two NetworkPolicies let the router in, as OpenShift documents it.
_NAMESPACE_LABELS = {
    "policy-group.network.openshift.io/ingress": "",
    "network.openshift.io/policy-group": "ingress",
    "pod-security.kubernetes.io/enforce": "restricted",
}


def objects(
    image: str,
    domain: str,
    certificate: bytes,
    key: bytes,
    https_port: int,
    http_port: int | None = None,
    allowed_domains: t.Sequence[str] = (),
) -> list[JSON]:
    """All of them, in the order in which they can be applied. The ports are those of the nodes."""
    tls = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _ROLE}
    rules = [
        {"apiGroups": [GROUP], "resources": ["routes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [GROUP], "resources": ["routes/status"], "verbs": ["patch", "update"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["list"]},
    ]
    http = {"name": "http", "port": 80, "targetPort": "http"} | ({"nodePort": http_port} if http_port else {})
    https = {"name": "https", "port": 443, "targetPort": "https", "nodePort": https_port}
    return [
        _object("v1", "Namespace", NAMESPACE, labels=_NAMESPACE_LABELS),
        _object("v1", "ServiceAccount", NAME),
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", _ROLE, rules=rules),
        _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", _ROLE, roleRef=role, subjects=[subject]),
        _object("v1", "Secret", "router-certs-default", type="kubernetes.io/tls", data=tls),
        _object("apps/v1", "Deployment", NAME, spec=_deployment(image, domain, allowed_domains, tls)),
        _object("v1", "Service", NAME, spec={"type": "NodePort", "selector": _LABELS, "ports": [http, https]}),
    ]


def _object(version: str, kind: str, name: str, labels: t.Mapping[str, str] | None = None, **rest: t.Any) -> JSON:
    metadata = {"name": name, "labels": dict(labels or _LABELS)}
    if kind not in ("Namespace", "ClusterRole", "ClusterRoleBinding"):
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _deployment(image: str, domain: str, allowed_domains: t.Sequence[str], tls: JSON) -> JSON:
    arguments = ["--domain", domain, "--certificate", "/etc/router/tls", "--folder", "/run/router"]
    for each in allowed_domains:
        arguments += ["--allowed-domain", each]
    container = {
        "name": "router",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "ports": [{"name": "http", "containerPort": HTTP}, {"name": "https", "containerPort": HTTPS}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": HEALTH}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "tls", "mountPath": "/etc/router/tls", "readOnly": True},
            {"name": "run", "mountPath": "/run/router"},
            {"name": "run", "mountPath": "/tmp"},
        ],
    }
    spec = {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": 15,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1001,
            "fsGroup": 1001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "tls", "secret": {"secretName": "router-certs-default"}},
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "32Mi"}},
        ],
    }
    # The certificate is read when the pod starts: another one makes another pod.
    annotations = {"router/certificate": hashlib.sha256(json.dumps(tls, sort_keys=True).encode()).hexdigest()[:16]}
    return {
        "replicas": 1,
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS, "annotations": annotations}, "spec": spec},
    }
