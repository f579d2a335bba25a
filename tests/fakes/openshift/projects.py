# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Projects: namespaces as the one sees them who may see them, and how somebody gets one without being an admin."""

from __future__ import annotations

import re
import time
import typing as t

from tests.fakes.openshift.errors import JSON, ApiError, exists, invalid
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.state import Identity, Settings

GROUP = "project.openshift.io"
SCC_LABEL = "scc.fake-openshift.test/enforce"  # namespaces that have it are held to the policies; see manifests
UID_RANGE = "openshift.io/sa.scc.uid-range"
GROUPS_RANGE = "openshift.io/sa.scc.supplemental-groups"
MCS = "openshift.io/sa.scc.mcs"
_FIRST_BLOCK, _BLOCK_SIZE = 1_000_650_000, 10_000
_RESERVED = ("openshift", "kubernetes", "kube")
_CHANGEABLE = ("openshift.io/display-name", "openshift.io/description")
_BINDING_SECONDS = 6.0  # for how long OpenShift, too, waits for a binding to take effect
_ACCOUNTS = ("default", "builder", "deployer")


class Projects:
    """Has no state but the cluster's."""

    def __init__(self, settings: Settings, kube: Kube) -> None:
        self._settings = settings
        self._kube = kube

    def may_request(self, who: Identity) -> None:
        """What listing requests is for: it says whether one may make one, in words that an admin can choose."""
        if not self._kube.may(who, "create", GROUP, "projectrequests"):
            message = self._settings.request_message
            raise ApiError("Forbidden", message, {"kind": "ProjectRequest", "causes": [{"message": message}]})

    def request(self, who: Identity, wanted: JSON, *, dry: bool = False) -> JSON:
        """Make a project of which the one who asks is the admin."""
        if not self._kube.may(who, "create", GROUP, "projectrequests"):
            raise forbidden(who, "create", GROUP, "projectrequests", "", "")
        name = (wanted.get("metadata") or {}).get("name") or ""
        for word in _RESERVED:
            if name == word or name.startswith(f"{word}-"):
                what = f'with the name "{word}"' if name == word else f'starting with "{word}-"'
                raise ApiError("Forbidden", f'project.{GROUP} "{name}" is forbidden: cannot request a project {what}')
        if len(name) < 2 or len(name) > 63 or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
            text = f'Invalid value: "{name}": a lowercase RFC 1123 label of 2 to 63 characters is wanted'
            raise invalid("ProjectRequest", GROUP, name, "metadata.name", text)
        if self._kube.ask("GET", f"/api/v1/namespaces/{name}").good:
            raise exists(f"project.{GROUP}", name)  # whoever has it: the requester is not told who that is
        annotations = {
            "openshift.io/requester": who.name,
            "openshift.io/display-name": wanted.get("displayName") or "",
            "openshift.io/description": wanted.get("description") or "",
        }
        metadata: JSON = {"name": name, **self._allocation()}
        metadata["annotations"] |= annotations  # a request's own labels and annotations count for nothing
        answer = self._kube.ask("POST", f"/api/v1/namespaces{'?dryRun=All' if dry else ''}", {"metadata": metadata})
        if answer.status == 409:
            raise exists(f"project.{GROUP}", name)
        made = answer.json()
        if not dry:
            try:
                self._furnish(name, who)
            except Exception:
                self._kube.ask("DELETE", f"/api/v1/namespaces/{name}")
                raise
        return project(made)

    def _furnish(self, name: str, who: Identity) -> None:
        """What the project template and OpenShift's controllers put into a project."""
        rbac = "rbac.authorization.k8s.io"
        bindings = [
            ("admin", {"kind": "ClusterRole", "name": "admin"}, {"apiGroup": rbac, "kind": "User", "name": who.name}),
            # Builds push with this account, and pods of the project pull what they have pushed.
            (
                "system:image-builders",
                {"kind": "ClusterRole", "name": "system:image-builder"},
                {"kind": "ServiceAccount", "name": "builder", "namespace": name},
            ),
            (
                "system:image-pullers",
                {"kind": "ClusterRole", "name": "system:image-puller"},
                {"apiGroup": rbac, "kind": "Group", "name": f"system:serviceaccounts:{name}"},
            ),
        ]
        for binding, role, subject in bindings:
            body = {"metadata": {"name": binding}, "roleRef": {"apiGroup": rbac, **role}, "subjects": [subject]}
            self._ensure(f"/apis/{rbac}/v1/namespaces/{name}/rolebindings", body)
        for account in _ACCOUNTS:
            self._ensure(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": account}})
        end = time.monotonic() + _BINDING_SECONDS
        while not self._kube.may(who, "get", "", "namespaces", name, name) and time.monotonic() < end:
            time.sleep(0.05)

    def _ensure(self, path: str, body: JSON) -> None:
        answer = self._kube.ask("POST", path, body)
        if answer.status != 409:  # the cluster's own controllers may have been faster
            answer.json()

    def allocate(self, name: str) -> JSON:
        """Give a namespace that somebody made directly what OpenShift's controller gives every one."""
        return self._kube.ask(
            "PATCH", f"/api/v1/namespaces/{name}", {"metadata": self._allocation()}, "application/merge-patch+json"
        ).json()

    def _allocation(self) -> JSON:
        """Labels and annotations of a namespace, with the first block of user ids that is free."""
        taken = {
            (found["metadata"].get("annotations") or {}).get(UID_RANGE, "").partition("/")[0]
            for found in self._kube.ask("GET", "/api/v1/namespaces").json()["items"]
        }
        return allocation(next(number for number in range(100_000) if str(block(number)) not in taken))

    def list(self, who: Identity) -> JSON:
        """Those that the one who asks may see, which is how OpenShift lets everybody list."""
        found = self._kube.ask("GET", "/api/v1/namespaces").json()
        every = self._kube.may(who, "list", "", "namespaces")
        items = [
            project(namespace)
            for namespace in found["items"]
            if every or self._kube.may(who, "get", "", "namespaces", *_twice(namespace["metadata"]["name"]))
        ]
        metadata = {"resourceVersion": found.get("metadata", {}).get("resourceVersion", "")}
        return {"kind": "ProjectList", "apiVersion": f"{GROUP}/v1", "metadata": metadata, "items": items}

    def get(self, who: Identity, name: str) -> JSON:
        self._check(who, "get", name)
        return project(self._kube.ask("GET", f"/api/v1/namespaces/{name}").json())

    def change(self, who: Identity, verb: str, name: str, patch: JSON, *, dry: bool = False) -> JSON:
        """Its name for people and its description, which is all that can be changed of a project."""
        self._check(who, verb, name)
        before = self._kube.ask("GET", f"/api/v1/namespaces/{name}").json()["metadata"]
        for field in ("annotations", "labels"):
            for key, value in (patch.get("metadata", {}).get(field) or {}).items():
                if key not in _CHANGEABLE and value != (before.get(field) or {}).get(key):
                    text = f'Invalid value: "{value}": field is immutable, try updating the namespace'
                    raise invalid("Project", GROUP, name, f"metadata.{field}[{key}]", text)
        annotations = patch.get("metadata", {}).get("annotations") or {}
        answer = self._kube.ask(
            "PATCH",
            f"/api/v1/namespaces/{name}{'?dryRun=All' if dry else ''}",
            {"metadata": {"annotations": annotations}},
            "application/merge-patch+json",
        )
        return project(answer.json())

    def delete(self, who: Identity, name: str, *, dry: bool = False) -> JSON:
        self._check(who, "delete", name)
        self._kube.ask("DELETE", f"/api/v1/namespaces/{name}{'?dryRun=All' if dry else ''}").json()
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _check(self, who: Identity, verb: str, name: str) -> None:
        """Whoever may not see a project is not told whether it is there."""
        if not self._kube.may(who, verb, GROUP, "projects", *_twice(name)):
            raise forbidden(who, verb, GROUP, "projects", name, name)


def _twice(name: str) -> tuple[str, str]:
    """A namespace is named as the object, and as where it is: by that a role in it gives the right."""
    return name, name


def forbidden(who: Identity, verb: str, group: str, resource: str, name: str, namespace: str) -> ApiError:
    """What an API server says to somebody who lacks a right."""
    plural = resource.partition("/")[0]
    of = f'{plural}.{group} "{name}"' if name else f"{plural}.{group}"
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    text = f'{of} is forbidden: User "{who.name}" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    details = {"name": name, "group": group, "kind": plural}
    return ApiError("Forbidden", text, {key: value for key, value in details.items() if value})


def block(number: int) -> int:
    """The first user id of a block."""
    return _FIRST_BLOCK + number * _BLOCK_SIZE


def allocation(number: int) -> dict[str, dict[str, str]]:
    """What a namespace gets: its block of ids, and a pair of SELinux categories of its own."""
    high, low = 26, 5 + number
    while low >= high:  # pairs in order: a higher one with each that is lower
        low -= high
        high += 1
    ids = f"{block(number)}/{_BLOCK_SIZE}"
    labels = {SCC_LABEL: "restricted-v2"}
    labels |= {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("audit", "warn")}
    return {"labels": labels, "annotations": {UID_RANGE: ids, GROUPS_RANGE: ids, MCS: f"s0:c{high},c{low}"}}


def project(namespace: JSON) -> JSON:
    """A namespace as a project."""
    kept = ("name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "labels", "annotations")
    metadata = {key: namespace["metadata"][key] for key in kept if key in namespace["metadata"]}
    phase = t.cast("JSON", namespace.get("status") or {}).get("phase", "Active")
    return {
        "kind": "Project",
        "apiVersion": f"{GROUP}/v1",
        "metadata": metadata,
        "spec": {"finalizers": (namespace.get("spec") or {}).get("finalizers", ["kubernetes"])},
        "status": {"phase": phase},
    }
