# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""roles/gke and roles/openshift against fakes that answer at once: what is left is our own time."""

from __future__ import annotations

import contextlib
import tempfile
import typing as t
from pathlib import Path

from tests.bench import playbooks, stats
from tests.bench.processes import Failure, say
from tests.bench.stats import Row
from tests.fakes.google_cloud import FakeCloud
from tests.fakes.openshift import FakeOpenShift
from tests.fakes.openshift.edge import Record
from tests.fakes.openshift.state import Identity
from tests.openshift.api_server import ApiServer

UNCHANGED = 6.0
UNCHANGED_OPENSHIFT = 3.0
USER, PASSWORD, PROJECT = "developer", "secret", "dask"
_TOKENS = "/apis/oauth.openshift.io/v1/useroauthaccesstokens/"


def gke(runs: int) -> list[Row]:
    """The role alone, when there is nothing to do."""
    plays = []
    with tempfile.TemporaryDirectory() as scratch, FakeCloud() as cloud:
        variables = {
            "gke_project": cloud.settings.project,
            "gke_auth": {"auth_kind": "accesstoken", "access_token": cloud.token, "api_endpoint": cloud.api_endpoint},
            "gke_location": "europe-west4",
            "gke_kubeconfig": str(Path(scratch, "kubeconfig")),
            "gke_kubeconfig_auth": "token",
        }
        say("roles/gke for the first time")
        playbooks.run("tests/bench/gke.yml", variables)
        for run in range(runs):
            say(f"roles/gke unchanged, {run + 1} of {runs}")
            cloud.forget()
            play = playbooks.run("tests/bench/gke.yml", variables)
            if play.changed or cloud.writes:
                raise Failure(f"an unchanged run has sent {[record.method for record in cloud.writes]}")
            plays.append(play)
        asked = len(cloud.requests)
    whole = tuple(play.seconds for play in plays)
    rows = [Row("gke", f"unchanged roles/gke: the process, {asked} reads", whole, bound=UNCHANGED)]
    steps = stats.by_name([play.steps() for play in plays])
    return rows + [Row("gke", f"  {name}"[:50], seconds) for name, seconds in steps.items()]


def openshift(runs: int) -> list[Row]:
    """The role alone, from login by password to logout, when the user's project is there."""
    plays = []
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        server = ApiServer()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        server.allow(USER, "create", "projectrequests.project.openshift.io")
        kubeconfig = server.kubeconfig(Path(scratch, "kubeconfig"))
        cluster = stack.enter_context(FakeOpenShift(kubeconfig, users={USER: PASSWORD}))
        cluster.install()
        cluster.edge.projects.request(Identity(USER), {"metadata": {"name": PROJECT}})
        variables = {
            "openshift_host": cluster.url,
            "openshift_username": USER,
            "openshift_password": PASSWORD,
            "openshift_ca_cert": str(cluster.files.authority),
            "openshift_namespace": PROJECT,
            # Those of whoever measures do not count.
            "openshift_token": "",
            "openshift_kubeconfig": "",
            "openshift_context": "",
        }
        for run in range(runs):
            say(f"roles/openshift unchanged, {run + 1} of {runs}")
            cluster.forget()
            play = playbooks.run("tests/bench/openshift.yml", variables)
            if play.changed or changes(cluster.writes):
                raise Failure(f"an unchanged run has changed {play.changed} and sent {changes(cluster.writes)}")
            if not play.task("openshift_target_info").result["namespace_exists"]:
                raise Failure(f"an unchanged run has not found project {PROJECT}")
            if not any(record.path.startswith(_TOKENS) for record in cluster.writes):
                raise Failure("an unchanged run has not given its token back")
            plays.append(play)
        asked = len(cluster.requests)
    whole = tuple(play.seconds for play in plays)
    what = f"unchanged roles/openshift: the process, {asked} requests"
    rows = [Row("openshift", what, whole, bound=UNCHANGED_OPENSHIFT)]
    steps = stats.by_name([play.steps() for play in plays])
    return rows + [Row("openshift", f"  {name}"[:50], seconds) for name, seconds in steps.items()]


def changes(writes: t.Iterable[Record]) -> list[str]:
    """What of all that was sent is more than a question, and than a token that is got or given back."""
    mere = ("/oauth/token", "/selfsubjectreviews", "/selfsubjectrulesreviews", "/selfsubjectaccessreviews")
    sent = [record for record in writes if not record.path.endswith(mere)]
    return [
        f"{record.verb} {record.path}"
        for record in sent
        if not (record.verb == "DELETE" and record.path.startswith(_TOKENS))
    ]
