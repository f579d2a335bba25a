# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests and answers are held against the discovery documents."""

from __future__ import annotations

import pytest

from tests.fakes.google_cloud import FakeCloud, contract
from tests.fakes.google_cloud.client import Client
from tests.fakes.google_cloud.errors import JSON, ApiError

CLUSTERS = "/container/v1/projects/fake-project/locations/europe-west1/clusters"
CREATE = "container.projects.locations.clusters.create"


def body(method: str, value: JSON) -> JSON:
    document = contract.document(f"{method.partition('.')[0]}.v1")
    return document.read_body(document.methods[method], value)


@pytest.mark.parametrize("service", sorted(contract.SERVICES))
def test_every_method_is_found_by_its_own_path(service: str) -> None:
    for name in contract.SERVICES[service]:
        for method in contract.document(name).methods.values():
            path = "/".join(segment.replace("{", "").replace("}", "").replace("+", "") for segment in method.template)
            found = contract.find(service, method.verb, path)
            assert found
            assert found[1].template == method.template, f"{method.id} is not found by {method.verb} {path}"


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ({"nmae": "c"}, "Unknown name \"nmae\" at 'cluster': Cannot find field."),
        ({"nodePools": [{"config": {"spott": True}}]}, "Unknown name \"spott\" at 'cluster.nodePools[0].config'"),
        ({"name": 3}, "Invalid value at 'cluster.name' (TYPE_STRING), 3"),
        ({"autopilot": {"enabled": "yes"}}, "Invalid value at 'cluster.autopilot.enabled' (TYPE_BOOL)"),
        ({"releaseChannel": {"channel": "REGULR"}}, "'cluster.releaseChannel.channel' (TYPE_ENUM), \"REGULR\""),
        ({"nodePools": {"name": "a"}}, "Invalid value at 'cluster.nodePools' (list)"),
        ({"initialNodeCount": True}, "'cluster.initialNodeCount' (TYPE_INT32), true"),
        ({"initialNodeCount": 1.5}, "'cluster.initialNodeCount' (TYPE_INT32), 1.5"),
        ({"defaultMaxPodsConstraint": {"maxPodsPerNode": "many"}}, "maxPodsPerNode' (TYPE_INT64)"),
        ({"resourceLabels": {"a": 1}}, "Invalid value at 'cluster.resourceLabels.a' (TYPE_STRING), 1"),
        ({"autopilot": []}, "Invalid value at 'cluster.autopilot' (type.googleapis.com/Autopilot), []"),
    ],
)
def test_bad_bodies_are_refused(cloud: FakeCloud, api: Client, cluster: JSON, message: str) -> None:
    reply = api.post(CLUSTERS, {"cluster": {"name": "c", "initialNodeCount": 1} | cluster})
    assert reply.status == 400
    assert reply.body["error"]["status"] == "INVALID_ARGUMENT"
    assert message in reply.body["error"]["message"]
    assert reply.body["error"]["details"][0]["fieldViolations"]
    assert cloud.cluster("c") is None
    assert cloud.writes[0].status == 400


def test_a_body_is_read_into_its_one_spelling() -> None:
    given = {
        "cluster": {
            "name": "c",
            "description": None,
            "node_pools": [{"initial_node_count": "2", "max_pods_constraint": {"maxPodsPerNode": 32}}],
            "resourceLabels": {"with_underscore": "kept"},
        }
    }
    assert body(CREATE, given)["cluster"] == {
        "name": "c",
        "nodePools": [{"initialNodeCount": 2, "maxPodsConstraint": {"maxPodsPerNode": "32"}}],
        "resourceLabels": {"with_underscore": "kept"},
    }


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ApiError) as caught:
        body(CREATE, {"cluster": {"a": 1, "b": 2}})
    assert len(caught.value.details[0]["fieldViolations"]) == 2


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?nonsense=1", 'Unknown name "nonsense": Cannot bind query parameter.'),
        ("?alt=xml", "Invalid value at 'alt' (TYPE_ENUM)"),
        ("?prettyPrint=perhaps", "Invalid value at 'prettyPrint' (TYPE_BOOL)"),
    ],
)
def test_bad_queries_are_refused(api: Client, query: str, message: str) -> None:
    reply = api.get(f"{CLUSTERS}{query}")
    assert reply.status == 400
    assert message in reply.body["error"]["message"]


def test_a_required_query_parameter_is_missed(api: Client) -> None:
    assert "Required parameter: project" in api.post("/storage/storage/v1/b", {"name": "bucket"}).error


def test_what_is_no_json_is_refused(api: Client) -> None:
    assert "Invalid JSON payload" in api.send("POST", CLUSTERS, "{").error


def test_unknown_paths_are_not_found(api: Client) -> None:
    assert api.get("/container/v1/projects/fake-project/nonsense").status == 404
    assert api.get("/nonsense/v1/things").status == 404


def test_the_fakes_own_answers_are_checked() -> None:
    document = contract.document("container.v1")
    assert document.problems("Cluster", {"name": "c", "currentNodeCount": 3}) == []
    wrongs: list[JSON] = [
        {"nmae": "c"},
        {"status": "GOOD"},
        {"currentNodeCount": "3"},  # right in a request, never in an answer
        {"defaultMaxPodsConstraint": {"maxPodsPerNode": 110}},
        {"name": None},
        {"node_pools": []},
    ]
    for wrong in wrongs:
        assert len(document.problems("Cluster", wrong)) == 1, wrong


def test_an_answer_that_breaks_the_contract_is_an_error() -> None:
    with FakeCloud() as cloud:
        cloud.add_cluster({"name": "c", "initialNodeCount": 1})
        cloud.state.resources[cloud.cloud.container.key("europe-west1", "c")]["status"] = "GOOD"
        reply = Client(cloud.port, lambda: cloud.token).get(f"{CLUSTERS}/c")
        assert "500 INTERNAL: The fake broke the contract: status:" in reply.error


def test_errors_of_compute_and_storage_have_their_own_form(api: Client) -> None:
    for path in ("/compute/compute/v1/projects/fake-project/global/networks/n", "/storage/storage/v1/b/bucket"):
        error = api.get(path).body["error"]
        assert error["errors"][0]["reason"] == "notFound"
        assert "status" not in error
