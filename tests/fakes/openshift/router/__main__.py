# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put the router into a cluster which has Routes already, and wait until it serves. Again, it changes what is other.

python -m tests.fakes.openshift.router --kubeconfig FILE --image IMAGE --https-port 30443 --folder build/openshift
"""

from __future__ import annotations

import argparse
import sys
import time
import typing as t
from pathlib import Path

from tests.fakes import certificates
from tests.fakes.openshift import manifests
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.router.manifests import NAME, NAMESPACE, objects
from tests.fakes.openshift.state import Settings

_SECONDS = 180.0


def wildcard(folder: Path, domains: t.Collection[str]) -> certificates.Files:
    """A certificate for all hosts of these domains, by the authority of a fake's folder; one that is there stays."""
    of = certificates.files(folder)
    made = certificates.Files(of.authority, folder / "router.pem", folder / "router-key.pem")
    for_names, names = folder / "router-names", "\n".join(f"*.{each}" for each in sorted(domains))
    if not of.authority.exists():
        raise SystemExit(f"{folder} has no authority: start the fake with this --folder first.")
    if not for_names.exists() or for_names.read_text(encoding="ascii") != names:
        certificates.issue(folder, names.split("\n"), made, fake="OpenShift's router", days=30)
        for_names.write_text(names, encoding="ascii")
    return made


def wait(kube: Kube, seconds: float = _SECONDS) -> None:
    """Until the newest version of the router is the one that runs."""
    path, said = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}", ""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = kube.ask("GET", path).json()
        status = found.get("status") or {}
        now = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 1)
        if now and status.get("updatedReplicas") == status.get("readyReplicas") == status.get("replicas") == 1:
            return
        said = ", ".join(f"{each['type']}: {each.get('message', '')}" for each in status.get("conditions") or [])
        time.sleep(0.5)
    raise SystemExit(f"After {seconds:.0f} s the router is not ready. {said}")


def main() -> int:
    """Do so; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.openshift.router",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--kubeconfig", type=Path, required=True, help="of an admin of the real cluster")
    add("--context", help="which context of the kubeconfig; by default its current one")
    add("--image", required=True, help="that the nodes have or can pull")
    add("--domain", default=Settings().domain, help="of the hosts of Routes (%(default)s)")
    add("--allowed-domain", action="append", default=[], help="which hosts it serves; by default the domain")
    add("--https-port", type=int, required=True, help="of the nodes")
    add("--http-port", type=int, help="of the nodes; by default the cluster picks one")
    add("--folder", type=Path, required=True, help="the fake's, with its authority")
    arguments = parser.parse_args()
    files = wildcard(arguments.folder, {arguments.domain, *arguments.allowed_domain})
    wanted = objects(
        arguments.image,
        arguments.domain,
        files.certificate.read_bytes(),
        files.key.read_bytes(),
        arguments.https_port,
        arguments.http_port,
        arguments.allowed_domain,
    )
    kube = Kube(arguments.kubeconfig, arguments.context)
    manifests.apply(kube, wanted)
    wait(kube)
    return 0


if __name__ == "__main__":
    sys.exit(main())
