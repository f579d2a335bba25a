# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Look at what a GKE cluster stands on, and take a plan's steps, side by side where one does not need the other."""

from __future__ import annotations

import itertools
import random
import re
import time
import typing as t
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_leftovers as leftovers
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_teardown as teardown
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_iam import Target
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_input import region_of
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import (
    JSON,
    AnswerLost,
    Google,
    GoogleError,
    OperationTimeout,
    pending,
    reread,
    wait_operation,
)

AT_ONCE = 8
ROUNDS = 6  # how often it is looked again where others write at the same time, or an answer got lost
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
NEW_ACCOUNT = 60.0  # seconds until all of Google knows of a new service account (IAM's guide: "within 60 seconds")

T = t.TypeVar("T")
Say = t.Callable[[str], None]


def side_by_side(calls: t.Mapping[str, t.Callable[[], T]]) -> dict[str, T | GoogleError]:
    """What each call returned or raised, by its key."""

    def attempt(call: t.Callable[[], T]) -> T | GoogleError:
        try:
            return call()
        except GoogleError as error:
            return error

    if not calls:
        return {}
    with ThreadPoolExecutor(min(AT_ONCE, len(calls))) as pool:
        futures = {key: pool.submit(attempt, call) for key, call in calls.items()}
        return {key: future.result() for key, future in futures.items()}


# --- looking ----------------------------------------------------------------------------------------------------------


def read_policy(google: Google, target: Target) -> JSON | None:
    """A policy, or None where there is no such target."""
    method, path, body, params = iam.read_request(target)
    try:
        return google.request(method, target.service, path, body, params)
    except GoogleError as error:
        if error.not_found:
            return None
        raise


def calls(google: Google, spec: core.Spec, absent: bool = False) -> dict[str, t.Callable[[], t.Any]]:
    """The requests that read what is there, by what they read."""
    found: dict[str, t.Callable[[], t.Any]] = {}

    def compute(key: str, path: str) -> None:
        found[key] = lambda: google.find("compute", f"compute/v1/{path}")

    if spec.network:
        found["network"] = lambda: _network(google, spec)
    if spec.subnetwork:
        compute("subnetwork", spec.subnetwork_path)
    if spec.nat:
        compute("router", spec.router_path)
    if spec.account:
        found["account"] = lambda: google.find("iam", spec.account_path)
    if spec.registry:
        found["registry"] = lambda: google.find("artifactregistry", f"v1/{spec.registry_path}")
    if spec.needs_number:
        found["number"] = lambda: project_number(google)
    for target in dict.fromkeys(binding.target for binding in core.bindings(spec, "")):
        found[f"policy of {target}"] = _policy_call(google, target)
    if absent and (spec.cluster or spec.network or spec.account or spec.workloads):
        path = f"v1/projects/{spec.project}/locations/-/clusters"
        found["clusters"] = lambda: _clusters(google, path)
    return found


def _clusters(google: Google, path: str) -> JSON:
    """The answer with the project's clusters, and with the zones of which it has none as they do not answer."""
    try:
        return google.get("container", path)
    except GoogleError as error:
        if error.reason == "SERVICE_DISABLED":
            return {}
        raise


def _network(google: Google, spec: core.Spec) -> JSON | None:
    """The network; of a shared VPC one may be allowed to use a subnetwork, and not to look at the rest."""
    try:
        return google.find("compute", f"compute/v1/{spec.network_path}")
    except GoogleError as error:
        if _is_hidden(spec, error) and not spec.network["create"]:
            return {"name": spec.network["name"]}
        raise


def _is_hidden(spec: core.Spec, error: GoogleError) -> bool:
    """Whether one may not look at something that is in the project of a shared VPC."""
    if spec.host == spec.project or error.reason in ("SERVICE_DISABLED", "accessNotConfigured"):
        return False
    return error.code == 403


def _policy_call(google: Google, target: Target) -> t.Callable[[], JSON | None]:
    return lambda: read_policy(google, target)


def project_number(google: Google) -> str:
    """The project's number."""
    found = google.get("cloudresourcemanager", f"v3/projects/{google.project}")
    return core.short_name(found["name"])


def seen_of(spec: core.Spec, found: t.Mapping[str, t.Any]) -> core.Seen:
    """What was read; a read that failed counts as nothing."""
    got = {key: None if isinstance(value, GoogleError) else value for key, value in found.items()}
    targets = dict.fromkeys(binding.target for binding in core.bindings(spec, ""))  # in an order that stays
    listed = got.get("clusters") or {}
    return core.Seen(
        number=got.get("number") or "",
        network=got.get("network"),
        subnetwork=got.get("subnetwork"),
        router=got.get("router"),
        account=got.get("account"),
        registry=got.get("registry"),
        policies={target: got.get(f"policy of {target}") for target in targets},
        clusters=tuple(listed.get("clusters") or ()),
        silent=tuple(listed.get("missingZones") or ()),
    )


def look(google: Google, spec: core.Spec, absent: bool = False) -> core.Seen:
    """What is there."""
    found = side_by_side(calls(google, spec, absent))
    for value in found.values():
        if isinstance(value, GoogleError):
            raise value
    seen = seen_of(spec, found)
    if not (absent and spec.leftovers):
        return seen
    return _look_for_leftovers(google, spec, seen)


def _look_for_leftovers(google: Google, spec: core.Spec, seen: core.Seen) -> core.Seen:
    region = region_of(spec.location)

    def listed(collection: str) -> list[JSON]:
        if collection == "firewalls":
            return google.items("compute", f"compute/v1/projects/{spec.host}/global/firewalls")
        # Disks are where the nodes are; the network's parts with it.
        project = spec.project
        scopes = google_aggregated(google, project, collection)
        return [item for items in scopes for item in items.get(collection) or []]

    found = side_by_side({kind.collection: _call(listed, kind.collection) for kind in leftovers.KINDS})
    items: list[leftovers.Item] = []
    hidden: tuple[str, ...] = ()
    for collection, value in found.items():
        if isinstance(value, GoogleError) and collection == "firewalls" and _is_hidden(spec, value):
            what = f"firewall rules of network {spec.network['name']} in {spec.host}"
            hidden = (f"{what}, and load balancers that are known by them: this account may not list the rules",)
            continue
        if isinstance(value, GoogleError):
            raise value
        items += leftovers.items(collection, value, region)
    others = [each for each in seen.clusters if not teardown.is_it(spec, each)]
    shared = spec.host != spec.project  # where others' clusters cannot be seen
    where = leftovers.Where(
        cluster=spec.cluster,
        location=spec.location,
        region=region,
        network=spec.network_path,
        ours=core.is_ours(seen.network, spec.cluster) and not shared,
        shared=shared,
        others=tuple(
            leftovers.Other(str(each.get("name")), str(each.get("location") or ""), teardown.in_network(spec, each))
            for each in others
        ),
        namespaces=spec.namespaces,
    )
    left, unclear = leftovers.find(where, items)
    return replace(seen, leftovers=left, unclear=(*hidden, *unclear))


def _call(listed: t.Callable[[str], list[JSON]], collection: str) -> t.Callable[[], list[JSON]]:
    return lambda: listed(collection)


def google_aggregated(google: Google, project: str, collection: str) -> list[JSON]:
    """The scopes of an aggregated list, on however many pages."""
    found: list[JSON] = []
    params: JSON = {}
    while True:
        page = google.get("compute", f"compute/v1/projects/{project}/aggregated/{collection}", **params)
        found += (page.get("items") or {}).values()
        if not page.get("nextPageToken"):
            return found
        params["pageToken"] = page["nextPageToken"]


# --- doing ------------------------------------------------------------------------------------------------------------


class Again(Exception):
    """What is there is not what the plan was made from: look, and plan, again."""

    def __init__(self, error: DaskopsError, patiently: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.patiently = patiently  # it is being made, which takes its time


class Engine:
    """Takes steps until a point in time."""

    def __init__(self, google: Google, timeout: float, say: Say) -> None:
        self.google = google
        self.timeout = timeout
        self.say = say
        self.done: list[str] = []
        self._end = time.monotonic() + timeout
        google.until = self._end

    def run(self, plan: core.Plan) -> None:
        """All steps, in the order of what they need; after a failure those that run come to their end."""
        waiting = list(plan.steps)
        keys = {step.key for step in waiting}
        finished: set[str] = set()
        running: dict[Future[None], core.Step] = {}
        failures: list[tuple[core.Step, DaskopsError]] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while running or (waiting and not failures):
                for step in [] if failures else list(waiting):
                    if set(step.needs) & keys <= finished and len(running) < AT_ONCE:
                        waiting.remove(step)
                        running[pool.submit(self._take, step)] = step
                done, _running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    step = running.pop(future)
                    error = future.exception()
                    if error is None:
                        finished.add(step.key)
                        self.done += step.actions
                    elif isinstance(error, DaskopsError):
                        failures.append((step, error))
                    else:
                        raise error
        if failures:
            failure = self._failure(failures, waiting)
            if all(_looks_old(error) for _step, error in failures):
                raise Again(failure, all(t.cast("GoogleError", error).exists for _step, error in failures))
            raise failure

    def _failure(self, failures: list[tuple[core.Step, DaskopsError]], waiting: list[core.Step]) -> DaskopsError:
        left = [word for step in waiting for word in step.actions]
        texts = [f"{'; '.join(step.actions)}: {error.message.rstrip('.')}{_in_use(error)}" for step, error in failures]
        done = f"; done before: {', '.join(self.done)}" if self.done else ""
        rest = f"; not begun: {', '.join(left)}" if left else ""
        return DaskopsError(
            f"{'; '.join(texts)}{done}{rest}.",
            actions=self.done,
            not_done=[*(word for step, _error in failures for word in step.actions), *left],
        )

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - time.monotonic()

    def _take(self, step: core.Step) -> None:
        words = "; ".join(step.actions)
        if self.left <= 0:
            raise OperationTimeout(
                f"Project {self.google.project}: there was no time left after {self.timeout:.0f} s; run again, "
                "with a longer timeout if need be."
            )
        if isinstance(step.effect, core.PolicyChange):
            change = step.effect
            self._patiently(lambda: reread(lambda: self._change_policy(change)))
            self.say(f"change {step.resource}: done")
            return
        self._call(step.effect, words)

    def _call(self, call: core.Call, words: str) -> None:
        try:
            answer = self.google.request(call.method, call.service, call.path, call.body, call.params)
        except GoogleError as error:
            if call.method == "DELETE" and error.not_found:
                return  # somebody else was faster
            if call.service == "compute" and _looks_old(error):
                self._settle(call, words)
            raise
        is_operation = call.service == "compute" or "/operations/" in str(answer.get("name", ""))
        if not is_operation:
            self.say(f"{words}: done")
            return
        operation = pending(call.service, answer, words, self.google.project)
        wait_operation(self.google, operation, max(self.left, 1.0), self.say)

    def _settle(self, call: core.Call, words: str) -> None:
        """Wait for what is at work on the same thing already, be it by this or by somebody else."""
        scope = re.match(r"compute/v1/(projects/[^/]+/(?:global|regions/[^/]+|zones/[^/]+))/", call.path)
        if not scope:
            return
        path = call.path.removeprefix("compute/v1/")
        targets = {path, path.rpartition("/")[0], f"{path}/{(call.body or {}).get('name')}"}
        try:
            listed = self.google.items("compute", f"compute/v1/{scope[1]}/operations", filter="status != DONE")
        except GoogleError as error:
            if error.code != 403:
                raise
            return  # not everyone may list them; then it is looked again until it is there
        for operation in listed:
            if core.relative_name(operation.get("targetLink")) in targets and operation.get("status") != "DONE":
                running = pending("compute", operation, words, self.google.project)
                wait_operation(self.google, running, max(self.left, 1.0), self.say)

    def _change_policy(self, change: core.PolicyChange) -> None:
        policy = read_policy(self.google, change.target)
        if policy is None:
            if change.add:
                raise DaskopsError(f"{change.target} is not there any more: run again.")
            return
        wanted = iam.changed(policy, change.add, change.remove)
        if wanted is None:
            return
        method, path, body = iam.write_request(change.target, wanted)
        self.google.request(method, change.target.service, path, body, {})

    def _patiently(self, attempt: t.Callable[[], None]) -> None:
        """Give a role to an account that was just made, of which not all of Google knows at once."""
        end, delay = time.monotonic() + min(NEW_ACCOUNT, self.left), 0.5
        made = any(word.startswith("create service account") for word in self.done)
        while True:
            try:
                return attempt()
            except GoogleError as error:
                unknown = error.code == 400 and "does not exist" in error.text and "Identity Pool" not in error.text
                if not (made and unknown) or time.monotonic() + delay > end:
                    raise
            time.sleep(delay)
            delay = min(delay * 2, 8.0)


def _looks_old(error: DaskopsError) -> bool:
    return isinstance(error, GoogleError) and (error.conflict or error.exists or isinstance(error, AnswerLost))


def _in_use(error: DaskopsError) -> str:
    if isinstance(error, GoogleError) and error.reason == "resourceInUseByAnotherResource":
        return "; delete that first, if it is not needed any more"
    return ""


def converge(google: Google, spec: core.Spec, absent: bool, check: bool, timeout: float, say: Say) -> JSON:
    """Look, plan, and take the steps unless in check mode; the module's result."""
    engine = Engine(google, timeout, say)
    first: core.Plan | None = None

    def once() -> core.Seen:
        nonlocal first
        seen = look(google, spec, absent)
        plan = teardown.plan_absent(spec, seen, check) if absent else core.plan_present(spec, seen)
        if first is None:
            first = plan
        if plan.problems:
            verb = "deleted" if absent else "made as asked"
            raise DaskopsError(
                f"Project {google.project}: what the cluster stands on cannot be {verb}, and "
                f"{'nothing was touched' if not engine.done else 'no more was done'}: {'; '.join(plan.problems)}.",
                problems=list(plan.problems),
            )
        if not check:
            engine.run(plan)
        return seen

    for number in itertools.count(1):
        pause = random.uniform(0.5, 1.0) * min(FIRST_PAUSE * 2**number, LONGEST_PAUSE)
        try:
            seen = once()
            break
        except Again as again:
            if engine.left <= pause or (number >= ROUNDS and not again.patiently):
                raise again.error from again
        time.sleep(pause)
    plan = t.cast("core.Plan", first)
    # In the order of the plan, as in check mode: what runs side by side ends in any.
    done = [word for word in plan.actions if word in engine.done]
    done += [word for word in engine.done if word not in done]
    result: JSON = {
        "changed": bool(plan.steps),
        "actions": plan.actions if check else done,
        "diff": core.diff(plan),
    }
    if absent:
        result["would_delete" if check else "deleted"] = teardown.deletions(plan)
        result["kept"] = list(plan.kept)
    else:
        result["resources"] = core.resources(spec, seen)
        result["node_service_account"] = spec.email
        result["image_repository"] = spec.image_repository
    return result
