# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What a deployment has to be checked against: asked of the API server, as far as the user may see it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.daskops.kubernetes.plugins.module_utils import _namespace, _quota
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster

JSON = dict[str, t.Any]
_T = t.TypeVar("_T")


@dataclass(frozen=True)
class Facts:
    """What was found; None is what the user may not see, or what was not needed."""

    namespace_exists: bool | None
    namespace: JSON | None = None
    storage_classes: list[JSON] | None = None
    quotas: list[JSON] | None = None
    limit_ranges: list[JSON] | None = None
    priority_classes: list[JSON] = field(default_factory=list)
    # The deployment's own; pods and Services are needed only where there are quotas.
    pods: list[JSON] = field(default_factory=list)
    claims: list[JSON] = field(default_factory=list)
    services: list[JSON] = field(default_factory=list)

    @property
    def quota_checked(self) -> bool:
        """Whether all limits of the namespace could be seen."""
        return self.quotas is not None and self.limit_ranges is not None

    def limited_by(self, instance: Instance) -> bool:
        """Whether the namespace has limits that were made with it for the deployment."""
        return any(_namespace.is_ours(item, instance) for item in (*(self.quotas or ()), *(self.limit_ranges or ())))


def gather(cluster: Cluster, instance: Instance, exists: bool | None, volume: bool) -> Facts:
    """Ask; C(exists) is what is known of the namespace already."""
    found, namespace = find_namespace(cluster, instance.namespace, exists)
    classes = _visible(lambda: cluster.items("/apis/storage.k8s.io/v1/storageclasses")) if volume else None
    if found is False:
        return Facts(False, None, classes, [], [])

    def own(plural: str) -> list[JSON] | None:
        return _visible(lambda: cluster.items(instance.path(plural), labelSelector=instance.selector))

    quotas = _visible(lambda: cluster.items(instance.path("resourcequotas")))
    ranges = _visible(lambda: cluster.items(instance.path("limitranges")))
    priorities: list[JSON] | None = []
    pods: list[JSON] | None = []
    services: list[JSON] | None = []
    claims = own("persistentvolumeclaims") if volume or quotas or ranges else []
    if quotas:
        pods, services = own("pods"), own("services")
        if _quota.asks_for_priority(quotas):
            priorities = _visible(lambda: cluster.items("/apis/scheduling.k8s.io/v1/priorityclasses"))
    if pods is None or services is None or (claims is None and (quotas or ranges)):
        quotas = None  # what is used by others cannot be told apart
    return Facts(found, namespace, classes, quotas, ranges, priorities or [], pods or [], claims or [], services or [])


def find_namespace(cluster: Cluster, name: str, exists: bool | None) -> tuple[bool | None, JSON | None]:
    """Whether it is there, or None if the user may not know, and what it is.

    A user with rights in a namespace alone may not read it.  OpenShift says the same of one that is not there.
    """
    if exists is False:
        return False, None
    try:
        namespace = cluster.find(f"/api/v1/namespaces/{name}")
    except ApiError as error:
        if error.status != 403:
            raise
        return exists, None
    return exists or namespace is not None, namespace


def _visible(ask: t.Callable[[], _T]) -> _T | None:
    try:
        return ask()
    except ApiError as error:
        if error.status == 403:
            return None
        raise
