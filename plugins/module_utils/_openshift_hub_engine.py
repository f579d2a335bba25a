# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Look at a hub, do what was planned, and wait for what becomes of it."""

from __future__ import annotations

import base64
import contextlib
import time
import traceback
import typing as t
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils import _apply, _openshift_hub, _private_file
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import FIELD_MANAGER
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import (
    APPLY_PATCH,
    ApiError,
    Cluster,
    Unreachable,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._openshift_hub import Observed, Plan, Want

try:
    import yaml

    YAML_IMPORT_ERROR: str | None = None
except ImportError:
    YAML_IMPORT_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    from ansible_collections.daskops.kubernetes.plugins.module_utils._openshift_hub import Assessment, Finding
    from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

JSON = dict[str, t.Any]

MERGE_PATCH = "application/merge-patch+json"
# Between two looks: a claim may be served in seconds, an installation takes the better part of an hour.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_NOT_READY = "is not ready"
# How long the hub may be away in the middle of a wait.
_OUTAGE_GRACE = 30.0


def check_path(path: str, hub: t.Any) -> Path:
    """Where the cluster's kubeconfig may go: neither over the one that all tools share, nor over the hub's."""
    chosen = Path(path).expanduser()
    others = {"the one that all tools share": Path.home() / ".kube" / "config"}
    if isinstance(hub, str):
        others["the hub's own"] = Path(hub).expanduser()
    for what, other in others.items():
        if chosen.resolve() == other.resolve():
            raise DaskopsError(
                f"The cluster wants a kubeconfig of its own, and {path} is {what}; give another path (kubeconfig_path)."
            )
    return chosen


class Engine:
    """One cluster of a hub."""

    def __init__(self, hub: Cluster, want: Want, path: Path, timeout: float, progress: Progress) -> None:
        self._hub = hub
        self._want = want
        self._path = path
        self._timeout = timeout
        self._progress = progress

    # --- looking ---

    def observe(self) -> Observed:
        """All that a plan or an assessment needs."""
        want = self._want
        cluster = self._find(want.kind, want.namespace, want.name)
        if isinstance(want.source, _openshift_hub.Claim):
            return self._observe_claim(want.source, cluster)
        path = _path("NodePool", want.namespace)
        wanted = {pool.name for pool in want.source.node_pools}
        pools = {
            item["metadata"]["name"]: item
            for item in self._hub.items(path)
            if (item.get("spec") or {}).get("clusterName") == want.name or item["metadata"]["name"] in wanted
        }
        return Observed(cluster, pools)

    def _observe_claim(self, claim: _openshift_hub.Claim, found: JSON | None) -> Observed:
        spec = (found or {}).get("spec") or {}
        name, namespace = spec.get("clusterPoolName") or claim.pool, spec.get("namespace")
        if namespace:
            try:
                # Its name is that of its namespace.
                return Observed(found, deployment=self._find("ClusterDeployment", namespace, namespace))
            except ApiError as error:
                if error.status != 403:
                    raise
                return Observed(found, denied=self._no_right(error, f"ClusterDeployment {namespace}/{namespace}"))
        try:
            pool = self._find("ClusterPool", self._want.namespace, name) if name else None
            return Observed(found, pool=pool, pools=() if pool else self._pools())
        except ApiError as error:
            if error.status != 403:
                raise
            return Observed(found)  # whoever may claim need not be able to see pools

    def _pools(self) -> tuple[str, ...]:
        """Pools that could be meant: those in the namespace or, where it has none, those of the hub."""
        items = self._hub.items(_path("ClusterPool", self._want.namespace))
        if items:
            return tuple(sorted(item["metadata"]["name"] for item in items))
        with contextlib.suppress(ApiError):
            items = self._hub.items(_path("ClusterPool"))
        return tuple(sorted(f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items))

    def _find(self, kind: str, namespace: str, name: str) -> JSON | None:
        return self._hub.find(_path(kind, namespace, name))

    def check_hub(self) -> None:
        """Say so where the hub does not have the kind at all: that looks like an object that is not there."""
        version = _group_version(self._want.kind)
        if self._hub.find(f"/apis/{version}") is None:
            what = "Hive" if version == _openshift_hub.HIVE else "HyperShift"
            raise DaskopsError(
                f"Hub {self._hub.name}: {self._want} cannot be had, as {version} is not served there; check kubeconfig "
                f"and context, or have {what} installed (multicluster engine)."
            )

    # --- doing ---

    def carry_out(self, plan: Plan, check: bool) -> list[tuple[str, JSON, JSON]]:
        """Do what was planned or, with C(check), have the hub say what would come of it.

        Returns what changes: a name, and how it was and will be.
        """
        dry = {"dryRun": "All"} if check else {}
        changes: list[tuple[str, JSON, JSON]] = []
        for item in plan.create:
            made = self._send("create", item, "POST", item, "application/json", fieldManager=FIELD_MANAGER, **dry)
            changes.append((_named(item), {}, _apply.shown(made)))
        for item in plan.change:
            found = self._find(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"])
            made = self._send(
                "change", item, "PATCH", {"spec": item["spec"]}, MERGE_PATCH, fieldManager=FIELD_MANAGER, **dry
            )
            changes.append((_named(item), _shown(item, found), _shown(item, made)))
        for item in plan.apply:
            found = self._find(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"])
            query = {"fieldManager": FIELD_MANAGER, "force": "true", **dry}
            before = _shown(item, found)
            after = _shown(item, self._send("apply", item, "PATCH", item, APPLY_PATCH, **query))
            if before != after:
                changes.append((_named(item), before, after))
        for item in plan.delete:
            if not check and not _openshift_hub.deleting(item):
                self._delete(item)
            changes.append((_named(item), _apply.shown(item), {}))
        return changes

    def _send(self, verb: str, item: JSON, method: str, body: JSON, content_type: str, **query: str) -> JSON:
        metadata = item["metadata"]
        path = _path(item["kind"], metadata["namespace"], None if method == "POST" else metadata["name"])
        self._progress.say(f"{verb} {_named(item)}")
        try:
            return self._hub.send(method, path, body, content_type, **query)
        except ApiError as error:
            raise self._refused(verb, item, error) from error

    def _delete(self, item: JSON) -> None:
        metadata = item["metadata"]
        # Not one of the same name that was made since.
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": metadata["uid"]}}
        self._progress.say(f"delete {_named(item)}")
        try:
            self._hub.send("DELETE", _path(item["kind"], metadata["namespace"], metadata["name"]), body)
        except ApiError as error:
            if error.status != 404:
                raise self._refused("delete", item, error) from error

    def _refused(self, verb: str, item: JSON, error: ApiError) -> DaskopsError:
        remedy = "correct what was asked for"
        if error.status == 404:
            self.check_hub()
            remedy = f"check that namespace {item['metadata']['namespace']} is there"
        elif error.status == 403:
            remedy = "ask for the right or use an account that has it"
        elif error.status == 409:
            remedy = "run it again, as somebody else changed it meanwhile"
        reason = " ".join(str(error.reason).split()).rstrip(".")[:500]
        return DaskopsError(
            f"Hub {self._hub.name}: to {verb} {_named(item)} was answered {error.status}: {reason}; {remedy}."
        )

    def _no_right(self, error: ApiError, what: str) -> DaskopsError:
        reason = " ".join(str(error.reason).split()).rstrip(".")[:300]
        remedy = "ask for the right to get it"
        if self._want.kind == "ClusterClaim":
            # Hive gives the subjects of a claim a role in the cluster's namespace, and nobody else.
            remedy = "name the account or a group of it among the claim's subjects (claim.subjects)"
        return DaskopsError(
            f"Hub {self._hub.name}: {self._want} is there, but reading {what} was answered {error.status}: {reason}; "
            f"{remedy}."
        )

    # --- waiting ---

    def wait_until_ready(self) -> tuple[Observed, Assessment]:
        """Wait for the cluster; raises DaskopsError where it will not come."""

        def look() -> tuple[Observed, Assessment]:
            seen = self.observe()
            return seen, _openshift_hub.assess(self._want, seen)

        return self._wait(_NOT_READY, look)

    def wait_until_gone(self, deleted: t.Sequence[JSON]) -> None:
        """Wait until what was deleted is no longer there."""
        claim = next((item for item in deleted if item["kind"] == "ClusterClaim"), {})
        namespace = str((claim.get("spec") or {}).get("namespace") or "")

        def look() -> tuple[None, Assessment]:
            left = [item for item in deleted if self._is_there(item)]
            deployment = None
            if left and namespace:
                with contextlib.suppress(ApiError):
                    deployment = self._find("ClusterDeployment", namespace, namespace)
            return None, _openshift_hub.assess_removal(self._want, left, deployment)

        self._wait("is not gone", look)

    def _is_there(self, item: JSON) -> bool:
        found = self._find(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"])
        return found is not None and found["metadata"].get("uid") == item["metadata"].get("uid")

    def _wait(self, what: str, look: t.Callable[[], tuple[t.Any, Assessment]]) -> tuple[t.Any, Assessment]:
        start, pause = time.monotonic(), _FIRST_PAUSE
        outage: float | None = None
        first_seen: dict[str, float] = {}
        while True:
            now = time.monotonic()
            try:
                seen, last = look()
                outage = None
            except (ApiError, Unreachable) as error:
                if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
                    raise
                outage = outage or now
                if now - outage > min(_OUTAGE_GRACE, self._timeout):
                    raise
                time.sleep(0.5)
                continue
            if last.ready:
                self._progress.say(last.progress)
                return seen, last
            first_seen = {finding.remedy: first_seen.get(finding.remedy, now) for finding in last.findings}
            for finding in last.findings:
                if now - first_seen[finding.remedy] >= finding.grace:
                    raise self._failure(finding)
            if now - start > self._timeout:
                raise self._timed_out(what, last)
            self._progress.say(last.progress)
            time.sleep(max(0.05, min(pause, start + self._timeout - now)))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _failure(self, finding: Finding) -> DaskopsError:
        subject = "" if finding.cause.startswith(str(self._want)) else f"{self._want}: "
        return DaskopsError(f"Hub {self._hub.name}: {subject}{finding.cause}; {finding.remedy}.")

    def _timed_out(self, what: str, last: Assessment) -> DaskopsError:
        why = "; ".join([last.progress, *(finding.cause for finding in last.findings)])
        stays = (
            "; the claim stays until it is released" if self._want.kind == "ClusterClaim" and what == _NOT_READY else ""
        )
        return DaskopsError(
            f"Hub {self._hub.name}: {self._want} {what} after {self._timeout:.0f} s: {why}; wait longer (timeout) if "
            f"it only needs time{stays}."
        )

    # --- the kubeconfig ---

    def kubeconfig(self, seen: Observed) -> tuple[str, str, str]:
        """The admin's kubeconfig as it is on the hub, its context, and the API server that it names."""
        where = _openshift_hub.kubeconfig_secret(self._want, seen)
        if where is None:
            if seen.denied:
                raise seen.denied
            raise DaskopsError(
                f"Hub {self._hub.name}: {self._want} is ready, but names no Secret with its admin's kubeconfig; have "
                "the hub's admins see to it."
            )
        namespace, name = where
        try:
            secret = self._hub.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except ApiError as error:
            raise self._no_right(error, f"Secret {namespace}/{name}") from error
        try:
            text = base64.b64decode(secret["data"]["kubeconfig"], validate=True).decode()
            content = yaml.safe_load(text)
            context = content.get("current-context") or content["contexts"][0]["name"]
            cluster = {each["name"]: each["context"]["cluster"] for each in content["contexts"]}[context]
            server = {each["name"]: each["cluster"]["server"] for each in content["clusters"]}[cluster]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, yaml.YAMLError):
            # Without the cause, which may quote what is secret.
            raise DaskopsError(
                f"Hub {self._hub.name}: Secret {namespace}/{name} of {self._want} holds no kubeconfig that can be "
                "read; have the hub's admins see to it."
            ) from None
        return text, str(context), str(server)

    def write_kubeconfig(self, text: str, check: bool) -> bool:
        """Write it for its owner only, unless it is there already; says whether that changes anything."""
        try:
            if _private_file.is_private(self._path) and self._path.read_text(encoding="utf-8") == text:
                return False
            if not check:
                self._progress.say(f"write {self._path}")
                _private_file.write(self._path, text)
        except (OSError, UnicodeError) as error:
            raise DaskopsError(
                f"The kubeconfig {self._path} could not be written: {error}; give another path (kubeconfig_path)."
            ) from error
        return True

    def remove_kubeconfig(self, check: bool) -> bool:
        """Remove it; says whether there was one."""
        there = self._path.is_file() or self._path.is_symlink()
        if there and not check:
            try:
                self._path.unlink()
            except OSError as error:
                raise DaskopsError(f"The kubeconfig {self._path} could not be removed: {error}; remove it.") from error
        return there


def _group_version(kind: str) -> str:
    return _openshift_hub.HYPERSHIFT if kind in ("HostedCluster", "NodePool") else _openshift_hub.HIVE


def _path(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    parts = [f"/apis/{_group_version(kind)}", *(["namespaces", namespace] if namespace else [])]
    return "/".join([*parts, _openshift_hub.PLURALS[kind], *([name] if name else [])])


def _named(item: JSON) -> str:
    return f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}"


def _shown(item: JSON, found: JSON | None) -> JSON:
    """An object as a diff shows it; C(item) says what kind it is."""
    return _apply.shown({"kind": item["kind"], **found}) if found else {}
