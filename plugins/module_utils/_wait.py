# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Look at a deployment again and again, until it is ready or will not be."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _diagnosis, _route, _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._diagnosis import (
    Assessment,
    Finding,
    Observation,
    Want,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster, Unreachable

if t.TYPE_CHECKING:
    from types import TracebackType

    from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
    from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

JSON = dict[str, t.Any]

# A registration is seen at most this much later, and a status costs the scheduler a few milliseconds.
_STATUS_PAUSE = 0.1
# How long an API server may be away in the middle of a wait (a control plane that is upgraded, say).
_OUTAGE_GRACE = 30.0
# What it, or a proxy before it, answers while it is busy or not all there.
_OUTAGE_STATUSES = (429, 500, 502, 503, 504)


class Observer(t.Protocol):
    """Where observations come from."""

    def observe(self) -> Observation:
        """What there is to see now; raises DaskopsError."""

    def slow(self) -> list[str]:
        """What took long, in words."""


def wait(want: Want, observer: Observer, where: str, timeout: float, progress: Progress) -> JSON:
    """Return the module's result when all is ready; raise DaskopsError with a diagnosis if it will not be."""
    start = time.monotonic()
    first_seen: dict[tuple[str, str], float] = {}
    answered: float | None = None
    outage: float | None = None
    last: Assessment | None = None
    while True:
        now = time.monotonic()
        try:
            seen = observer.observe()
            if outage is not None:
                # What was found before is not known to have lasted meanwhile.
                first_seen = {key: since + now - outage for key, since in first_seen.items()}
                outage = None
        except (Unreachable, ApiError) as error:
            if isinstance(error, ApiError) and error.status not in _OUTAGE_STATUSES:
                raise
            outage = outage or now
            if now - outage > min(_OUTAGE_GRACE, timeout):
                raise
            time.sleep(0.5)
            continue
        last = _diagnosis.assess(want, seen)
        if seen.status is not None and answered is None:
            answered = now - start
        if last.ready:
            seconds = time.monotonic() - start
            return {
                **_numbers(last, seconds),
                "phases": {"scheduler": round(answered or 0, 2), "ready": round(seconds, 2)},
                "slow": observer.slow(),
            }
        # What is no longer found has healed; the next time it counts from the start.
        first_seen = {_key(f): first_seen.get(_key(f), now) for f in last.findings}
        for finding in last.findings:
            if now - first_seen[_key(finding)] >= finding.grace:
                raise _failure(where, finding, last, now - start)
        if now - start > timeout:
            raise _timeout(where, last, timeout)
        progress.say(last.progress)
        time.sleep(_STATUS_PAUSE)


def _key(finding: Finding) -> tuple[str, str]:
    # Not the cause: a log goes on, and counts in messages change.
    return finding.subject, finding.remedy


def _numbers(assessment: Assessment, seconds: float) -> JSON:
    return {
        "registered": sum(assessment.registered.values()),
        "groups": assessment.registered,
        "wanted": assessment.wanted,
        "seconds": round(seconds, 2),
    }


def _failure(where: str, finding: Finding, last: Assessment, seconds: float) -> DaskopsError:
    return DaskopsError(
        f"{where} will not be ready: {finding.subject}: {finding.cause.rstrip('.')}; {finding.remedy}. "
        f"({last.progress.split(';')[0]})",
        diagnosis={"subject": finding.subject, "cause": finding.cause, "remedy": finding.remedy},
        **_numbers(last, seconds),
    )


def _timeout(where: str, last: Assessment, timeout: float) -> DaskopsError:
    reasons = "; ".join(f"{f.subject}: {f.cause.rstrip('.')}" for f in last.findings[:3])
    short = [f"{group} {last.registered.get(group, 0)}/{n}" for group, n in last.wanted.items()]
    return DaskopsError(
        f"{where} is not ready after {timeout:.0f} s: {last.progress}"
        + (f" ({', '.join(short)})" if len(short) > 1 else "")
        + (f"; {reasons}" if reasons else "")
        + "; wait longer with dask_wait_timeout if it only needs time.",
        diagnosis={"subject": where, "cause": last.progress, "remedy": "wait longer, or see the pods' events"},
        **_numbers(last, timeout),
    )


class UrlObserver:
    """Sees a scheduler, and no cluster."""

    def __init__(self, source: _scheduler.Source) -> None:
        self._source = source

    def observe(self) -> Observation:
        """The scheduler's status."""
        return Observation(status=self._source.read())

    def slow(self) -> list[str]:
        """Cannot be known here."""
        return []


class ClusterObserver:
    """Sees a deployment's objects and its scheduler, through the API server.

    The scheduler is asked each time; objects are listed at most as often as listing them takes little of the time.
    """

    def __init__(self, cluster: Cluster, instance: Instance) -> None:
        self._cluster = cluster
        self._instance = instance
        self._stack = contextlib.ExitStack()
        self._source: _scheduler.FromTunnel | None = None
        self._pod = ""
        self._unanswered = ""
        self._objects = Observation()
        self._has_routes = True  # until the first answer
        self._next_list = 0.0

    def __enter__(self) -> t.Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def observe(self) -> Observation:
        """Objects, not much older than the status, and the scheduler's status."""
        if time.monotonic() >= self._next_list:
            self._list()
        status = self._status()
        seen = dataclasses.replace(self._objects, status=status, unanswered=self._unanswered)
        suspects = _diagnosis.suspects(seen)
        if suspects and seen.logs.keys() != {pod for pod, _previous in suspects}:
            logs = {pod: self._log(pod, previous) for pod, previous in suspects}
            seen = self._objects = dataclasses.replace(seen, logs=logs)
        return seen

    def slow(self) -> list[str]:
        """From the events of pulls."""
        events = self._cluster.items(self._instance.path("events"), fieldSelector="reason=Pulled")
        mine = {pod["metadata"]["uid"] for pod in self._objects.pods}
        return _diagnosis.slow_pulls(e for e in events if e.get("involvedObject", {}).get("uid") in mine)

    def _list(self) -> None:
        start = time.monotonic()
        selector = self._instance.selector
        pods = self._cluster.items(self._instance.path("pods"), labelSelector=selector)
        deployments = self._cluster.items(
            self._instance.path("deployments", group_version="apps/v1"), labelSelector=selector
        )
        if not deployments:
            raise DaskopsError(
                f"Cluster {self._cluster.name}: there is no {self._instance}; "
                "deploy it first, or check name and namespace."
            )
        replica_sets = self._cluster.items(
            self._instance.path("replicasets", group_version="apps/v1"), labelSelector=selector
        )
        claims = self._cluster.items(self._instance.path("persistentvolumeclaims"), labelSelector=selector)
        routes = self._routes() if self._has_routes else []
        events: list[JSON] = []
        if any(not pod.get("status", {}).get("containerStatuses") for pod in pods) or not pods:
            events = self._cluster.items(self._instance.path("events"))
        self._objects = Observation(
            None,
            tuple(deployments),
            tuple(replica_sets),
            tuple(pods),
            tuple(claims),
            tuple(routes),
            tuple(events),
        )
        took = time.monotonic() - start
        self._next_list = time.monotonic() + max(0.25, 3 * took)

    def _routes(self) -> list[JSON]:
        path = self._instance.path("routes", group_version=_route.GROUP_VERSION)
        found = self._cluster.visible_items(path, labelSelector=self._instance.selector) or []
        # A deployment that has none, on most clusters the kind itself, is not asked for any again.
        self._has_routes = bool(found)
        return found

    def _status(self) -> _scheduler.Status | None:
        self._unanswered = ""
        pod = _scheduler.scheduler_pod(self._objects.pods)
        if pod is None:
            return None
        try:
            if self._source is None or pod != self._pod:
                self._stack.close()
                self._source = self._stack.enter_context(_scheduler.connect(self._cluster, self._instance, pod))
                self._pod = pod
            return self._source.read()
        except Unreachable as error:
            # The pod may have gone since it was listed, and the connection with it.
            self._unanswered = error.message
            self._stack.close()
            self._source = None
            return None

    def _log(self, pod: str, previous: bool) -> list[str]:
        # The first container has the component's name.
        container = next(
            (
                _diagnosis.crashing(p) or p["metadata"]["labels"]["app.kubernetes.io/component"]
                for p in self._objects.pods
                if p["metadata"]["name"] == pod
            ),
            "worker",
        )
        return self._cluster.logs(self._instance.namespace, pod, container, previous=previous)
