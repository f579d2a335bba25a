# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The custom resources of Hive and HyperShift, as far as a cluster is got by them."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from tests.fakes.openshift.errors import JSON
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.manifests import apply

FOLDER = Path(__file__).parent


def read() -> list[JSON]:
    """All of them."""
    return [each for path in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load(path.read_text(encoding="utf-8"))]


def install(kube: Kube, timeout: float = 30.0) -> None:
    """Apply them, and wait until the API server serves them."""
    definitions = read()
    apply(kube, definitions)
    deadline = time.monotonic() + timeout
    for each in definitions:
        spec = each["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        while not kube.ask("GET", path).good:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{path} is not served after {timeout:.0f} s")
            time.sleep(0.1)
