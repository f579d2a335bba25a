# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the fake until it is interrupted. The first line it prints says where it is, as JSON.

python -m tests.fakes.google_cloud --port 18080 --log build/google-cloud.jsonl --kubeconfig FILE --label-nodes
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.fakes.certificates import Files
from tests.fakes.google_cloud import FakeCloud, Settings, kubeconfig
from tests.fakes.google_cloud.errors import JSON
from tests.fakes.google_cloud.node_pools import PoolHook


def _arguments() -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.google_cloud",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="on 127.0.0.1; by default the system picks one")
    add("--log", type=Path, help="write each request to this file, a line of JSON each")
    add("--project", default=defaults.project, help="(%(default)s)")
    add("--project-number", default=defaults.project_number, help="(%(default)s)")
    add("--token", default=defaults.token, help="the access token that it hands out (%(default)s)")
    add("--kubeconfig", type=Path, help="hand out this cluster as all of its clusters, and believe its tokens")
    add("--context", help="which context of the kubeconfig; by default its current one")
    add("--label-nodes", action="store_true", help="label and taint that cluster's workers as the pools want it")
    add("--on-pools", metavar="COMMAND", help="run this when pools change: the cluster as $1, pools as JSON on stdin")
    add("--jwks", type=Path, help="by which keys the clusters sign, if not those of the kubeconfig's cluster")
    add("--endpoint", help="of the clusters, if not that of the kubeconfig; a port may follow")
    add("--dns-endpoint", help="the same, for the clusters' DNS endpoint; by default the endpoint if one is given")
    add("--operation-polls", type=int, default=defaults.operation_polls, help="until it is done (%(default)s)")
    add("--operation-seconds", type=float, default=defaults.operation_seconds, help="and no sooner (%(default)s)")
    add("--check-networks", action="store_true", help="clusters need networks that are there")
    add("--certificate", type=Path, nargs=3, metavar=("CA", "CERTIFICATE", "KEY"), help="instead of new ones")
    add("--key-file", type=Path, help="write a service account's key file there")
    add("--ca-file", type=Path, help="write the certificate authority there, for clients that use the proxy")
    arguments = parser.parse_args()
    if arguments.label_nodes and not arguments.kubeconfig:
        parser.error("--label-nodes needs --kubeconfig")
    if arguments.label_nodes and arguments.on_pools:
        parser.error("--label-nodes and --on-pools exclude each other")
    return arguments


def _settings(arguments: argparse.Namespace, connection: kubeconfig.Connection | None) -> Settings:
    settings = Settings(
        project=arguments.project,
        project_number=arguments.project_number,
        token=arguments.token,
        account=f"ci@{arguments.project}.iam.gserviceaccount.com",
        operation_polls=arguments.operation_polls,
        operation_seconds=arguments.operation_seconds,
        check_networks=arguments.check_networks,
    )
    if connection:
        cluster = kubeconfig.read(arguments.kubeconfig, arguments.context)
        settings.endpoint = settings.private_endpoint = settings.dns_endpoint = cluster.endpoint
        settings.ca_certificate = cluster.ca_certificate
        settings.jwks = connection.jwks()
    if arguments.endpoint:
        settings.endpoint = settings.private_endpoint = settings.dns_endpoint = arguments.endpoint
    settings.dns_endpoint = arguments.dns_endpoint or settings.dns_endpoint
    if arguments.jwks:
        settings.jwks = json.loads(arguments.jwks.read_text(encoding="utf-8"))
    return settings


def _command(command: str) -> PoolHook:
    def hook(cluster: str, pools: list[JSON]) -> None:
        shell = ["sh", "-c", command, "sh", cluster]
        subprocess.run(shell, input=json.dumps(pools), text=True, check=True, timeout=120)

    return hook


def main() -> int:
    """Run it; returns the exit code."""
    arguments = _arguments()
    connection = kubeconfig.Connection(arguments.kubeconfig, arguments.context) if arguments.kubeconfig else None
    hook = _command(arguments.on_pools) if arguments.on_pools else None
    if connection and arguments.label_nodes:
        hook = connection.nodes().follow
    files = Files(*arguments.certificate) if arguments.certificate else None
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_signal: over.set())
    settings = _settings(arguments, connection)
    with FakeCloud(port=arguments.port, log=arguments.log, settings=settings, files=files, on_pools=hook) as cloud:
        if arguments.key_file:
            cloud.key_file(arguments.key_file)
        if arguments.ca_file:
            arguments.ca_file.write_bytes(cloud.files.authority.read_bytes())
        print(json.dumps({"url": cloud.url, "ca": str(cloud.files.authority), "token": cloud.token}), flush=True)
        over.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
