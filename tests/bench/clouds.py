# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""roles/gke against the fake Google Cloud, which answers at once: what is left is our own time."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench import playbooks, stats
from tests.bench.processes import Failure, say
from tests.bench.stats import Row
from tests.fakes.google_cloud import FakeCloud

UNCHANGED = 6.0


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
