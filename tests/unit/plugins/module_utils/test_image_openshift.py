# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import Steps
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_openshift import (
    HINTS,
    LABELS,
    SPEC_ANNOTATION,
    VERSIONS_ANNOTATION,
    Base,
    Log,
    Observed,
    Place,
    Plan,
    Wanted,
    changes,
    described,
    explain,
    kept,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_registry import (
    RegistryUnreachable,
    RemoteImage,
)

JSON = dict[str, t.Any]
DIGEST = f"sha256:{'a' * 64}"
PLACE = Place("prod", "lab", "dask")
WANTED = Wanted(PLACE, "tag", "docker.io/library/debian:12", {"B": "2", "A": "1"}, {"io.daskops.content": "c"})
REFERENCE = f"image-registry.openshift-image-registry.svc:5000/lab/dask@{DIGEST}"


def stream(**annotations: str) -> JSON:
    return {"metadata": {"name": "dask", "labels": dict(LABELS), "annotations": annotations}}


def config(wanted: Wanted = WANTED) -> JSON:
    """A BuildConfig of ours, with a server's defaults."""
    made = wanted.config(None)
    made["spec"] |= {"nodeSelector": None, "postCommit": {}, "successfulBuildsHistoryLimit": 5}
    made["metadata"] = {**made["metadata"], "annotations": {SPEC_ANNOTATION: json.dumps(kept(made["spec"]))}}
    return made


def tag(**image: t.Any) -> JSON:
    return {"image": {"dockerImageReference": REFERENCE, **image}}


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (Observed(), Plan(create_stream=True, write_config=True, build=True)),
        (Observed(None, stream()), Plan(create_stream=False, write_config=True, build=True)),
        (Observed(None, stream(), config()), Plan(create_stream=False, write_config=True, build=True)),
        (Observed(tag(), stream(), None), Plan(create_stream=False, write_config=False, build=False)),
    ],
)
def test_only_what_is_missing_is_done(observed: Observed, expected: Plan) -> None:
    assert Plan.make(WANTED, observed) == expected


@pytest.mark.parametrize("labels", [None, {}, {"app.kubernetes.io/managed-by": "Helm"}])
@pytest.mark.parametrize("kind", ["ImageStream", "BuildConfig"])
def test_what_is_not_ours_is_refused(kind: str, labels: JSON | None) -> None:
    other = {"metadata": {"name": "dask", "labels": labels}, "spec": {}}
    observed = Observed(None, other) if kind == "ImageStream" else Observed(None, stream(), other)
    with pytest.raises(DaskopsError, match=f"Cluster prod: the {kind} lab/dask was not made by this collection"):
        Plan.make(WANTED, observed)


def test_what_differs_by_image_is_no_change() -> None:
    other = Wanted(PLACE, "other", "docker.io/library/debian:13", {"C": "3"})
    found = config()
    found["spec"] |= {name: other.spec()[name] for name in ("output", "strategy")}
    found["spec"]["strategy"]["dockerStrategy"]["env"] = [{"name": "D", "value": "4"}]
    assert changes(found) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"resources": {"limits": {"cpu": "1"}}}, ["spec.resources.limits"]),
        ({"serviceAccount": "other"}, ["spec.serviceAccount"]),
        (
            {"successfulBuildsHistoryLimit": 1, "runPolicy": "Parallel"},
            ["spec.runPolicy", "spec.successfulBuildsHistoryLimit"],
        ),
        ({"source": {"type": "Git", "git": {"uri": "x"}}}, ["spec.source.git", "spec.source.type"]),
        ({"triggers": [], "postCommit": None}, []),
    ],
)
def test_fields_that_were_changed_are_named(change: JSON, expected: list[str]) -> None:
    found = config()
    found["spec"] |= change
    assert changes(found) == expected


def test_a_note_that_is_spoilt_is_a_change() -> None:
    found = config()
    found["metadata"]["annotations"][SPEC_ANNOTATION] = "{"
    assert changes(found) == ["the annotation daskops.io/build-spec"]
    del found["metadata"]["annotations"][SPEC_ANNOTATION]
    assert changes(found) == [], "a run that was broken off has not written it yet"


def test_a_buildconfig_keeps_what_others_have_noted_in_it() -> None:
    found = config()
    found["metadata"] |= {"resourceVersion": "7", "annotations": {"other": "x"}}
    before = copy.deepcopy(found)
    made = WANTED.config(found)
    assert made["metadata"] == before["metadata"]
    assert made["spec"] == WANTED.spec()
    assert found == before


def test_the_arguments_and_labels_are_the_build_s() -> None:
    spec = WANTED.spec()
    assert spec["strategy"]["dockerStrategy"]["buildArgs"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "2"},
        {"name": "BASE_IMAGE", "value": "docker.io/library/debian:12"},
    ]
    assert spec["output"] == {
        "to": {"kind": "ImageStreamTag", "name": "dask:tag"},
        "imageLabels": [{"name": "io.daskops.content", "value": "c"}],
    }


def test_an_image_is_described_by_its_stream() -> None:
    noted = json.dumps({"tag": {"dask": "1"}, "other": {"dask": "2"}})
    layers = [{"size": 1}, {"size": 2}]
    found = described(WANTED, Observed(tag(dockerImageLayers=layers), stream(**{VERSIONS_ANNOTATION: noted})))
    assert (found.reference, found.size_bytes, found.versions, found.warnings) == (REFERENCE, 3, {"dask": "1"}, ())


def test_an_image_s_own_labels_go_first() -> None:
    metadata = {"Size": 5, "Config": {"Labels": {"io.daskops.version.dask": "3"}}}
    found = described(WANTED, Observed(tag(dockerImageMetadata=metadata), stream()))
    assert (found.size_bytes, found.versions) == (5, {"dask": "3"})


@pytest.mark.parametrize("noted", ["{}", "{", "[]"])
def test_versions_that_nobody_knows_are_warned_of(noted: str) -> None:
    found = described(WANTED, Observed(tag(), stream(**{VERSIONS_ANNOTATION: noted})))
    assert found.versions == {}
    assert "does not say which versions the tag tag holds" in found.warnings[0]


def log(*lines: str) -> Log:
    made = Log(Steps.of("FROM x\n# install Python\nRUN apt-get install python3\n"))
    for line in lines:
        made.read(line)
    return made


def test_a_log_is_understood() -> None:
    made = log()
    assert made.read("[1/2] STEP 2/3: RUN apt-get install python3") == "step 1 of 1, install Python"
    assert made.read("daskops: install git") == "step 1 of 1, install Python: install git"
    assert made.read('daskops-versions: {"dask": "1"}') is None
    assert made.read("Pushing image registry.example.com/lab/dask:tag ...") == "push to the cluster's registry"
    assert (made.versions, made.lines) == ({"dask": "1"}, 4)
    made.read("daskops-versions: {")
    assert made.versions == {}


@pytest.mark.parametrize("reason", sorted(HINTS))
def test_each_reason_is_one_sentence_with_its_hint(reason: str) -> None:
    status = {"phase": "Failed", "reason": reason, "message": "It is so.", "logSnippet": "a\nerror: it broke."}
    error = explain(PLACE, "dask-3", status, log())
    assert error.message == (
        f"Cluster prod: the build lab/dask-3 has not made the image (Failed, {reason}: It is so): it broke; "
        f"{HINTS[reason]}"
    )
    assert error.details == {"log": "a\nerror: it broke."}


def test_a_quota_is_named_whatever_the_reason() -> None:
    status = {"phase": "New", "reason": "Error", "message": 'pods "x" is forbidden: exceeded quota: compute'}
    assert "set build_resources to what is allowed" in explain(PLACE, "dask-3", status, log()).message


def test_a_reason_that_is_not_known_leads_to_the_build() -> None:
    error = explain(PLACE, "dask-3", {"phase": "Error", "reason": "New"}, log())
    assert error.message.endswith("(Error, New); see 'oc describe build dask-3 -n lab'")
    assert error.details == {}


class FakeRegistry:
    def __init__(self, found: RemoteImage | Exception | None) -> None:
        self.found = found

    def find(self, _reference: t.Any) -> RemoteImage | None:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def base(text: str, found: RemoteImage | Exception | None) -> Base:
    return Base.find(text, lambda _host: t.cast("t.Any", FakeRegistry(found)))


def test_a_base_by_digest_is_not_looked_up() -> None:
    named = f"debian:12@{DIGEST}"
    assert base(named, AssertionError()) == Base(f"docker.io/library/debian@{DIGEST}", named)


def test_a_base_is_pinned_to_what_its_registry_says() -> None:
    pinned = f"docker.io/library/debian@{DIGEST}"
    assert base("debian:12", RemoteImage(DIGEST, 1, {})) == Base(pinned, pinned)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (RegistryUnreachable("The registry docker.io does not answer (timed out): start it"), "does not answer"),
        (DaskopsError("The registry docker.io refuses access to 'x' without credentials: log in"), "refuses access"),
        (RemoteImage("", 1, {}), "does not name its digest"),
    ],
)
def test_a_base_that_cannot_be_looked_up_is_known_by_its_name(found: t.Any, why: str) -> None:
    known = base("debian", found)
    assert known.name == known.identity == "docker.io/library/debian:latest"
    assert why in known.warnings[0]
    assert "it is not noticed when the base image 'debian' changes: name it by its digest" in known.warnings[0]
    assert "start it" not in known.warnings[0]


def test_a_base_that_is_not_there_is_refused() -> None:
    with pytest.raises(DaskopsError, match=r"The registry docker.io holds no base image 'debian:13'"):
        base("debian:13", None)
