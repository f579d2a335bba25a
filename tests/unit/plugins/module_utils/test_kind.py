# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What kind_cluster decides, without Docker."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _kind
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kind import Kubeconfig, Observed, Spec, Step

SPEC = Spec(
    name="dask",
    image="kindest/node:v1.34.0",
    workers=2,
    listen="127.0.0.1",
    node_ports=(30888, 30786),
    schedulable_control_plane=True,
    registry="daskops-registry",
    registry_port=5001,
    registry_image="registry:2",
)


def node(name: str, **changes: t.Any) -> dict[str, t.Any]:
    """What C(docker container inspect) says of a node, as far as it is looked at."""
    control = name.endswith("control-plane")
    ports = {"6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "41689"}]}
    if control:
        for port in SPEC.node_ports:
            ports[f"{port}/tcp"] = [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
    container = {
        "Name": f"/{name}",
        "Config": {
            "Image": SPEC.image,
            "Labels": {
                "io.x-k8s.kind.cluster": name.partition("-")[0],
                "io.x-k8s.kind.role": "control-plane" if control else "worker",
            },
        },
        "HostConfig": {
            "Binds": ["/lib/modules:/lib/modules:ro", f"/dev/null:{_kind.encode_marks(SPEC.marks)}:ro"],
            "PortBindings": ports if control else {},
        },
        "State": {"Status": "running"},
        "NetworkSettings": {"Networks": {"kind": {"IPAddress": "172.18.0.9"}}},
    }
    return {**container, **changes}


REGISTRY = {
    "Name": "/daskops-registry",
    "Config": {"Image": "registry:2", "Labels": {"daskops.kubernetes.registry": "daskops-registry"}},
    "HostConfig": {"Binds": None, "PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5001"}]}},
    "State": {"Status": "running"},
    "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}, "kind": {"IPAddress": "172.18.0.5"}}},
}


def observe(*containers: dict[str, t.Any], **changes: t.Any) -> Observed:
    """A cluster as it is when all is well, or with changes."""
    found = containers or (node("dask-worker2"), node("dask-worker"), node("dask-control-plane"), REGISTRY)
    nodes, others = _kind.read_containers(list(found))
    observed = Observed(
        nodes=nodes,
        complete=True,
        registry=others.get("daskops-registry"),
        kubeconfig=Kubeconfig.CURRENT,
        kubernetes_version="v1.34.0",
    )
    return replace(observed, **changes)


def test_unchanged() -> None:
    assert _kind.plan_present(SPEC, observe()) == ()


def test_nodes_are_read_with_the_control_plane_first() -> None:
    observed = observe()
    assert [n.name for n in observed.nodes] == SPEC.node_names
    assert observed.nodes[0].ports == {("127.0.0.1", 30888, 30888), ("127.0.0.1", 30786, 30786)}
    assert observed.nodes[0].marks == SPEC.marks


def test_create_from_nothing() -> None:
    assert _kind.plan_present(SPEC, Observed()) == (
        Step.CREATE_REGISTRY,
        Step.CREATE_CLUSTER,
        Step.CONNECT_REGISTRY,
        Step.WRITE_KUBECONFIG,
    )


def test_create_beside_a_registry_that_is_there() -> None:
    observed = observe(REGISTRY, complete=False, kubeconfig=Kubeconfig.MISSING)
    assert _kind.plan_present(SPEC, observed) == (Step.CREATE_CLUSTER, Step.CONNECT_REGISTRY, Step.WRITE_KUBECONFIG)


def test_an_interrupted_creation_is_begun_again() -> None:
    observed = observe(node("dask-control-plane"), REGISTRY, complete=False, kubeconfig=Kubeconfig.MISSING)
    assert _kind.plan_present(SPEC, observed)[:2] == (Step.DELETE_REMAINS, Step.CREATE_CLUSTER)


def test_stopped_nodes_and_registry_are_started() -> None:
    stopped = {"State": {"Status": "exited"}}
    observed = observe(
        node("dask-control-plane", **stopped),
        node("dask-worker", **stopped),
        node("dask-worker2"),
        {**REGISTRY, **stopped},
    )
    assert _kind.plan_present(SPEC, observed) == (Step.START_NODES, Step.START_REGISTRY, Step.CONNECT_REGISTRY)


@pytest.mark.parametrize("state", [Kubeconfig.MISSING, Kubeconfig.STALE])
def test_kubeconfig_is_written_again(state: Kubeconfig) -> None:
    assert _kind.plan_present(SPEC, observe(kubeconfig=state)) == (Step.WRITE_KUBECONFIG,)


def test_kubeconfig_with_other_contexts_is_left_alone() -> None:
    with pytest.raises(DaskopsError, match="would overwrite a file that holds more than this cluster"):
        _kind.plan_present(SPEC, observe(kubeconfig=Kubeconfig.FOREIGN))
    assert Step.DELETE_KUBECONFIG not in _kind.plan_absent("dask", observe(kubeconfig=Kubeconfig.FOREIGN), False)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"workers": 3}, "it has 2 workers, not 3"),
        ({"image": "kindest/node:v1.33.0"}, "its nodes run image kindest/node:v1.34.0, not kindest/node:v1.33.0"),
        (
            {"node_ports": (30888,)},
            "it forwards 127.0.0.1:30786->30786, 127.0.0.1:30888->30888, not 127.0.0.1:30888->30888",
        ),
        ({"node_ports": ()}, "it forwards 127.0.0.1:30786->30786, 127.0.0.1:30888->30888, not no ports"),
        ({"listen": "0.0.0.0"}, "not 0.0.0.0:30786->30786, 0.0.0.0:30888->30888"),
        ({"schedulable_control_plane": False}, "its schedulable_control_plane is true, not false"),
        ({"kubernetes_version": "1.33"}, "it runs Kubernetes v1.34.0, not 1.33"),
    ],
)
def test_a_cluster_that_differs_is_refused(changes: dict[str, t.Any], difference: str) -> None:
    with pytest.raises(DaskopsError, match="nothing was touched") as caught:
        _kind.plan_present(replace(SPEC, **changes), observe())
    assert len(caught.value.details["differences"]) == 1
    assert difference in caught.value.details["differences"][0]


def test_all_differences_are_listed() -> None:
    with pytest.raises(DaskopsError) as caught:
        _kind.plan_present(replace(SPEC, workers=0, image="other", node_ports=(30001,)), observe())
    assert len(caught.value.details["differences"]) == 3


def test_a_lost_node_and_a_paused_one_are_differences() -> None:
    observed = observe(node("dask-control-plane"), node("dask-worker", State={"Status": "paused"}), REGISTRY)
    with pytest.raises(DaskopsError, match=r"1 worker, not 2; its node dask-worker is paused"):
        _kind.plan_present(SPEC, observed)


def test_a_cluster_of_someone_else_is_left_alone() -> None:
    foreign = node("dask-control-plane", HostConfig={"Binds": ["/lib/modules:/lib/modules:ro"], "PortBindings": {}})
    observed = observe(foreign, REGISTRY, complete=False)
    with pytest.raises(DaskopsError, match="has not made"):
        _kind.plan_present(SPEC, observed)
    with pytest.raises(DaskopsError, match="was not made by this collection, so it was not deleted"):
        _kind.plan_absent("dask", observed, False)


def test_absent() -> None:
    everything = (Step.DELETE_CLUSTER, Step.DELETE_REGISTRY, Step.DELETE_KUBECONFIG)
    assert _kind.plan_absent("dask", observe(), False) == everything
    assert _kind.plan_absent("dask", Observed(), False) == ()


def test_absent_keeps_a_registry_that_is_wanted() -> None:
    assert Step.DELETE_REGISTRY not in _kind.plan_absent("dask", observe(), True)
    assert Step.DELETE_REGISTRY not in _kind.plan_absent("dask", observe(registry_users=("trial",)), False)
    foreign = {**REGISTRY, "Config": {"Image": "registry:2", "Labels": None}}
    assert Step.DELETE_REGISTRY not in _kind.plan_absent("dask", observe(node("dask-control-plane"), foreign), False)


def test_a_registry_of_someone_else_serves_if_it_has_the_port() -> None:
    foreign = {**REGISTRY, "Config": {"Image": "registry:2", "Labels": None}}
    nodes = [node(name) for name in SPEC.node_names]
    assert _kind.plan_present(SPEC, observe(*nodes, foreign)) == ()
    elsewhere = {**foreign, "HostConfig": {"Binds": None, "PortBindings": None}}
    with pytest.raises(DaskopsError, match="no registry on port 5001 of this machine"):
        _kind.plan_present(SPEC, observe(*nodes, elsewhere))


def test_a_registry_off_the_nodes_network_is_connected() -> None:
    apart = {**REGISTRY, "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}}}
    observed = observe(*(node(name) for name in SPEC.node_names), apart)
    assert _kind.plan_present(SPEC, observed) == (Step.CONNECT_REGISTRY,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Dask"}, "'Dask' is no name for a kind cluster"),
        ({"name": "d_sk"}, "'d_sk' is no name"),
        ({"name": "-dask"}, "is no name"),
        ({"name": ""}, "'' is no name"),
        ({"name": "d" * 50}, "is no name"),
        ({"name": "dask\n"}, "is no name"),
        ({"registry": "a registry"}, "'a registry' is no name for the registry"),
        ({"workers": -1}, "cannot have -1 workers"),
        ({"workers": 0, "schedulable_control_plane": False}, "no node that runs pods"),
        ({"node_ports": (8888,)}, "8888 is no node port"),
        ({"node_ports": (30888, 30888)}, "given twice"),
        ({"registry_port": 0}, "cannot listen on port 0"),
        ({"registry_port": 30888}, "cannot listen on port 30888"),
        ({"kubernetes_version": "latest"}, "'latest' is no Kubernetes version"),
    ],
)
def test_bad_input(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(DaskopsError, match=message):
        _kind.check(replace(SPEC, **changes))


def test_good_input() -> None:
    for spec in (SPEC, replace(SPEC, name="d" * 49, workers=0), replace(SPEC, kubernetes_version="v1.34")):
        _kind.check(spec)


@pytest.mark.parametrize(
    ("wanted", "fits"), [("1.34", True), ("v1.34.0", True), ("1.34.0", True), ("1.3", False), ("1.34.01", False)]
)
def test_version(wanted: str, fits: bool) -> None:
    assert _kind.version_fits(wanted, "v1.34.0") is fits


def test_kind_config() -> None:
    config = json.loads(_kind.kind_config(SPEC))
    control, *workers = config["nodes"]
    assert control["extraPortMappings"] == [
        {"containerPort": port, "hostPort": port, "listenAddress": "127.0.0.1"} for port in (30888, 30786)
    ]
    assert json.loads(control["kubeadmConfigPatches"][0])["nodeRegistration"] == {"taints": []}
    assert [w["role"] for w in workers] == ["worker", "worker"]
    # kind splits a mount at colons
    assert all(":" not in mount["containerPath"] for found in config["nodes"] for mount in found["extraMounts"])
    for spec in (replace(SPEC, schedulable_control_plane=False), replace(SPEC, workers=0)):
        assert "kubeadmConfigPatches" not in json.loads(_kind.kind_config(spec))["nodes"][0]


def test_marks_survive_the_way_through_a_mount() -> None:
    assert _kind.decode_marks([f"/dev/null:{_kind.encode_marks(SPEC.marks)}:ro"]) == SPEC.marks
    assert _kind.decode_marks(["/lib/modules:/lib/modules:ro", "/var"]) is None


def test_nodes_of_the_api_server() -> None:
    ready, waiting, silent = _kind.read_nodes(
        [
            {
                "metadata": {"name": "a"},
                "status": {
                    "conditions": [
                        {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "is ready"}
                    ],
                    "nodeInfo": {"kubeletVersion": "v1.34.0"},
                },
            },
            {
                "metadata": {"name": "b"},
                "status": {
                    "conditions": [
                        {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "no network yet"}
                    ]
                },
            },
            {"metadata": {"name": "c"}, "status": {}},
        ]
    )
    assert ready.ready
    assert ready.version == "v1.34.0"
    assert not waiting.ready
    assert waiting.why == "KubeletNotReady: no network yet"
    assert not silent.ready


def test_what_a_node_said_before_it_was_stopped_does_not_count() -> None:
    condition = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T10:00:00Z"}
    items = [{"metadata": {"name": "a"}, "status": {"conditions": [condition]}}]
    assert _kind.read_nodes(items, "2026-01-01T09:59:59Z")[0].ready
    (stale,) = _kind.read_nodes(items, "2026-01-01T10:00:01Z")
    assert not stale.ready
    assert "has not reported yet" in stale.why


def test_picture() -> None:
    steps = _kind.plan_present(SPEC, Observed())
    assert _kind.picture(Observed()).as_dict() == {"nodes": {}, "registry": "absent", "kubeconfig": "missing"}
    assert _kind.picture_after(Observed(), steps, SPEC) == _kind.picture(observe())
    gone = _kind.plan_absent("dask", observe(), False)
    assert _kind.picture_after(observe(), gone, SPEC) == _kind.picture(Observed())
    assert _kind.picture_after(observe(), (), SPEC) == _kind.picture(observe())


def test_kind_gets_what_is_passed_through() -> None:
    spec = replace(SPEC, config={"featureGates": {"X": True}}, mounts=(("/var/log/x", "/logs", False),))
    config = json.loads(_kind.kind_config(spec))
    assert config["featureGates"] == {"X": True}
    mount = {"hostPath": "/var/log/x", "containerPath": "/logs", "readOnly": False}
    assert all(mount in node["extraMounts"] for node in config["nodes"])
    made = [node(name) for name in spec.node_names]
    for each in made:
        each["HostConfig"]["Binds"] = [f"/dev/null:{_kind.encode_marks(spec.marks)}:ro"]
    assert _kind.plan_present(spec, observe(*made, REGISTRY)) == ()
    with pytest.raises(DaskopsError, match="another config"):
        _kind.plan_present(SPEC, observe(*made, REGISTRY))
    with pytest.raises(DaskopsError, match="another config"):
        _kind.plan_present(spec, observe())


def test_what_the_options_make_is_not_passed_through() -> None:
    with pytest.raises(DaskopsError, match="'nodes'"):
        _kind.check(replace(SPEC, config={"nodes": []}))
