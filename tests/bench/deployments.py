# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deployments on the bench's cluster: again unchanged, beside kubectl, and from nothing to registered workers."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import subprocess
import threading
import time
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance

from tests.bench import playbooks, stats
from tests.bench.cluster import VARIABLES, Bed
from tests.bench.processes import SCRATCH, Failure, running, say
from tests.bench.stats import Row

JSON = dict[str, t.Any]

NAME = "dask"
UNCHANGED, RATIO = 8.0, 1.15
MODULE_END = 0.1  # seconds, about, from a module's result to the end of its task
# Measured before, on two cores, with the same image and resources.
HELM = "for comparison, Dask's Helm chart, measured earlier on two cores: 11.3 to 13.1 s (helm install itself 0.8 s)"


def unchanged(bed: Bed, runs: int) -> list[Row]:
    """The whole main playbook, when there is nothing to do."""
    plays = []
    with bed.gone_after(bed.target["namespace"]["name"]):
        say("site.yml for the first time")
        playbooks.run("site.yml", VARIABLES)
        for run in range(runs):
            say(f"site.yml unchanged, {run + 1} of {runs}")
            play = playbooks.run("site.yml", VARIABLES)
            if play.changed:
                changed = [task.name for task in play.tasks if task.result.get("changed")]
                raise Failure(f"an unchanged run of site.yml has changed something: {', '.join(changed)}")
            plays.append(play)
    whole = tuple(play.seconds for play in plays)
    rows = [Row("unchanged", "unchanged site.yml, changed=0: the whole process", whole, bound=UNCHANGED)]
    steps = stats.by_name([play.steps() for play in plays])
    return rows + [Row("unchanged", f"  {name}"[:50], seconds) for name, seconds in steps.items()]


def apply(bed: Bed, runs: int) -> list[Row]:
    """The same objects in fresh namespaces, by the role's tasks and by kubectl, in turn."""
    assert bed.warm
    whole, ours, theirs, late = [], [], [], []
    for run in range(runs):
        say(f"apply to registered: pair {run + 1} of {runs}, the role")
        with bed.gone_after(f"bench-role-{run}") as original:
            # A node port can be given once in a cluster, and the notebook would be counted on one side only.
            play = bed.deploy(original, dask_notebook_enabled=False, dask_scheduler_exposure="port_forward")
            registered = _registrations(bed, original)
            secrets = json.loads(bed.kubectl("get", "secrets", "-n", original, "-o", "json"))["items"]
        applied, waited = play.task("dask_apply"), play.task("dask_wait")
        # For kubectl the manifests are rendered already, so that and a module's start are not in this.
        whole.append(max(registered.values()) - applied.start)
        ours.append(max(registered.values()) - (_end(applied) - MODULE_END - applied.result["seconds"]))
        late.append(_end(waited) - waited.result["phases"]["info"] - max(registered.values()))
        say(f"apply to registered: pair {run + 1} of {runs}, kubectl")
        objects = applied.result["invocation"]["module_args"]["objects"]
        with bed.gone_after(f"bench-kubectl-{run}") as namespace:
            theirs.append(_by_kubectl(bed, namespace, original, objects, secrets))
    return [
        Row("apply", "apply to registered: from the start of the role's task", tuple(whole)),
        Row("apply", "apply to registered: from dask_apply's first request", tuple(ours)),
        Row("apply", "apply to registered: kubectl, and a poll every 50 ms", tuple(theirs)),
        stats.compare("apply", "apply to registered: role to kubectl", ours, theirs, RATIO),
        Row("apply", "last registration to the wait task's end, info apart", tuple(late)),
    ]


def deploy(bed: Bed, runs: int) -> list[Row]:
    """The role with its defaults, notebook and all, in a fresh namespace."""
    assert bed.warm
    registered, ended, first = [], [], []
    for run in range(runs):
        say(f"deploy, {run + 1} of {runs}")
        with bed.gone_after(f"bench-deploy-{run}") as namespace, _creations(bed, namespace) as created:
            play = bed.deploy(namespace)
            times = _registrations(bed, namespace)
        if play.task("dask_wait").result["registered"] != len(times) or set(times) - set(created):
            raise Failure(f"the workers {sorted(times)} are not those that were seen to come, {sorted(created)}")
        start = play.tasks[0].start
        registered.append(max(times.values()) - start)
        ended.append(_end(play.task("dask_wait")) - start)
        first.append(min(at - created[name] for name, at in times.items()))
    return [
        Row("deploy", "deploy phase: to three registered workers", tuple(registered), note=HELM),
        Row("deploy", "deploy phase: to the end of its wait", tuple(ended)),
        Row("deploy", "image on the node: first worker's pod to registration", tuple(first)),
    ]


def _end(task: playbooks.Task) -> float:
    if task.end is None:
        raise Failure(f"the task {task.name} has no end")
    return task.end


def _registrations(bed: Bed, namespace: str) -> dict[str, float]:
    """When each worker was registered first, by what its scheduler logged and the node put the time to."""
    log = bed.kubectl("logs", "-n", namespace, f"deployment/{NAME}-scheduler", "--timestamps")
    times: dict[str, float] = {}
    for match in re.finditer(r"^(\S+) .*Register worker addr: \S+ name: (\S+)$", log, re.MULTILINE):
        times.setdefault(match[2], datetime.datetime.fromisoformat(match[1]).timestamp())
    if not times:
        raise Failure(f"the scheduler in {namespace} has logged no registration")
    return times


@contextlib.contextmanager
def _creations(bed: Bed, namespace: str) -> t.Iterator[dict[str, float]]:
    """When each pod came; the API server itself tells whole seconds only."""
    times: dict[str, float] = {}
    columns = ["--no-headers", "--output=custom-columns=NAME:.metadata.name"]
    command = bed.kubectl_command("get", "pods", "-n", namespace, "--watch", *columns)

    def follow(lines: t.IO[str]) -> None:
        for line in lines:
            times.setdefault(line.strip(), time.time())

    with running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        follower = threading.Thread(target=follow, args=(process.stdout,), daemon=True)
        follower.start()
        yield times


def _by_kubectl(bed: Bed, namespace: str, original: str, objects: list[JSON], secrets: list[JSON]) -> float:
    """Seconds from the start of kubectl to the registration of all workers that the objects ask for."""
    labels = {"pod-security.kubernetes.io/enforce": bed.target["security"]["pod_security"]}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    copies = [
        {**secret, "metadata": {"name": secret["metadata"]["name"], "labels": secret["metadata"]["labels"]}}
        for secret in secrets
    ]
    bed.kubectl("apply", "-f", "-", stdin=json.dumps(space))
    bed.kubectl("apply", "-n", namespace, "-f", "-", stdin=_list(copies))
    # Pods are refused until there is one, which the role's own tasks leave time for.
    bed.kubectl("wait", "-n", namespace, "--for=create", "serviceaccount/default", "--timeout=60s")
    wanted = sum(item["spec"]["replicas"] for item in objects if "-worker-" in item["metadata"]["name"])
    file = SCRATCH / "objects.json"
    file.write_text(_list(objects).replace(original, namespace), encoding="utf-8")
    command = bed.kubectl_command("apply", "--server-side", "-f", str(file))
    start = time.monotonic()
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        _poll(bed, Instance(NAME, namespace), wanted, process)
        seconds = time.monotonic() - start
        _out, err = process.communicate(timeout=60)
    if process.returncode:
        raise Failure(f"kubectl apply failed: {err.strip()[-500:]}")
    return seconds


def _poll(bed: Bed, instance: Instance, wanted: int, kubectl: subprocess.Popen[str]) -> None:
    """Ask the scheduler every 50 ms, from when its container runs, until all workers are registered."""
    deadline = time.monotonic() + 300
    with contextlib.ExitStack() as stack:
        source: _scheduler.FromTunnel | None = None
        while time.monotonic() < deadline and not kubectl.poll():
            try:
                if source is None and (pod := _running_scheduler(bed, instance)):
                    source = stack.enter_context(_scheduler.connect(bed.api, instance, pod))
                if source is not None and source.read().workers >= wanted:
                    return
            except DaskopsError:
                # It does not listen yet, and a port-forward that has met that is of no more use.
                stack.close()
                source = None
            time.sleep(0.05)
    raise Failure(f"the workers that kubectl applied in {instance.namespace} are not registered: {_said(kubectl)}")


def _running_scheduler(bed: Bed, instance: Instance) -> str | None:
    selector = f"{instance.selector},app.kubernetes.io/component=scheduler"
    for pod in bed.api.items(instance.path("pods"), labelSelector=selector):
        if pod["status"]["phase"] == "Running":
            return str(pod["metadata"]["name"])
    return None


def _said(kubectl: subprocess.Popen[str]) -> str:
    if not kubectl.poll() or not kubectl.stderr:
        return "not within 300 s"
    return kubectl.stderr.read().strip()[-500:]


def _list(items: list[JSON]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
