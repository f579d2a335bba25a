# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What a cluster and its nodes cost per hour, as an estimate from a table of prices."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

JSON = dict[str, t.Any]

# An estimate: list prices in USD per hour of us-central1, written down from memory in November 2026 and checked
# against no source. Check before relying on them, and give your own (cloud.google.com/compute/all-pricing).
# Spot prices move from day to day; two fifths of the list price is no more than an order of magnitude.
# Disks, traffic, licences and discounts are in none of it.
SPOT = 0.4
PRICES: JSON = {
    "cluster": 0.10,
    "machine_types": {
        "e2-small": {"on_demand": 0.0168},
        "e2-medium": {"on_demand": 0.0335},
        **{f"e2-standard-{n}": {"on_demand": round(0.0335 * n, 4)} for n in (2, 4, 8, 16, 32)},
        **{f"e2-highmem-{n}": {"on_demand": round(0.0452 * n, 4)} for n in (2, 4, 8, 16)},
        **{f"n2-standard-{n}": {"on_demand": round(0.0486 * n, 4)} for n in (2, 4, 8, 16, 32)},
        **{f"n2-highmem-{n}": {"on_demand": round(0.0655 * n, 4)} for n in (2, 4, 8, 16, 32)},
        **{f"c3-standard-{n}": {"on_demand": round(0.0504 * n, 4)} for n in (4, 8, 22, 44)},
    },
    "regions": {},  # a factor for each region; 1 where there is none
}
DEFAULT_MACHINE_TYPE = "e2-medium"  # GKE's


def prices(own: JSON | None) -> JSON:
    """The table, with what the user has given instead."""
    result: JSON = {**PRICES, "machine_types": dict(PRICES["machine_types"]), "regions": dict(PRICES["regions"])}
    for key, value in (own or {}).items():
        if key == "cluster":
            result["cluster"] = _number(value, "cluster")
        elif key == "machine_types":
            for name, price in value.items():
                pair = price if isinstance(price, dict) else {"on_demand": price}
                result["machine_types"][name] = {
                    kind: _number(amount, f"machine_types.{name}") for kind, amount in pair.items()
                }
        elif key == "regions":
            result["regions"].update({name: _number(factor, f"regions.{name}") for name, factor in value.items()})
        else:
            raise DaskopsError(f"prices has {key!r}; it takes cluster, machine_types and regions.")
    return result


def _number(value: t.Any, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DaskopsError(f"prices has {value!r} at {where}, which is no number.") from error


def nodes(pool: JSON, zones: int) -> tuple[int, int]:
    """The fewest and the most nodes that a pool can have."""
    zones = len(pool.get("locations") or []) or zones
    scaling = pool.get("autoscaling") or {}
    if not scaling.get("enabled"):
        count = int(pool.get("initialNodeCount") or 0) * zones
        return count, count
    if scaling.get("totalMaxNodeCount"):
        return int(scaling.get("totalMinNodeCount") or 0), int(scaling["totalMaxNodeCount"])
    return int(scaling.get("minNodeCount") or 0) * zones, int(scaling.get("maxNodeCount") or 0) * zones


class Nodes(t.NamedTuple):
    """So many nodes of a machine type."""

    machine_type: str
    spot: bool
    least: int
    most: int


def cost_per_hour(cluster: JSON, table: JSON, pools: t.Sequence[JSON] | None = None) -> JSON:
    """The least and the most that a cluster costs per hour with its pools or with C(pools), as the API has them."""
    zones = len(cluster.get("locations") or []) or 1
    groups = []
    for pool in (cluster.get("nodePools") or []) if pools is None else pools:
        config = pool.get("config") or {}
        kind = config.get("machineType") or DEFAULT_MACHINE_TYPE
        groups.append(Nodes(kind, bool(config.get("spot") or config.get("preemptible")), *nodes(pool, zones)))
    autopilot = bool((cluster.get("autopilot") or {}).get("enabled"))
    return estimate(str(cluster.get("location") or ""), autopilot, groups, table)


def estimate(location: str, autopilot: bool, groups: t.Iterable[Nodes], table: JSON) -> JSON:
    """The least and the most that a cluster of such nodes costs per hour, and what has no price.

    An Autopilot cluster's pods are charged by what they ask for, which is not known here.
    """
    factor = float(table["regions"].get(re.sub(r"-[a-z]$", "", location), 1.0))
    low = high = float(table["cluster"])
    unknown: set[str] = set()
    for group in groups:
        price = table["machine_types"].get(group.machine_type)
        if price is None:
            unknown.add(group.machine_type)
            continue
        hourly = float(price["on_demand"])
        if group.spot:
            hourly = float(price.get("spot", hourly * SPOT))
        low, high = low + group.least * hourly * factor, high + group.most * hourly * factor
    if autopilot:
        unknown.add("Autopilot's pods")
    return {"min": round(low, 4), "max": round(high, 4), "currency": "USD", "unknown": sorted(unknown)}
