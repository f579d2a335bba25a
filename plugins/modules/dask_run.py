#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_run
short_description: Run a graph whose answer is known on a Dask deployment
version_added: 1.0.0
description:
  - Runs a reference graph inside the cluster, as a client in the scheduler's pod, and compares the answer.
  - The graph squares the numbers from 0 to O(tasks) - 1, one task each, and sums them as a tree, so that every worker
    works and
    results travel between workers.
  - A smoke test after a rollout. Adds nothing to the cluster that stays.
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._instance
  - daskops.kubernetes._attributes
  - daskops.kubernetes._attributes.ACTIONGROUP
attributes:
  check_mode:
    support: full
    details: Runs nothing then.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
options:
  tasks:
    description: Number of tasks that square a number.
    type: int
    default: 100
  task_seconds:
    description: How long each of them takes, in seconds.
    type: float
    default: 0.01
  timeout:
    description: How long to wait for scheduler, workers and answer, in seconds.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: See that Dask computes
  daskops.kubernetes.dask_run:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
"""

RETURN = r"""
result:
  description: What the cluster answered.
  returned: success, but in check mode
  type: int
  sample: 328350
expected:
  description: What the answer has to be.
  returned: success, but in check mode
  type: int
  sample: 328350
workers:
  description: Number of workers that took part.
  returned: success, but in check mode
  type: int
  sample: 3
seconds:
  description: Seconds by phase (C(connect), C(submit), C(compute)).
  returned: success, but in check mode
  type: dict
  sample: {connect: 0.08, submit: 0.02, compute: 0.41}
"""

import json
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube, _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run(cluster: _kube.Cluster, instance: Instance, params: dict[str, t.Any], progress: Progress) -> dict[str, t.Any]:
    """Run the graph; raises DaskopsError unless the answer is right."""
    pods = cluster.items(instance.path("pods"), labelSelector=instance.selector)
    pod = _scheduler.scheduler_pod(pods)
    if pod is None:
        raise DaskopsError(
            f"Cluster {cluster.name}: {instance} has no scheduler that is ready; "
            "deploy it, or wait for it with dask_wait."
        )
    tasks, seconds, timeout = params["tasks"], params["task_seconds"], params["timeout"]
    progress.say(f"{tasks} tasks of {seconds} s run on {instance}")
    command = ["python", "-m", "daskops_runtime.reference", str(tasks), str(seconds), str(timeout)]
    code, output, errors = cluster.execute(instance.namespace, pod, "scheduler", command, timeout + 30)
    if code:
        end = errors.strip().splitlines()[-1:] or ["nothing"]
        raise DaskopsError(
            f"Cluster {cluster.name}: the reference graph failed on {instance}: {end[0]}; "
            "see that workers are registered."
        )
    answer = t.cast("dict[str, t.Any]", json.loads(output.strip().splitlines()[-1]))
    if answer["result"] != answer["expected"]:
        raise DaskopsError(
            f"Cluster {cluster.name}: {instance} computed {answer['result']} where {answer['expected']} is right; "
            "its workers cannot be trusted.",
            **answer,
        )
    return answer


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Check the parameters and run."""
    params = module.params
    if params["tasks"] < 1 or params["task_seconds"] < 0:
        raise DaskopsError("tasks must be at least 1, and task_seconds not negative.")
    if module.check_mode:
        return {}
    cluster = _kube.Cluster(params, params["target"])
    return run(cluster, Instance(params["name"], params["namespace"]), params, Progress())


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        {
            **INSTANCE,
            "tasks": {"type": "int", "default": 100},
            "task_seconds": {"type": "float", "default": 0.01},
            "timeout": {"type": "int", "default": 120},
        },
        work,
    )


if __name__ == "__main__":
    main()
