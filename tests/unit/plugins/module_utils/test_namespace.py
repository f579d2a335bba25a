# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The namespace of a deployment: what is made, what is left alone, and what is refused."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _namespace
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError
from ansible_collections.daskops.kubernetes.plugins.module_utils._namespace import Found, Plan, Wanted

JSON = dict[str, t.Any]
WANTED = Wanted(Instance("dask", "team"), create=True)
THERE = Found(namespace={"metadata": {"name": "team"}})
LIMIT = {"type": "Container", "max": {"memory": "8Gi"}}


class Api:
    """Answers by path, and remembers what was sent."""

    name = "prod"

    def __init__(self, answers: dict[str, t.Any] | None = None) -> None:
        self.answers = answers or {}
        self.sent: list[tuple[str, str]] = []

    def find(self, path: str, **_query: str) -> t.Any:
        answer = self.answers.get(path)
        if isinstance(answer, int):
            raise ApiError(f"answered {answer}", answer, "no")
        return answer

    def items(self, path: str, **_query: str) -> list[JSON]:
        return t.cast("list[JSON]", self.answers.get(path, []))

    def send(self, method: str, path: str, _body: t.Any, _type: str = "", **_query: str) -> JSON:
        self.sent.append((method, path))
        answer = self.answers.get(f"{method} {path}", {})
        if isinstance(answer, int):
            raise ApiError(f"answered {answer}", answer, "no")
        return t.cast("JSON", answer)


def api(answers: dict[str, t.Any] | None = None) -> t.Any:
    return Api(answers)


def live(kind: str, spec: JSON, ours: bool = True) -> JSON:
    labels = WANTED.instance.labels("namespace") if ours else {}
    return {"kind": kind, "metadata": {"name": "dask", "labels": labels}, "spec": spec}


def test_a_namespace_is_made_with_its_mark_and_its_security() -> None:
    made = _namespace.plan(WANTED, Found()).make
    assert made
    assert made["kind"] == "Namespace"
    assert made["metadata"]["labels"]["app.kubernetes.io/instance"] == "dask"
    assert made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_project_is_requested_with_its_mark_in_the_description() -> None:
    made = _namespace.plan(replace(WANTED, request=True), Found()).make
    assert made
    assert made["kind"] == "ProjectRequest"
    assert made["description"] == "Dask deployment dask, made by daskops"


def test_what_is_not_there_and_may_not_be_made_is_refused() -> None:
    with pytest.raises(DaskopsError, match="namespace team does not exist and may not be created"):
        _namespace.plan(replace(WANTED, create=False), Found())


def test_what_is_there_is_left_alone() -> None:
    assert _namespace.plan(WANTED, THERE) == Plan()


def test_the_same_quota_in_other_words_is_the_same() -> None:
    wanted = replace(WANTED, quota={"requests.memory": "1Gi", "pods": 10, "cpu": "500m"})
    spec = {"hard": {"requests.memory": "1024Mi", "pods": "10", "cpu": "0.5"}}
    assert (
        _namespace.plan(wanted, replace(THERE, restrictions={"ResourceQuota": live("ResourceQuota", spec)})) == Plan()
    )
    less = {"hard": {"requests.memory": "1Gi", "pods": "10"}}
    changed = _namespace.plan(wanted, replace(THERE, restrictions={"ResourceQuota": live("ResourceQuota", less)}))
    assert [item["kind"] for item in changed.apply] == ["ResourceQuota"]


def test_what_kubernetes_works_out_of_a_limit_range_is_no_change() -> None:
    wanted = replace(WANTED, limits=[LIMIT])
    more = {**LIMIT, "default": {"memory": "8Gi"}, "defaultRequest": {"memory": "8Gi"}}
    found = replace(THERE, restrictions={"LimitRange": live("LimitRange", {"limits": [more]})})
    assert _namespace.plan(wanted, found) == Plan()
    asked = replace(WANTED, limits=[{**LIMIT, "default": {"memory": "1Gi"}}])
    assert _namespace.plan(asked, found).apply
    assert _namespace.plan(replace(WANTED, limits=[{**LIMIT, "min": {"memory": "1Gi"}}]), found).apply


def test_limits_that_are_no_longer_asked_for_go_if_they_are_ours() -> None:
    restrictions = {
        "ResourceQuota": live("ResourceQuota", {"hard": {"pods": "1"}}),
        "LimitRange": live("LimitRange", {"limits": [LIMIT]}, ours=False),
    }
    assert _namespace.plan(WANTED, replace(THERE, restrictions=restrictions)) == Plan(delete=("ResourceQuota",))


def test_whoever_may_not_limit_is_told_before_anything_is_made() -> None:
    with pytest.raises(DaskopsError, match="may not change the ResourceQuota of namespace team; have an admin"):
        _namespace.plan(replace(WANTED, quota={"pods": "1"}), Found(can_restrict=False))


@pytest.mark.parametrize(("request_it", "there"), [(True, False), (False, True)])
def test_who_may_not_look_believes_in_a_namespace_but_not_in_a_project(request_it: bool, there: bool) -> None:
    found = _namespace.find(
        api({"/api/v1/namespaces/team": 403, f"{_namespace.PROJECTS}/team": 403}), "team", request_it
    )
    assert (found is not None) == there


def test_a_project_of_somebody_else_is_named_as_such() -> None:
    wanted = replace(WANTED, request=True)
    cluster = api({f"POST {_namespace.REQUESTS}": 409})
    with pytest.raises(DaskopsError, match="Cluster prod: project team is there already and belongs to somebody else"):
        _namespace.carry_out(cluster, wanted, _namespace.plan(wanted, Found()))


PROJECT = {"metadata": {"annotations": {"openshift.io/description": "Dask deployment dask, made by daskops"}}}
MARKED = {"metadata": {"labels": WANTED.namespace()["metadata"]["labels"]}}


@pytest.mark.parametrize(
    ("wanted", "namespace", "objects", "why"),
    [
        (WANTED, MARKED, {}, ""),
        (WANTED, {"metadata": {}}, {}, "was not made for"),
        (replace(WANTED, request=True), PROJECT, {}, ""),
        (replace(WANTED, request=True), MARKED, {}, "was not made for"),
        (
            WANTED,
            MARKED,
            {"configmaps": {"metadata": {"name": "theirs"}}},
            "objects of others, such as ConfigMap/theirs",
        ),
        (WANTED, MARKED, {"configmaps": {"metadata": {"name": "kube-root-ca.crt"}}}, ""),
        (
            WANTED,
            MARKED,
            {"secrets": {"metadata": {"name": "builder-dockercfg"}, "type": "kubernetes.io/dockercfg"}},
            "",
        ),
        (WANTED, MARKED, {"pods": {"metadata": {"name": "dask-1-build", "ownerReferences": [{"kind": "Build"}]}}}, ""),
    ],
)
def test_only_a_namespace_of_ours_alone_goes(wanted: Wanted, namespace: JSON, objects: JSON, why: str) -> None:
    cluster = api({f"/api/v1/namespaces/team/{plural}": [item] for plural, item in objects.items()})
    found = _namespace.why_keep(cluster, wanted, namespace)
    assert why in found
    assert bool(found) == bool(why)
