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

    def find_visible(self, path: str, **query: str) -> t.Any:
        return None if self.answers.get(path) == 403 else self.find(path, **query)

    def items(self, path: str, **_query: str) -> list[JSON]:
        return t.cast("list[JSON]", self.answers.get(path, []))

    def visible_items(self, path: str, **query: str) -> list[JSON] | None:
        return None if self.answers.get(path) == 403 else self.items(path, **query)

    def may(self, _namespace: str, _group: str, resource: str, verb: str) -> bool:
        return bool(self.answers.get(f"{verb} {resource}"))

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


API, PROJECT_PATH, NAMESPACE_PATH = _namespace.API, f"{_namespace.PROJECTS}/team", "/api/v1/namespaces/team"
HIDDEN = {API: {}, PROJECT_PATH: 403, NAMESPACE_PATH: 403}


def look(cluster: t.Any, status: int) -> t.Any:
    def fail() -> t.NoReturn:
        raise ApiError("no", status, "no")

    return _namespace.look_into(cluster, "team", fail)


def test_what_openshift_shows_nothing_of_is_not_there() -> None:
    assert look(api(HIDDEN), 403) is None
    assert _namespace.look_into(api(), "team", lambda: "what is there") == "what is there"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({API: None}, 403),  # no OpenShift
        ({API: 403}, 403),
        ({NAMESPACE_PATH: {}}, 403),
        ({PROJECT_PATH: {}}, 403),
        ({"list deployments": True}, 403),
        ({"list secrets": True}, 403),
        ({}, 500),
    ],
)
def test_who_may_see_any_of_it_is_told_what_is_refused(change: JSON, status: int) -> None:
    with pytest.raises(ApiError) as failed:
        look(api({**HIDDEN, **change}), status)
    assert failed.value.status == status


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


MADE = {"creationTimestamp": "2026-01-01T10:00:00Z"}
WITH_IT, LATER = {"creationTimestamp": "2026-01-01T10:01:00Z"}, {"creationTimestamp": "2026-01-01T10:01:01Z"}
BUNDLE = {"data": {"ca-bundle.crt": "PEM"}}
TRUSTED = {"labels": {"config.openshift.io/inject-trusted-cabundle": "true"}}
SERVED = {"annotations": {"service.beta.openshift.io/inject-cabundle": "true"}}
OURS = WANTED.instance.labels("notebook")
OF_IMAGE = {"labels": {"app.kubernetes.io/managed-by": "daskops", "app.kubernetes.io/component": "image"}}


@pytest.mark.parametrize(
    ("path", "metadata", "more", "kept"),
    [
        ("networkpolicies", WITH_IT, {}, False),
        ("networkpolicies", LATER, {}, True),
        ("networkpolicies", {}, {}, True),  # nobody knows when
        ("serviceaccounts", WITH_IT, {}, False),
        ("serviceaccounts", LATER, {}, True),
        ("serviceaccounts", {**LATER, "name": "pipeline"}, {}, False),
        ("configmaps", WITH_IT, BUNDLE, False),
        ("configmaps", LATER, BUNDLE, True),
        ("configmaps", {**LATER, **TRUSTED}, BUNDLE, False),
        ("configmaps", {**LATER, **SERVED}, {"data": {"service-ca.crt": "PEM"}}, False),
        ("configmaps", {**LATER, "labels": {"config.openshift.io/inject-trusted-cabundle": "false"}}, BUNDLE, True),
        # What may be somebody's work or data, however soon it was there.
        ("configmaps", WITH_IT, {}, True),
        ("configmaps", WITH_IT, {"data": {"settings": ""}}, True),
        ("configmaps", WITH_IT, {"data": {"tls.crt": "PEM", "tls.pem": "PEM"}}, True),  # a key may be in it
        ("configmaps", {**WITH_IT, **TRUSTED}, {"data": {"ca-bundle.crt": "PEM", "settings": ""}}, True),
        ("configmaps", {**WITH_IT, **TRUSTED}, {**BUNDLE, "binaryData": {"model": ""}}, True),
        ("secrets", WITH_IT, {"type": "Opaque"}, True),
        ("secrets", WITH_IT, {"type": "kubernetes.io/dockerconfigjson"}, True),
        ("persistentvolumeclaims", WITH_IT, {}, True),
        ("persistentvolumeclaims", {"labels": {**OURS, "app.kubernetes.io/managed-by": "Helm"}}, {}, True),
        ("persistentvolumeclaims", {"labels": {**OURS, "app.kubernetes.io/instance": "other"}}, {}, True),
        ("persistentvolumeclaims", {"labels": OURS}, {}, False),
        ("pods", WITH_IT, {}, True),
        ("pods", {**WITH_IT, "ownerReferences": [{"kind": "Job"}]}, {}, True),
        ("services", WITH_IT, {}, True),
        ("deployments", WITH_IT, {}, True),
        ("deployments", {**WITH_IT, "name": "builder"}, {}, True),
        ("cronjobs", WITH_IT, {}, True),
        ("buildconfigs", WITH_IT, {}, True),
        ("imagestreams", WITH_IT, {}, True),
        ("imagestreams", {**LATER, **OF_IMAGE}, {}, False),
        ("pipelines", LATER, {}, True),
    ],
)
def test_what_keeps_a_namespace(path: str, metadata: JSON, more: JSON, kept: bool) -> None:
    kind = next(kind for kind in _namespace._FOREIGN if kind.plural == path)
    item = {"metadata": {"name": "some", **metadata}, **more}
    cluster = api({WANTED.instance.path(path, group_version=kind.group_version): [item]})
    found = _namespace.why_keep(cluster, WANTED, {"metadata": {**MARKED["metadata"], **MADE}})
    name = item["metadata"]["name"]
    assert found == (f"namespace team has objects of others, such as {kind.kind}/{name}" if kept else "")


def test_what_the_user_may_not_see_of_optional_kinds_keeps_nothing() -> None:
    cluster = api({"/apis/batch/v1/namespaces/team/cronjobs": 403})
    assert _namespace.why_keep(cluster, WANTED, {"metadata": {**MARKED["metadata"], **MADE}}) == ""
