# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stands in for the controllers of Hive and HyperShift: moves claims and hosted clusters on, a phase at a time.

The phases, reasons and messages are those of openshift/hive, pkg/controller/clusterclaim and clusterpool, and of
openshift/hypershift, api/hypershift/v1beta1. Every cluster that is handed out is the one of a given kubeconfig.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import traceback
import typing as t
from pathlib import Path

import yaml

from tests.fakes.hub import manifests
from tests.fakes.openshift.errors import JSON
from tests.fakes.openshift.kube import Kube, Passed

HIVE = "/apis/hive.openshift.io/v1"
HYPERSHIFT = "/apis/hypershift.openshift.io/v1beta1"
# Annotation of a pool: what does not go as it should with its clusters. One of never, broken, stopped, stuck.
BEHAVIOUR = "fake-hub/behaviour"
VERSION = "4.20.4"
_CLAIM_FINALIZER = "hive.openshift.io/claim"
_CLUSTER_FINALIZER = "hypershift.openshift.io/finalizer"
_MERGE = "application/merge-patch+json"
_UNITS = {"h": 3600, "m": 60, "s": 1}


def handed_out(text: str, context: str | None = None) -> str:
    """A kubeconfig as the installer writes it: one cluster, and one context called admin."""
    content = yaml.safe_load(text)
    named = {
        kind: {each["name"]: each[kind] for each in content[f"{kind}s"]} for kind in ("context", "cluster", "user")
    }
    chosen = named["context"][context or content["current-context"]]
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": named["cluster"][chosen["cluster"]]}],
            "users": [{"name": "admin", "user": named["user"][chosen["user"]]}],
            "contexts": [{"name": "admin", "context": {"cluster": "fake", "user": "admin"}}],
            "current-context": "admin",
        },
        sort_keys=False,
    )


class FakeHub:
    """The controllers, on the cluster of a kubeconfig that becomes the hub."""

    def __init__(self, kubeconfig: Path, hand_out: str, context: str | None = None, pause: float = 0.05) -> None:
        self.kube = Kube(kubeconfig, context)
        self.hand_out = hand_out
        self.errors: list[str] = []
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> t.Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join(10)

    def install(self) -> None:
        """Make the cluster know the kinds."""
        manifests.install(self.kube)

    def add_pool(self, namespace: str, name: str, size: int, behaviour: str = "") -> None:
        """A pool, and its namespace if need be."""
        self._create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        annotations = {BEHAVIOUR: behaviour} if behaviour else {}
        pool = {
            "apiVersion": "hive.openshift.io/v1",
            "kind": "ClusterPool",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
            "spec": {"size": size, "baseDomain": "example.test"},
        }
        self._create(f"{HIVE}/namespaces/{namespace}/clusterpools", pool)

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            try:
                self.tick()
            except Passed as error:
                if error.status not in (404, 409):  # whoever was meant has gone or was changed: the next look tells
                    self.errors.append(str(error))
            except Exception:
                self.errors.append(traceback.format_exc())

    def tick(self) -> None:
        """Move everything on by one phase."""
        for pool in self._items(f"{HIVE}/clusterpools"):
            self._pool(pool)
        for claim in self._items(f"{HIVE}/clusterclaims"):
            self._claim(claim)
        for cluster in self._items(f"{HYPERSHIFT}/hostedclusters"):
            self._hosted_cluster(cluster)
        for pool in self._items(f"{HYPERSHIFT}/nodepools"):
            self._node_pool(pool)

    # --- Hive ---

    def _pool(self, pool: JSON) -> None:
        """Its clusters are there at once and hibernate, but for a pool that never gets any."""
        size = pool["spec"]["size"]
        standby = 0 if _behaviour(pool) == "never" else size
        status = {"size": size, "standby": standby, "ready": 0}
        if {name: (pool.get("status") or {}).get(name) for name in status} != status:
            self._status(_path(HIVE, "clusterpools", pool), status)

    def _claim(self, claim: JSON) -> None:
        path = _path(HIVE, "clusterclaims", claim)
        metadata, spec = claim["metadata"], claim["spec"]
        if metadata.get("deletionTimestamp"):
            self._release(path, claim)
        elif _CLAIM_FINALIZER not in (metadata.get("finalizers") or []):
            again: JSON = {"metadata": {"finalizers": [_CLAIM_FINALIZER]}}
            if "lifetime" in spec:
                again["spec"] = {"lifetime": _as_go_writes(spec["lifetime"])}  # as it has read and written the object
            self._merge(path, again)
            initialized = ("Unknown", "Initialized", "Condition Initialized")
            self._conditions(path, claim, Pending=initialized, ClusterRunning=initialized)
        elif not spec.get("namespace"):
            self._assign(path, claim)
        else:
            self._follow(path, claim)

    def _assign(self, path: str, claim: JSON) -> None:
        namespace = claim["metadata"]["namespace"]
        pool = self._find(f"{HIVE}/namespaces/{namespace}/clusterpools/{claim['spec']['clusterPoolName']}")
        if pool is None:
            return  # nobody says anything about it
        if not (pool.get("status") or {}).get("standby"):
            message = "No clusters in pool are ready to be claimed"
            self._conditions(path, claim, Pending=("True", "NoClusters", message))
            return
        suffix = hashlib.sha256(claim["metadata"]["uid"].encode()).hexdigest()[:5]
        name = f"{pool['metadata']['name']}-{suffix}"
        self._create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        secret = f"{name}-admin-kubeconfig"
        self._create(f"/api/v1/namespaces/{name}/secrets", self._secret(secret, name))
        deployment = {
            "apiVersion": "hive.openshift.io/v1",
            "kind": "ClusterDeployment",
            "metadata": {"name": name, "namespace": name, "annotations": pool["metadata"].get("annotations") or {}},
            "spec": {
                "clusterName": name,
                "baseDomain": pool["spec"]["baseDomain"],
                "installed": True,
                "powerState": "Running",
                "clusterMetadata": {"adminKubeconfigSecretRef": {"name": secret}},
                "clusterPoolRef": {
                    "namespace": namespace,
                    "poolName": pool["metadata"]["name"],
                    "claimName": claim["metadata"]["name"],
                },
            },
        }
        self._create(f"{HIVE}/namespaces/{name}/clusterdeployments", deployment)
        self._status(f"{HIVE}/namespaces/{name}/clusterdeployments/{name}", {"powerState": "Hibernating"})
        self._merge(path, {"spec": {"namespace": name}})

    def _follow(self, path: str, claim: JSON) -> None:
        name = claim["spec"]["namespace"]
        where = f"{HIVE}/namespaces/{name}/clusterdeployments/{name}"
        deployment = self._find(where)
        if deployment is None:
            gone = ("False", "ClusterDeleted", "Assigned cluster has been deleted")
            self._conditions(path, claim, ClusterRunning=gone)
            return
        claimed = ("False", "ClusterClaimed", "Cluster claimed")
        resuming = ("False", "Resuming", "Waiting for cluster to be running")
        power = (deployment.get("status") or {}).get("powerState")
        self._power(where, deployment, str(power))
        running = ("True", "Running", "Cluster is running") if power == "Running" else resuming
        self._conditions(path, claim, Pending=claimed, ClusterRunning=running)

    def _power(self, where: str, deployment: JSON, power: str) -> None:
        """Starting and stopping machines, or not."""
        name, behaviour = deployment["metadata"]["name"], _behaviour(deployment)
        if deployment["spec"]["powerState"] == "Hibernating":
            if power != "Hibernating":
                self._status(where, {"powerState": "Hibernating"})
        elif behaviour == "broken":
            message = "Failed to start machines: no capacity left"
            conditions = [{"type": "Ready", "status": "False", "reason": "FailedToStartMachines", "message": message}]
            self._status(where, {"powerState": "FailedToStartMachines", "conditions": conditions})
        elif behaviour == "stopped":
            message = "The installation has failed: the quota of the account is used up"
            failed = {"type": "ProvisionFailed", "status": "True", "reason": "QuotaExceeded", "message": message}
            stopped = {"type": "ProvisionStopped", "status": "True", "reason": "InstallAttemptsLimitReached"}
            self._status(where, {"conditions": [failed, stopped]})
        elif power == "Hibernating":
            self._status(where, {"powerState": "StartingMachines"})
        elif power != "Running":
            domain = f"{name}.{deployment['spec']['baseDomain']}"
            status = {"powerState": "Running", "apiURL": f"https://api.{domain}:6443", "installVersion": VERSION}
            status["webConsoleURL"] = f"https://console-openshift-console.apps.{domain}"
            self._status(where, status)

    def _release(self, path: str, claim: JSON) -> None:
        """The finalizer goes when the cluster has gone, which takes a phase."""
        name = claim["spec"].get("namespace")
        where = f"{HIVE}/namespaces/{name}/clusterdeployments/{name}"
        deployment = self._find(where) if name else None
        if deployment is None:
            self._merge(path, {"metadata": {"finalizers": []}})
        elif _behaviour(deployment) == "stuck":
            condition = {"type": "Provisioned", "status": "False", "reason": "DeprovisionFailed"}
            condition["message"] = "Deprovision failed: the cloud account is locked"
            self._status(where, {"conditions": [condition]})
        else:
            self.kube.ask("DELETE", where)
            self.kube.ask("DELETE", f"/api/v1/namespaces/{name}")

    # --- HyperShift ---

    def _hosted_cluster(self, cluster: JSON) -> None:
        path = _path(HYPERSHIFT, "hostedclusters", cluster)
        metadata, status = cluster["metadata"], cluster.get("status") or {}
        name, namespace = metadata["name"], metadata["namespace"]
        secret = f"{name}-admin-kubeconfig"
        if metadata.get("deletionTimestamp"):
            for pool in self._node_pools(namespace, name):
                self.kube.ask("DELETE", _path(HYPERSHIFT, "nodepools", pool))
            self.kube.ask("DELETE", f"/api/v1/namespaces/{namespace}/secrets/{secret}")
            if not self._node_pools(namespace, name):
                self._merge(path, {"metadata": {"finalizers": []}})
            return
        if _CLUSTER_FINALIZER not in (metadata.get("finalizers") or []):
            self._merge(path, {"metadata": {"finalizers": [_CLUSTER_FINALIZER]}})
            waiting = ("False", "WaitingForAvailable", "Waiting for hosted control plane to be healthy")
            self._conditions(path, cluster, Available=waiting)
            return
        if "invalid" in cluster["spec"]["release"]["image"]:
            wrong = ("False", "InvalidImage", "failed to look up the release image")
            self._conditions(path, cluster, ValidReleaseImage=wrong)
            return
        if cluster["spec"]["platform"].get("type") == "Broken":
            message = "etcd has no quorum"
            degraded = ("True", "UnhealthyControlPlane", "capi-provider deployment has 1 unavailable replicas")
            self._conditions(path, cluster, EtcdAvailable=("False", "EtcdWaitingForQuorum", message), Degraded=degraded)
            return
        if not status.get("kubeconfig"):
            self._create(f"/api/v1/namespaces/{namespace}/secrets", self._secret(secret, namespace))
            endpoint = {"host": f"api.{name}.example.test", "port": 6443}
            self._status(path, {"kubeconfig": {"name": secret}, "controlPlaneEndpoint": endpoint})
            return
        if not status.get("version"):
            history = [{"state": "Completed", "version": VERSION, "image": cluster["spec"]["release"]["image"]}]
            self._status(path, {"version": {"history": history}})
        available = ("True", "AsExpected", "The hosted control plane is available")
        fine = ("False", "AsExpected", "The hosted cluster is not degraded")
        self._conditions(path, cluster, Available=available, Degraded=fine)

    def _node_pools(self, namespace: str, cluster: str) -> list[JSON]:
        found = self._items(f"{HYPERSHIFT}/namespaces/{namespace}/nodepools")
        return [pool for pool in found if pool["spec"].get("clusterName") == cluster]

    def _node_pool(self, pool: JSON) -> None:
        """A node each time."""
        path, namespace = _path(HYPERSHIFT, "nodepools", pool), pool["metadata"]["namespace"]
        cluster = self._find(f"{HYPERSHIFT}/namespaces/{namespace}/hostedclusters/{pool['spec']['clusterName']}")
        if cluster is None or not (cluster.get("status") or {}).get("version"):
            return
        asked, has = pool["spec"].get("replicas", 0), (pool.get("status") or {}).get("replicas") or 0
        if has != asked:
            has += 1 if has < asked else -1
            self._status(path, {"replicas": has, "version": VERSION})
        ready = ("True", "AsExpected", "All is well")
        waiting = ("False", "WaitingForNodes", f"{has} of {asked} nodes are ready")
        self._conditions(path, pool, Ready=ready if has == asked else waiting)

    # --- the API server ---

    def _secret(self, name: str, namespace: str) -> JSON:
        data = {"kubeconfig": base64.b64encode(self.hand_out.encode()).decode()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}

    def _items(self, path: str) -> list[JSON]:
        reply = self.kube.ask("GET", path)
        return reply.json()["items"] if reply.status != 404 else []

    def _find(self, path: str) -> JSON | None:
        reply = self.kube.ask("GET", path)
        return reply.json() if reply.status != 404 else None

    def _create(self, path: str, item: JSON) -> None:
        reply = self.kube.ask("POST", path, item)
        if reply.status != 409:
            reply.json()

    def _merge(self, path: str, patch: JSON) -> None:
        self.kube.ask("PATCH", path, patch, _MERGE).json()

    def _status(self, path: str, status: JSON) -> None:
        self._merge(f"{path}/status", {"status": status})

    def _conditions(self, path: str, item: JSON, **conditions: tuple[str, str, str]) -> None:
        """Set conditions, each of status, reason and message, where they are others."""
        there = (self._find(path) or item).get("status") or {}
        before = there.get("conditions") or []
        new = [
            {"type": kind, "status": status, "reason": reason, "message": message}
            for kind, (status, reason, message) in conditions.items()
        ]
        if not all(each in before for each in new):
            kept = [each for each in before if each["type"] not in conditions]
            self._status(path, {"conditions": [*kept, *new]})


def _path(group: str, plural: str, item: JSON) -> str:
    return f"{group}/namespaces/{item['metadata']['namespace']}/{plural}/{item['metadata']['name']}"


def _behaviour(item: JSON) -> str:
    return str((item["metadata"].get("annotations") or {}).get(BEHAVIOUR) or "")


def _as_go_writes(duration: str) -> str:
    """90m is 1h30m0s."""
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))
    return f"{seconds // 3600}h{seconds // 60 % 60}m{seconds % 60}s"
