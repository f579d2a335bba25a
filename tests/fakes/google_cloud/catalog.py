# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What there is to choose from: locations, versions, machine types, quotas. A small part of what is really there."""

from __future__ import annotations

import re

from tests.fakes.google_cloud.errors import JSON

REGIONS = {
    "asia-east1": "abc",
    "europe-north1": "abc",
    "europe-west1": "bcd",
    "europe-west3": "abc",
    "europe-west4": "abc",
    "us-central1": "abcf",
    "us-east1": "bcd",
    "us-west1": "abc",
}
ZONES = {f"{region}-{letter}": region for region, letters in REGIONS.items() for letter in letters}

VERSIONS = {
    "RAPID": ["1.35.2-gke.1842000", "1.34.5-gke.1153000"],
    "REGULAR": ["1.34.3-gke.1245000", "1.33.7-gke.1098000"],
    "STABLE": ["1.33.5-gke.1201000", "1.32.9-gke.1548000"],
    "EXTENDED": ["1.33.5-gke.1201000", "1.31.13-gke.1123000"],
}
DEFAULT_VERSION = VERSIONS["REGULAR"][0]
IMAGE_TYPES = ["COS_CONTAINERD", "UBUNTU_CONTAINERD", "WINDOWS_LTSC_CONTAINERD"]

# Family and shape to the sizes in vCPUs and the GiB for each of them.
_FAMILIES = {
    "e2-standard": ((2, 4, 8, 16, 32), 4.0),
    "e2-highmem": ((2, 4, 8, 16), 8.0),
    "e2-highcpu": ((2, 4, 8, 16, 32), 1.0),
    "n1-standard": ((1, 2, 4, 8, 16, 32, 64, 96), 3.75),
    "n2-standard": ((2, 4, 8, 16, 32, 48, 64, 80), 4.0),
    "n2-highmem": ((2, 4, 8, 16, 32, 48, 64, 80), 8.0),
    "n2-highcpu": ((2, 4, 8, 16, 32, 48, 64, 80), 1.0),
    "n2d-standard": ((2, 4, 8, 16, 32, 48, 64, 96), 4.0),
    "n2d-highmem": ((2, 4, 8, 16, 32, 48, 64, 96), 8.0),
    "n4-standard": ((2, 4, 8, 16, 32, 48, 64, 80), 4.0),
    "c2-standard": ((4, 8, 16, 30, 60), 4.0),
    "c3-standard": ((4, 8, 22, 44, 88, 176), 4.0),
    "c4-standard": ((2, 4, 8, 16, 32, 48, 96), 3.75),
    "t2d-standard": ((1, 2, 4, 8, 16, 32, 48, 60), 4.0),
    "g2-standard": ((4, 8, 12, 16, 24, 32, 48, 96), 4.0),
}
MACHINE_TYPES: dict[str, tuple[int, int]] = {  # vCPUs and MiB
    "e2-micro": (2, 1024),
    "e2-small": (2, 2048),
    "e2-medium": (2, 4096),
    **{
        f"{family}-{cpus}": (cpus, int(cpus * memory * 1024))
        for family, (sizes, memory) in _FAMILIES.items()
        for cpus in sizes
    },
}

QUOTAS = {
    "CPUS": 72.0,
    "PREEMPTIBLE_CPUS": 0.0,  # 0: spot machines count against the others' quota (Compute Engine's guide)
    "N2_CPUS": 72.0,
    "N2D_CPUS": 72.0,
    "C2_CPUS": 24.0,
    "C3_CPUS": 24.0,
    "T2D_CPUS": 24.0,
    "DISKS_TOTAL_GB": 40960.0,
    "SSD_TOTAL_GB": 4096.0,
    "IN_USE_ADDRESSES": 69.0,
    "STATIC_ADDRESSES": 69.0,
    "INSTANCES": 720.0,
}
GLOBAL_QUOTAS = {"CPUS_ALL_REGIONS": 1000.0}  # of the project, whatever the region


def region_of(location: str) -> str:
    return ZONES.get(location, location)


def is_zone(location: str) -> bool:
    return location in ZONES


def zones_of(location: str) -> list[str]:
    """The zones that GKE picks by itself: three of a region."""
    return [location] if is_zone(location) else [f"{location}-{letter}" for letter in REGIONS[location][:3]]


def server_config() -> JSON:
    every = sorted({version for versions in VERSIONS.values() for version in versions}, key=order, reverse=True)
    channels = [
        {
            "channel": channel,
            "defaultVersion": versions[0],
            "upgradeTargetVersion": versions[0],
            "validVersions": versions,
        }
        for channel, versions in VERSIONS.items()
    ]
    return {
        "defaultClusterVersion": DEFAULT_VERSION,
        "defaultImageType": IMAGE_TYPES[0],
        "validImageTypes": IMAGE_TYPES,
        "validMasterVersions": every,
        "validNodeVersions": every,
        "channels": channels,
    }


def resolve_version(wanted: str, master: str) -> str | None:
    """A version by the API's aliases; None if there is no such version.

    Discovery: Cluster.initialClusterVersion, UpdateNodePoolRequest.nodeVersion.
    """
    every: list[str] = server_config()["validMasterVersions"]
    if wanted in ("", "-"):
        return master
    if wanted == "latest":
        return every[0]
    return next(
        (version for version in every if version == wanted or re.match(rf"{re.escape(wanted)}[.-]", version)), None
    )


def order(version: str) -> list[int]:
    """By what versions are compared."""
    return [int(number) for number in re.findall(r"\d+", version)]
