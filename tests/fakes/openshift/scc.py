# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hold the policies that stand in for the SCC restricted-v2 against what OpenShift's own admission plugin answered.

python -m tests.fakes.openshift.scc --kubeconfig FILE --install

33 pods are given to the API server as an unprivileged user, by a dry run; scc_oracle.json holds what OpenShift's plugin
made of them. A namespace is made for it, and deleted afterwards. Exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import sys
import time
import typing as t
from pathlib import Path

from tests.fakes.openshift import manifests
from tests.fakes.openshift.errors import JSON
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.projects import allocation
from tests.fakes.openshift.state import AUTHENTICATED, Identity

ORACLE = Path(__file__).with_name("scc_oracle.json")
USER = Identity("scc-test", AUTHENTICATED)
_FIRST = 1_000_650_000  # of the namespace in which the answers were recorded
_SECONDS = 30.0
_DENIED: JSON = {"denied": True}


def _context(**fields: t.Any) -> JSON:
    return {"securityContext": fields}


def _volume(**source: t.Any) -> JSON:
    return {"volumes": [{"name": "v", **source}]}


def _init(**fields: t.Any) -> JSON:
    return {"initContainers": [{"name": "i", "image": "x", **fields}]}


# What a pod has beyond one container without anything, and what that container has.
_PODS: dict[str, JSON] = {
    "minimal": {},
    "uid0": _context(runAsUser=0),
    "uid1000": _context(runAsUser=1000),
    "uid-in-range": _context(runAsUser=_FIRST + 5),
    "nonroot-only": _context(runAsNonRoot=True),
    "fsgroup1000": _context(fsGroup=1000),
    "fsgroup-in": _context(fsGroup=_FIRST + 7),
    "supgroups5": _context(supplementalGroups=[5]),
    "runasgroup0": _context(runAsGroup=0),
    "seccomp-unconfined": _context(seccompProfile={"type": "Unconfined"}),
    "seccomp-rd": _context(seccompProfile={"type": "RuntimeDefault"}),
    "selinux-level": _context(seLinuxOptions={"level": "s0:c1,c2"}),
    "sysctl-unsafe": _context(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "hostpath": _volume(hostPath={"path": "/etc"}),
    "nfs": _volume(nfs={"server": "a", "path": "/"}),
    "shm": _volume(emptyDir={"medium": "Memory"}),
    "hostnetwork": {"hostNetwork": True},
    "hostpid": {"hostPID": True},
    "hostusers-false": {"hostUsers": False},
    "init": _init(),
    "init-uid0": _init(**_context(runAsUser=0)),
    "two-containers": {
        "containers": [
            {"name": "a", "image": "x"},
            {"name": "b", "image": "x", **_context(runAsUser=_FIRST + 9)},
        ]
    },
}
_CONTAINERS: dict[str, JSON] = {
    "uid0-container": _context(runAsUser=0),
    "uid-in-range-container": _context(runAsUser=_FIRST + 5),
    "ape-true": _context(allowPrivilegeEscalation=True),
    "drop-all": _context(allowPrivilegeEscalation=False, capabilities={"drop": ["ALL"]}),
    "drop-netraw": _context(capabilities={"drop": ["NET_RAW"]}),
    "add-nbs": _context(capabilities={"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}),
    "add-sysadmin": _context(capabilities={"add": ["SYS_ADMIN"]}),
    "seccomp-local-c": _context(seccompProfile={"type": "Localhost", "localhostProfile": "x.json"}),
    "hostport": {"ports": [{"containerPort": 80, "hostPort": 80}]},
    "privileged": _context(privileged=True),
    "ro-rootfs": _context(readOnlyRootFilesystem=True),
}


def pods() -> dict[str, JSON]:
    """The pods, by the names that they have in the recording."""
    made = {}
    for name in (*_PODS, *_CONTAINERS):
        container = {"name": "c", "image": "x", **_CONTAINERS.get(name, {})}
        spec = copy.deepcopy({"containers": [container], **_PODS.get(name, {})})
        made[name] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    return made


def recorded() -> dict[str, JSON]:
    """What OpenShift's plugin made of them."""
    return t.cast("dict[str, JSON]", json.loads(ORACLE.read_text(encoding="utf-8")))


def made_of(kube: Kube, namespace: str, pod: JSON) -> JSON:
    """What the cluster makes of a pod, in the form of the recording."""
    answer = kube.ask("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod, who=USER)
    if answer.status in (403, 422):
        message = json.loads(answer.content).get("message", "")
        if "cannot create resource" in message or "serviceaccount" in message:
            raise RuntimeError(f"The pods cannot be tried: {message}")  # refused, but not by the policies
        return {"denied": message}
    found = answer.json()
    spec = found["spec"]
    return {
        "scc": (found["metadata"].get("annotations") or {}).get("openshift.io/scc"),
        "pod": spec.get("securityContext"),
        "c": [each.get("securityContext") for each in spec["containers"]],
        "i": [each.get("securityContext") for each in spec.get("initContainers", [])],
        "hostUsers": spec.get("hostUsers"),
    }


def differences(kube: Kube, namespace: str) -> dict[str, tuple[JSON, JSON]]:
    """Of which pods the cluster makes something else than OpenShift: that, and what it should have been."""
    found = {}
    for name, expected in recorded().items():
        actual = made_of(kube, namespace, pods()[name])
        if _comparable(actual) != _comparable(expected):
            found[name] = (actual, expected)
    return found


def _comparable(answer: JSON) -> JSON:
    """An answer without the words of a refusal, and without the order of what is dropped."""
    if "denied" in answer:
        return _DENIED
    answer = copy.deepcopy(answer)
    for context in [*answer["c"], *answer["i"]]:
        if context and "capabilities" in context:
            context["capabilities"]["drop"] = sorted(context["capabilities"].get("drop", []))
    return answer


def make_namespace(kube: Kube, name: str) -> None:
    """Make a namespace like the one of the recording."""
    kube.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, **allocation(0)}}).json()


def prepare(kube: Kube, namespace: str) -> None:
    """Let the user make pods in it, and wait until that and the policies are in force."""
    rbac = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "edit"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": USER.name}],
    }
    kube.ask("POST", f"/apis/{rbac}/v1/namespaces/{namespace}/rolebindings", binding).json()
    account = kube.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    if account.status != 409:
        account.json()
    # The binding and the policies are in force a moment after they are there.
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(RuntimeError):
            if made_of(kube, namespace, pods()["minimal"]).get("scc"):
                return
        time.sleep(0.2)
    raise RuntimeError(f"After {_SECONDS:.0f} s the policies make nothing of a pod yet. Are they installed?")


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.openshift.scc",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of an admin of the cluster")
    parser.add_argument("--context", help="which context of the kubeconfig; by default its current one")
    parser.add_argument("--namespace", default="scc-test", help="(%(default)s)")
    parser.add_argument("--install", action="store_true", help="apply the policies first")
    arguments = parser.parse_args()
    kube = Kube(arguments.kubeconfig, arguments.context)
    if arguments.install:
        manifests.apply(kube, manifests.rendered(kube))
    make_namespace(kube, arguments.namespace)
    try:
        prepare(kube, arguments.namespace)
        found = differences(kube, arguments.namespace)
    finally:
        kube.ask("DELETE", f"/api/v1/namespaces/{arguments.namespace}")
    for name, (actual, expected) in found.items():
        print(f"{name}: {json.dumps(actual)}\n    instead of {json.dumps(expected)}")
    print(f"{len(recorded()) - len(found)} pods as in OpenShift, {len(found)} not")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
