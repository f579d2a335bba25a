# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bench's own kind cluster and registry: made by the collection's roles, and removed with all that is in them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import Cluster

from tests.bench import playbooks
from tests.bench.processes import SCRATCH, Failure, output, say

JSON = dict[str, t.Any]

# Names and ports of its own, so that nothing of a user's or a test's is in its way.
VARIABLES: JSON = {
    "kind_name": "daskops-bench",
    "kind_kubeconfig": str(SCRATCH / "kubeconfig"),
    "kind_node_port_notebook": 30898,
    "kind_node_port_scheduler": 30798,
    "kind_registry_name": "daskops-bench-registry",
    "kind_registry_port": 5098,
}
REPOSITORY = f"localhost:{VARIABLES['kind_registry_port']}/dask"


@dataclasses.dataclass
class Bed:
    """What deployments are made on. C(image) is what the role image hands over, C(build) the module's parameters."""

    target: JSON
    image: JSON
    build: JSON

    @functools.cached_property
    def api(self) -> Cluster:
        """The API server."""
        return Cluster({"kubeconfig": self.target["kubeconfig"], "context": self.target["context"]})

    def kubectl_command(self, *arguments: str) -> list[str]:
        """kubectl for this cluster."""
        flags = [f"--kubeconfig={self.target['kubeconfig']}", f"--context={self.target['context']}"]
        return ["kubectl", *flags, *arguments]

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """What kubectl prints."""
        return output(*self.kubectl_command(*arguments), stdin=stdin, timeout=timeout)

    def deploy(self, namespace: str, **variables: t.Any) -> playbooks.Play:
        """Run the role dask alone, in a namespace that it makes."""
        target = {**self.target, "namespace": {"name": namespace, "create": True}}
        image = {"dask_image": self.image["reference"], "dask_version": self.image["versions"]["dask"]}
        return playbooks.run("tests/bench/deploy.yml", {"dask_target": target, **image, **variables})

    @contextlib.contextmanager
    def gone_after(self, namespace: str) -> t.Iterator[str]:
        """Delete a namespace after the block, until nothing of it is left to compete with what is measured next."""
        try:
            yield namespace
        finally:
            arguments = ["delete", "namespace", namespace, "--ignore-not-found", "--wait", "--timeout=180s"]
            self.kubectl(*arguments, timeout=200)

    @functools.cached_property
    def warm(self) -> bool:
        """Deploy once unmeasured, with the image on all nodes, as the figures suppose it is."""
        say("have the image on all nodes")
        self.kubectl("apply", "-f", "-", stdin=json.dumps(_on_each_node(self.image["reference"])))
        self.kubectl("rollout", "status", "daemonset/bench-image", "--timeout=600s", timeout=610)
        self.kubectl("delete", "daemonset/bench-image", "--wait")
        say("deploy once, unmeasured")
        with self.gone_after("bench-warm") as namespace:
            self.deploy(namespace)
        return True


@contextlib.contextmanager
def bed() -> t.Iterator[Bed]:
    """Make it, and remove it whatever happens."""
    _remove()  # what a run that was killed has left
    try:
        say("make a cluster, a registry and the image")
        play = playbooks.run("tests/bench/cluster.yml", VARIABLES, timeout=1800)
        build = play.task("dask_image").result["invocation"]["module_args"]
        yield Bed(play.fact("kind_target"), play.fact("image_result"), build)
    finally:
        say("remove the cluster, the registry and the image")
        _remove()


def _remove() -> None:
    try:
        playbooks.run("tests/bench/remove.yml", VARIABLES)
    finally:
        with contextlib.suppress(Failure):
            names = output("docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}", REPOSITORY).split()
            if names:
                output("docker", "image", "rm", *names)


def _on_each_node(image: str) -> JSON:
    """Pods that wait, one a node: a node pulls by its own settings only what a pod asks for."""
    labels = {"app": "bench-image"}
    wait = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit()); signal.pause()"
    container = {"name": "image", "image": image, "command": ["python", "-c", wait]}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "bench-image", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"tolerations": [{"operator": "Exists"}], "containers": [container]},
            },
        },
    }
