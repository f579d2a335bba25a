# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the image costs: to build it from nothing, to find it unchanged, and to hold it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils._image import Inputs, make_context

from tests.bench.cluster import Bed
from tests.bench.modules import module
from tests.bench.processes import SCRATCH, Failure, end, output, running, say
from tests.bench.stats import Row

TAG = "daskops-bench/cold"
LIMIT = 1800


def measure(bed: Bed, runs: int, cold: int) -> list[Row]:
    """All of it; the image is in the registry already."""
    builds, sizes = [], []
    for run in range(cold):
        say(f"image: build it without any cache, {run + 1} of {cold}")
        seconds, size = _cold(bed)
        builds.append(seconds)
        sizes.append(size)
    say(f"image: dask_image, unchanged, {runs} times")
    unchanged = tuple(_unchanged(bed) for _run in range(runs))
    return [
        Row("image", "image: docker build --no-cache", tuple(builds), note="downloads of the packages included"),
        Row("image", "image: dask_image, unchanged", unchanged),
        Row("image", "image: size in the registry", (bed.image["size_bytes"] / 1e6,), "MB"),
        Row("image", "image: size unpacked", tuple(size / 1e6 for size in sizes), "MB"),
    ]


def _unchanged(bed: Bed) -> float:
    with module("dask_image", bed.build, SCRATCH / "progress") as running_module:
        outcome = running_module.outcome(120)
    image = outcome.result.get("image")
    if not image or outcome.result["changed"]:
        raise Failure(f"dask_image has not found the image unchanged: {outcome.result.get('msg', image)}")
    return outcome.seconds


def _cold(bed: Bed) -> tuple[float, int]:
    """Seconds, and the size unpacked, of a build from the context that the module would have made."""
    ca_bundle = bed.build["ca_bundle"]
    inputs = Inputs(
        context=Path(bed.build["context"]),
        base=bed.build["base"],
        ca_bundle=Path(ca_bundle) if ca_bundle else None,
    )
    before = set(output("docker", "image", "ls", "--all", "--quiet").split())
    made: list[str] = []
    try:
        with tempfile.TemporaryDirectory(prefix="daskops-bench-") as folder:
            make_context(inputs).write(Path(folder))
            options = ["--no-cache", f"--build-arg=BASE_IMAGE={inputs.base}", f"--tag={TAG}"]
            start = time.monotonic()
            _build(["docker", "build", *options, folder], made)
            seconds = time.monotonic() - start
        size = int(output("docker", "image", "inspect", "--format={{.Size}}", TAG))
    finally:
        # The builder without BuildKit leaves each step as an image without a name.
        for image in (TAG, *reversed([image for image in dict.fromkeys(made) if image not in before])):
            with contextlib.suppress(Failure):
                output("docker", "image", "rm", image)
    return seconds, size


def _build(command: list[str], made: list[str]) -> None:
    said = []
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        late = threading.Timer(LIMIT, end, [process])
        late.start()
        try:
            for line in process.stdout:
                said.append(line)
                if match := re.match(r" ---> ([0-9a-f]{12})$", line):
                    made.append(match[1])
                if match := re.match(r"Step \d+/\d+ : (RUN|COPY) \S+.*|#\d+ \[[^\]]*\d+/\d+\] .*", line):
                    say(f"image: {match[0][:90]}")
            code = process.wait()
        finally:
            late.cancel()
    if code:
        raise Failure(f"docker build failed: {''.join(said)[-800:]}")
