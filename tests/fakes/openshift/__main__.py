# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the fake until it is interrupted. The first line it prints says where it is, as JSON.

python -m tests.fakes.openshift --kubeconfig FILE --port 18443 --install --log build/openshift.jsonl
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from pathlib import Path

from tests.fakes.openshift import FakeOpenShift, Settings, docker_builder
from tests.fakes.openshift.builds import Builder, pretend
from tests.fakes.openshift.kube import Kube


def _arguments() -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.openshift",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--kubeconfig", type=Path, required=True, help="of an admin of the real cluster")
    add("--context", help="which context of the kubeconfig; by default its current one")
    add("--address", default=defaults.address, help="where to listen (%(default)s)")
    add("--port", type=int, default=0, help="by default the system picks one")
    add("--name", action="append", default=[], help="a further name or address by which it is reached")
    add("--user", action="append", default=[], metavar="NAME:PASSWORD", help="(developer:developer)")
    add("--group", action="append", default=[], metavar="NAME:USER,USER")
    add("--domain", default=defaults.domain, help="of the hosts of Routes (%(default)s)")
    add("--allowed-domain", action="append", default=[], help="which hosts the router serves; by default the domain")
    add("--pull-secrets", action="store_true", help="give service accounts some, as OpenShift's controller does")
    add("--router", action="store_true", help="a router in the cluster writes the status of Routes: see router/")
    add("--proxy-port", type=int, default=0, help="by default the system picks one")
    add("--proxy-target", default="", metavar="HOST:PORT", help="be a proxy that leads there, for HTTPS in the domains")
    add("--proxy-http-target", default="", metavar="HOST:PORT", help="and for HTTP")
    add("--token-seconds", type=int, default=defaults.token_seconds, help="(%(default)s)")
    add("--forward-tokens", action="store_true", help="the API server asks the webhook, rather than impersonation")
    add("--registry", default=defaults.registry, help="(%(default)s)")
    add("--public-registry", default=defaults.public_registry, help="by which host it is exposed, if it is")
    add(
        "--push-registry", default="", metavar="HOST:PORT", help="by which name Docker reaches the registry, if another"
    )
    add("--builder", choices=("pretend", "docker"), default="pretend", help="docker builds and pushes (%(default)s)")
    add("--docker-command", default="docker", help="the client and its first arguments (%(default)s)")
    add("--build-seconds", type=float, default=docker_builder.SECONDS, help="that a build may take (%(default)s)")
    add("--install", action="store_true", help="apply roles, the Route CRD and the SCC's policies to the cluster")
    add("--folder", type=Path, help="keep the certificates there, and use those that are there")
    add("--log", type=Path, help="write each request to this file, a line of JSON each")
    add("--ca-file", type=Path, help="write the certificate authority there")
    add("--webhook-config", type=Path, help="write the API server's --authentication-token-webhook-config-file there")
    arguments = parser.parse_args()
    for option, values in (("user", arguments.user), ("group", arguments.group)):
        if wrong := [value for value in values if ":" not in value]:
            parser.error(f"--{option} {wrong[0]} has no colon")
    for option, value in (("target", arguments.proxy_target), ("http-target", arguments.proxy_http_target)):
        if value and not value.rpartition(":")[2].isdecimal():
            parser.error(f"--proxy-{option} {value} has no port")
    return arguments


def _settings(arguments: argparse.Namespace) -> Settings:
    users = dict(each.split(":", 1) for each in arguments.user)
    groups = dict(each.split(":", 1) for each in arguments.group)
    return Settings(
        users=users or Settings().users,
        groups={name: members.split(",") for name, members in groups.items()},
        domain=arguments.domain,
        allowed_domains=tuple(arguments.allowed_domain),
        router=arguments.router,
        pull_secrets=arguments.pull_secrets,
        proxy_target=arguments.proxy_target,
        proxy_http_target=arguments.proxy_http_target,
        token_seconds=arguments.token_seconds,
        impersonate=not arguments.forward_tokens,
        address=arguments.address,
        names=tuple(arguments.name),
        registry=arguments.registry,
        push_registry=arguments.push_registry,
        public_registry=arguments.public_registry,
    )


def main() -> int:
    """Run it; returns the exit code."""
    arguments = _arguments()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_signal: over.set())
    settings = _settings(arguments)
    builder: Builder = pretend
    if arguments.builder == "docker":
        kube, command = Kube(arguments.kubeconfig, arguments.context), shlex.split(arguments.docker_command)
        builder = docker_builder.DockerBuilder(settings, kube, command, arguments.build_seconds)
    with FakeOpenShift(
        arguments.kubeconfig,
        context=arguments.context,
        port=arguments.port,
        log=arguments.log,
        settings=settings,
        folder=arguments.folder,
        proxy_port=arguments.proxy_port,
        builder=builder,
    ) as openshift:
        if arguments.install:
            openshift.install()
        if arguments.ca_file:
            arguments.ca_file.write_bytes(openshift.files.authority.read_bytes())
        if arguments.webhook_config:
            openshift.webhook_config(arguments.webhook_config)
        where = {"url": openshift.url, "ca": str(openshift.files.authority), "users": sorted(openshift.settings.users)}
        if openshift.proxy:
            where["proxy"] = openshift.proxy
        print(json.dumps(where), flush=True)
        over.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
