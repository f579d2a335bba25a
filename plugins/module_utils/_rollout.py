# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Whether the scheduler may restart, which loses its tasks and what the workers hold."""

from __future__ import annotations

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

if t.TYPE_CHECKING:
    from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
    from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import Cluster


def guard(cluster: Cluster, instance: Instance, policy: str, change: str) -> None:
    """Fail before C(change) is made, which would restart a scheduler that is there, if the policy forbids that."""
    if policy == "always":
        return
    what = f"Cluster {cluster.name}: {change} would restart the scheduler of {instance}"
    if policy == "never":
        raise DaskopsError(f"{what}, which dask_scheduler_rollout=never forbids; nothing was changed.")
    pods = cluster.items(instance.path("pods"), labelSelector=instance.selector)
    pod = _scheduler.running_pod(pods)
    if pod is None:
        return  # there is no state to lose
    try:
        with _scheduler.connect(cluster, instance, pod) as source:
            lost = source.read().busy
    except DaskopsError as error:
        raise DaskopsError(
            f"{what}, and what that would lose cannot be asked: {error.message.rstrip('.')}; nothing was changed: run "
            "this again, or with dask_scheduler_rollout=always."
        ) from error
    if lost:
        raise DaskopsError(
            f"{what} and lose {lost}; nothing was changed: run this again when it is idle, or with "
            "dask_scheduler_rollout=always."
        )
