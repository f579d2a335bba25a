# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What GKE's clusters and node pools have in common: names, the comparison of resources, calls and their operations."""

from __future__ import annotations

import ipaddress
import re
import time
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import (
    AnswerLost,
    Google,
    GoogleError,
    OperationTimeout,
    pending,
    wait_operation,
    wait_operations,
)

JSON = dict[str, t.Any]
Path = tuple[str, ...]

MANAGED = {"managed-by": "daskops"}  # on all that these modules make, so that nothing else is deleted
ROUNDS = 5  # how often a plan is made anew when others write at the same time or an answer gets lost
SETTLE = 1.0  # seconds until an operation whose answer got lost shows up

NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
REGION = re.compile(r"[a-z]+(-[a-z]+)+\d+")
ZONE = re.compile(r"[a-z]+(-[a-z]+)+\d+-[a-z]")
LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")

# Values that name a resource, in full or in short.
_LINKS = {"network", "subnetwork", "privateEndpointSubnetwork", "bootDiskKmsKey", "nodeGroup"}
# Values that are what was asked for, or a later one.
_VERSIONS = {"initialClusterVersion", "version"}
# Maps that are given as a whole; of all others, what is not given stays.
_WHOLE = {"maintenanceExclusions"}
_LABELS = {"labels", "resourceLabels"}
# Maps of text, whose keys are chosen by users and mean nothing here; "" and "0" are values like any other in them.
_MAPS = _LABELS | {"metadata", "sysctls", "tags"}
# Values of enums that are 0 though they mean something, so that the API leaves them out.
_ZEROS = {"scope": "NO_UPGRADES"}
# What the API says and does not take back, wherever it is in a field that can be changed.
OUTPUT_ONLY = {
    "autoUpgradeStartTime",
    "controlPlaneDiskEncryptionKeyVersions",
    "currentState",
    "decryptionKeys",
    "description",
    "duration",
    "effectiveCpuReservedMillicore",
    "effectiveMemoryReservedMib",
    "endpoint",
    "lastDisruptionTime",
    "lastMinorVersionDisruptionTime",
    "lastOperationErrors",
    "membership",
    "peeringName",
    "podIpv4RangeUtilization",
    "podRangeInfo",
    "preRegistered",
    "privateEndpoint",
    "publicEndpoint",
}
# What it only says there, and takes elsewhere.
OUTPUT_ONLY_WITHIN = {"exclusionUntilEndOfSupport": {"startTime", "endTime"}, "networkConfig": {"networkTierConfig"}}
# Of these, one excludes the others.
_ALTERNATIVES: tuple[tuple[set[str], ...], ...] = (
    ({"dailyMaintenanceWindow"}, {"recurringWindow"}, {"recurringMaintenanceWindow"}),
    ({"batchPercentage"}, {"batchNodeCount"}),
    ({"standardRolloutPolicy"}, {"autoscaledRolloutPolicy"}),
    ({"minNodeCount", "maxNodeCount"}, {"totalMinNodeCount", "totalMaxNodeCount"}),
    ({"blueGreenSettings"}, {"maxSurge", "maxUnavailable"}),
)
_FIXED_TAINTS = re.compile(r"(nvidia\.com|google\.com|[\w-]+\.gke\.io|cloud\.google\.com|kubernetes\.io)/")


# --- names ------------------------------------------------------------------------------------------------------------


def check_name(name: str, what: str) -> None:
    """A cluster's or a pool's name, or an error."""
    if not NAME.fullmatch(name or ""):
        raise DaskopsError(
            f"{name!r} is no name for a {what}: use up to 40 lower-case letters, digits and hyphens, beginning with a "
            "letter and not ending with a hyphen."
        )


def check_spec(spec: t.Mapping[str, t.Any], where: str) -> None:
    """Field names as the API shows them, or an error: it takes others, which then could not be compared."""
    for key in spec:
        if "_" in key:
            camel = re.sub(r"_(\w)", lambda match: match[1].upper(), key)
            raise DaskopsError(f"{where}: spec has {key}, which the API calls {camel}; use its names.")


def check_location(location: str, option: str = "location") -> None:
    """A region or a zone, or an error."""
    if not (REGION.fullmatch(location or "") or ZONE.fullmatch(location or "")):
        raise DaskopsError(
            f"{option} is {location!r}, which is neither a region, such as us-central1, nor a zone, such as "
            "us-central1-a."
        )


def check_zones(zones: t.Iterable[str], location: str, option: str) -> None:
    """Zones of the cluster's region, or an error."""
    region = region_of(location)
    for zone in zones:
        if not ZONE.fullmatch(zone) or region_of(zone) != region:
            raise DaskopsError(f"{option} has {zone!r}, which is no zone of region {region}, where the cluster is.")


def check_labels(labels: t.Mapping[str, t.Any], option: str) -> None:
    """Labels as Google Cloud takes them, or an error."""
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(_text(value) or ""):
            raise DaskopsError(
                f"{option} has {key}={value}, which Google Cloud does not take: use up to 63 lower-case letters, "
                "digits, hyphens and underscores, and a letter first in the key."
            )


def check_cidr(text: str, option: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A range of addresses, or an error."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise DaskopsError(f"{option} is {text!r}, which is no range of addresses: {error}.") from error


def is_zone(location: str) -> bool:
    """Whether a location is one zone."""
    return bool(ZONE.fullmatch(location))


def region_of(location: str) -> str:
    """The region of a zone, or the region itself."""
    return location[:-2] if ZONE.fullmatch(location) else location


def location_path(project: str, location: str) -> str:
    """Path of a location."""
    return f"v1/projects/{project}/locations/{location}"


def cluster_path(project: str, location: str, cluster: str) -> str:
    """Path of a cluster."""
    return f"{location_path(project, location)}/clusters/{cluster}"


def is_managed(labels: t.Mapping[str, str] | None) -> bool:
    """Whether a resource's labels say that these modules made it."""
    return all((labels or {}).get(key) == value for key, value in MANAGED.items())


# --- comparison -------------------------------------------------------------------------------------------------------


def same(wanted: t.Any, found: t.Any, key: str = "") -> bool:
    """Whether C(found) is what was asked for, whatever else it holds."""
    if isinstance(wanted, dict) and key in _MAPS:
        return all((found or {}).get(name) == value for name, value in wanted.items())
    if _is_empty(wanted, key) and _is_empty(found, key):
        return True
    if isinstance(wanted, dict):
        if not isinstance(found, dict) and not _is_empty(found, key):
            return False
        found = found or {}
        if key in _WHOLE and set(wanted) != set(found):
            return False
        return all(same(value, found.get(name), name) for name, value in wanted.items())
    if isinstance(wanted, list):
        return _same_list(wanted, found or [], key) if isinstance(found, list) or _is_empty(found, key) else False
    if isinstance(wanted, bool) or isinstance(found, bool):
        return bool(wanted) == bool(found) and not isinstance(wanted, str) and not isinstance(found, str)
    if key in _VERSIONS:
        return version_fits(str(wanted), str(found or ""))
    if key in _LINKS:
        return same_link(str(wanted or ""), str(found or ""))
    return _scalar(wanted) == _scalar(found) or _same_range(str(wanted), str(found), key)


def _same_list(wanted: list[t.Any], found: list[t.Any], key: str) -> bool:
    """In none of GKE's lists does the order mean anything."""
    left = list(found)
    if key == "taints":  # GKE adds its own, such as those of accelerators
        given = {taint.get("key") for taint in wanted if isinstance(taint, dict)}
        left = [taint for taint in left if taint.get("key") in given or not _FIXED_TAINTS.match(taint.get("key", ""))]
    if len(left) != len(wanted):
        return False
    for value in wanted:
        match = next((other for other in left if same(value, other, key)), _NOTHING)
        if match is _NOTHING:
            return False
        left.remove(match)
    return True


_NOTHING = object()


def _is_empty(value: t.Any, key: str) -> bool:
    """The API leaves out what is false, zero or empty, and says so for some fields only."""
    if isinstance(value, dict):
        if key in _MAPS:
            return all(inner is None for inner in value.values())
        return all(_is_empty(inner, name) for name, inner in value.items())
    if isinstance(value, str) and (value.endswith("_UNSPECIFIED") or value in ("UNSPECIFIED", "0", _ZEROS.get(key))):
        return True
    return not value


def _scalar(value: t.Any) -> str:
    """A value as text, in the one form of those that mean the same."""
    text = str(value)
    if re.fullmatch(r"-?\d+\.0", text):
        return text[:-2]
    if match := re.fullmatch(r"(\d+)(?:\.(\d+))?s", text):  # a duration
        return f"{float(f'{match[1]}.{match[2] or 0}'):g}s"
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)", text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC).isoformat()
        except ValueError:  # no such day or hour: the API will say so
            return text
    return text


def _same_range(wanted: str, found: str, key: str) -> bool:
    """A range that was asked for by its size alone."""
    return "cidr" in key.lower() and bool(re.fullmatch(r"/\d+", wanted)) and found.endswith(wanted)


def same_link(wanted: str, found: str) -> bool:
    """Whether two names are of one resource, each a URL, a path from the project on, or the last part alone."""

    def parts(link: str) -> list[str]:
        return re.sub(r"^.*?(?=projects/)", "", link).strip("/").split("/")

    one, other = parts(wanted), parts(found)
    return one == other if len(one) > 1 and len(other) > 1 else one[-1] == other[-1]


def version_fits(wanted: str, found: str) -> bool:
    """Whether C(found) is the version or a later one: GKE upgrades on its own and never goes back."""
    if wanted in ("", "-", "latest"):
        return True
    one, other = _numbers(wanted), _numbers(found)
    return bool(other) and other[: len(one)] >= one


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def differences(wanted: JSON, found: JSON, at: Path = ()) -> list[tuple[Path, t.Any, t.Any]]:
    """The deepest places where C(found) is not what was asked for, with what is there and what was asked for."""
    result: list[tuple[Path, t.Any, t.Any]] = []
    for key, value in wanted.items():
        other = found.get(key)
        if other == value if at and at[-1] in _MAPS else same(value, other, key):
            continue
        if isinstance(value, dict) and value and (isinstance(other, dict) or other is None) and key not in _WHOLE:
            result += differences(value, other or {}, (*at, key))
        else:
            result.append(((*at, key), other, value))
    return result


def merge(base: t.Any, over: t.Any, keep: bool = False, key: str = "") -> t.Any:
    """C(base) with what C(over) holds; what is null in it goes.

    With C(keep), labels that are null stay so: they say that a label is to go, of whatever that is to come to.
    """
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    if keep and key in _LABELS:
        return {**base, **over}
    result = dict(base)
    for alternatives in _ALTERNATIVES:
        for chosen in alternatives:
            if any(over.get(name) is not None for name in chosen):
                for name in set().union(*alternatives) - chosen:
                    result.pop(name, None)
    for name, value in over.items():
        if value is None:
            result.pop(name, None)
        elif name in _WHOLE:
            result[name] = value
        else:
            result[name] = merge(result.get(name), value, keep, name)
    return result


def clean(value: t.Any) -> t.Any:
    """C(value) without what is null."""
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items() if inner is not None}
    return [clean(inner) for inner in value] if isinstance(value, list) else value


def texts(value: t.Any, within: str = "") -> t.Any:
    """C(value) with text in its maps of text, where YAML may have numbers and booleans."""
    if isinstance(value, dict):
        return {key: _text(inner) if within in _MAPS else texts(inner, key) for key, inner in value.items()}
    return [texts(inner) for inner in value] if isinstance(value, list) else value


def _text(value: t.Any) -> str | None:
    return str(value).lower() if isinstance(value, bool) else None if value is None else str(value)


def strip(value: t.Any, within: str = "") -> t.Any:
    """C(value) without what the API only says."""
    if isinstance(value, dict):
        gone = set() if within in _MAPS | _WHOLE else OUTPUT_ONLY | OUTPUT_ONLY_WITHIN.get(within, set())
        return {key: strip(inner, key) for key, inner in value.items() if key not in gone}
    return [strip(inner) for inner in value] if isinstance(value, list) else value


def lookup(resource: t.Any, path: Path) -> t.Any:
    """What is at a path of a resource, or None."""
    for key in path:
        resource = resource.get(key) if isinstance(resource, dict) else None
    return resource


def nest(path: Path, value: t.Any) -> JSON:
    """A resource that has one value at one path."""
    for key in reversed(path):
        value = {key: value}
    return t.cast("JSON", value)


def without(resource: JSON, path: Path) -> JSON:
    """A copy without what is at a path, and without what is empty then."""
    if len(path) == 1:
        return {key: value for key, value in resource.items() if key != path[0]}
    inner = without(resource[path[0]], path[1:])
    return {**resource, path[0]: inner} if inner else without(resource, path[:1])


def public(resource: JSON) -> JSON:
    """A cluster without the secrets that old ones have."""
    secrets = ("clientKey", "password")
    access = {key: value for key, value in (resource.get("masterAuth") or {}).items() if key not in secrets}
    return {**resource, "masterAuth": access} if "masterAuth" in resource else resource


def picture(resource: JSON | None, wanted: JSON) -> JSON:
    """What of a resource is spoken of, for C(--diff)."""
    result: JSON = {}
    for key, value in wanted.items():
        if resource is None or key not in resource:
            continue
        found = resource[key]
        result[key] = picture(found, value) if isinstance(value, dict) and value and isinstance(found, dict) else found
    return result


def described(items: t.Iterable[tuple[Path, t.Any, t.Any]]) -> list[str]:
    """Differences in words."""
    return [f"{'.'.join(path)} is {_short(found)}, not {_short(wanted)}" for path, found, wanted in items]


def _short(value: t.Any) -> str:
    text = "unset" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# --- calls ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """One request that writes."""

    verb: t.Literal["POST", "PUT", "DELETE"]
    path: str
    action: str  # the API's name for it, such as update
    what: str  # in words
    fields: tuple[str, ...] = ()  # which ones it sets
    body: JSON | None = None
    stop: bool = field(default=False)  # what follows depends on what this left, so it is planned anew

    def as_dict(self) -> JSON:
        """For the module's result."""
        return {"method": self.action, "path": self.path, "fields": list(self.fields)}


class Deadline:
    """What is left of a module's time."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.seconds = seconds

    @property
    def left(self) -> float:
        """Seconds, and never so few that nothing could be asked."""
        return max(self.end - time.monotonic(), 0.1)


def perform(google: Google, call: Call, deadline: Deadline, say: t.Callable[[str], None], wait: bool = True) -> JSON:
    """Send a call, and wait until its operation is done."""
    say(f"{call.what}: sent")
    answer = google.request(call.verb, "container", call.path, call.body, {})
    operation = pending("container", answer, call.what, google.project)
    return wait_operation(google, operation, deadline.left, say) if wait else answer


def settle(google: Google, location: str, target: str, deadline: Deadline, say: t.Callable[[str], None]) -> None:
    """Wait for whatever operation runs on C(target), as after a request whose answer got lost."""
    time.sleep(SETTLE)
    try:
        listed = google.items("container", f"{location_path(google.project, location)}/operations", "operations")
    except GoogleError as error:
        if error.code != 403:
            raise
        return  # not everyone may list them; what runs then is met by the next request
    running = [
        pending(
            "container",
            operation,
            f"{str(operation.get('operationType', 'operation')).lower()} of {_target(operation).strip('/')}",
            google.project,
        )
        for operation in listed
        if operation.get("status") in ("PENDING", "RUNNING") and f"{target}/".endswith(_target(operation))
    ]
    for result in wait_operations(google, running, deadline.left, say).values():
        if isinstance(result, GoogleError):
            raise result


def _target(operation: JSON) -> str:
    """The end of an operation's target, whose project may be given by its number and whose location as a zone."""
    match = re.search(r"/(?:locations|zones)/[^/]+(/.+)$", str(operation.get("targetLink", "")))
    return f"{match[1]}/" if match else "none"


def converge(
    plan: t.Callable[[], t.Sequence[Call]],
    do: t.Callable[[Call, bool], t.Any],
    recover: t.Callable[[], None],
    deadline: Deadline,
) -> list[Call]:
    """The calls that were made until C(plan), which reads, had none left.

    Where somebody else wrote meanwhile, or an answer got lost, C(recover) waits and C(plan) decides anew.
    """
    made: list[Call] = []
    lost: GoogleError | None = None
    for _round in range(ROUNDS):
        calls = plan()
        for number, call in enumerate(calls):
            try:
                do(call, number == len(calls) - 1)
            except GoogleError as error:
                retried = isinstance(error, AnswerLost) or error.conflict or error.exists
                retried = retried or (call.verb == "DELETE" and error.not_found)  # somebody else was first
                if isinstance(error, OperationTimeout) or not retried:
                    error.details["calls"] = [call.as_dict() for call in made]
                    raise
                lost = error
                if isinstance(error, AnswerLost):
                    made.append(call)
                break
            made.append(call)
            if call.stop:
                lost = None
                break
        else:
            return made
        if lost is not None:
            if deadline.left < 1:
                raise lost
            recover()
    raise lost or DaskopsError("The cluster changes faster than it can be read; run again.")
