# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes a cluster look like OpenShift to those who deploy to it: its roles, Routes, and the SCC restricted-v2."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from urllib.parse import quote

import yaml

from tests.fakes.openshift.errors import JSON
from tests.fakes.openshift.kube import Kube

FOLDER = Path(__file__).parent
DOMAIN = "apps.example.test"  # as it stands in the files
_ADMISSION = "admissionregistration.k8s.io"
_HINT = (
    f"Before Kubernetes 1.36 it needs the feature gate MutatingAdmissionPolicy and the runtime configuration "
    f"{_ADMISSION}/v1beta1=true."
)
_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "CustomResourceDefinition": "customresourcedefinitions",
    "Deployment": "deployments",
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
    "Namespace": "namespaces",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


def read(domain: str = DOMAIN) -> list[JSON]:
    """All objects, in the order in which they can be applied."""
    objects: list[JSON] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        objects += yaml.safe_load(path.read_text(encoding="utf-8").replace(DOMAIN, domain))
    return objects


def rendered(kube: Kube, domain: str = DOMAIN) -> list[JSON]:
    """The same, of the version of mutating policies that the cluster has: v1 from Kubernetes 1.36 on."""
    objects = read(domain)
    found = kube.ask("GET", f"/apis/{_ADMISSION}/v1").json()
    if any(resource["name"] == "mutatingadmissionpolicies" for resource in found["resources"]):
        for each in objects:
            each["apiVersion"] = each["apiVersion"].replace(f"{_ADMISSION}/v1beta1", f"{_ADMISSION}/v1")
    return objects


def apply(kube: Kube, objects: t.Iterable[JSON]) -> None:
    """Server-side apply, as an admin."""
    for each in objects:
        name = quote(each["metadata"]["name"], safe="")
        api = f"/api{'s' if '/' in each['apiVersion'] else ''}/{each['apiVersion']}"
        if namespace := each["metadata"].get("namespace"):
            api += f"/namespaces/{namespace}"
        path = f"{api}/{_PLURALS[each['kind']]}/{name}?fieldManager=fake-openshift&force=true"
        answer = kube.ask("PATCH", path, each, "application/apply-patch+yaml")
        if not answer.good:
            text = json.loads(answer.content or b"{}").get("message", f"HTTP {answer.status}")
            if answer.status == 404 and each["kind"].startswith("Mutating"):
                text = "the cluster does not serve it. " + _HINT
            raise RuntimeError(f"{each['kind']} {each['metadata']['name']} cannot be applied: {text}")
