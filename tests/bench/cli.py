# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure on this machine what this collection promises: figures, their spread, and the bounds they are held against.

Nothing is asserted. What could not be measured is said, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import typing as t

from tests.bench import stats
from tests.bench.processes import ROOT, Failure, say

if t.TYPE_CHECKING:
    from tests.bench.cluster import Bed

FIGURES = {
    "wait": "how late dask_wait notices, and what a poll of up to 5,000 workers costs it",
    "unchanged": "site.yml again, unchanged",
    "apply": "from apply to registered, side by side with kubectl and a poll every 50 ms",
    "deploy": "from the start of the deploy phase to registered workers",
    "gke": "roles/gke again, unchanged, against the fake Google Cloud",
    "openshift": "roles/openshift again, unchanged, against the fake OpenShift",
    "image": "building the image, cold and unchanged, and its size",
}
RESULT = ROOT / "build" / "bench.json"


def main() -> int:
    """Measure what is asked for; returns the exit code."""
    about = "\n".join(f"  {name:10} {what}" for name, what in FIGURES.items())
    parser = argparse.ArgumentParser(
        prog="tests/bench",
        description=__doc__,
        epilog=f"figures:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("figures", nargs="*", help="which ones; all if none is named")
    parser.add_argument("--runs", type=int, default=5, help="samples of each (%(default)s)")
    parser.add_argument("--cold", type=int, default=1, help="cold builds of the image (%(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.figures) - set(FIGURES):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; there is: {', '.join(FIGURES)}")
    if arguments.runs < 1 or arguments.cold < 1:
        parser.error("at least one sample is needed")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _measure(arguments.figures or list(FIGURES), arguments.runs, arguments.cold)
    except KeyboardInterrupt:
        say("interrupted; what was made is removed")
        return 130


def _measure(figures: list[str], runs: int, cold: int) -> int:
    # Imported here, so that --help needs neither Dask nor Kubernetes.
    from tests.bench import clouds, cluster, deployments, images, waiting

    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs, load {load:.1f} at the start\n\n{stats.HEADER}", flush=True)
    rows: list[stats.Row] = []
    missing: dict[str, str] = {}
    started = datetime.datetime.now(datetime.UTC)

    def take(figure: str, measure: t.Callable[[], list[stats.Row]]) -> None:
        if figure not in figures:
            return
        try:
            new = measure()
        except Failure as failure:
            missing[figure] = str(failure)
            print(f"{figure}: COULD NOT BE MEASURED: {failure}", flush=True)
            return
        rows.extend(new)
        print("\n".join(row.line() for row in new), flush=True)

    def with_cluster(bed: Bed) -> None:
        take("image", lambda: images.measure(bed, runs, cold))
        take("unchanged", lambda: deployments.unchanged(bed, runs))
        take("apply", lambda: deployments.apply(bed, runs))
        take("deploy", lambda: deployments.deploy(bed, runs))

    take("wait", lambda: waiting.measure(runs))
    take("gke", lambda: clouds.gke(runs))
    take("openshift", lambda: clouds.openshift(runs))
    if set(figures) - {"wait", "gke", "openshift"}:
        try:
            with cluster.bed() as bed:
                with_cluster(bed)
        except Failure as failure:
            missing["cluster"] = str(failure)
            print(f"the cluster: {failure}", flush=True)
    RESULT.parent.mkdir(exist_ok=True)
    result = {
        "started": started.isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "load": load,
        "rows": [row.as_json() for row in rows],
        "missing": missing,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"\nthe same, with each sample: {RESULT.relative_to(ROOT)}")
    return 1 if missing else 0
