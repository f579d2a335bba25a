# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role dask would apply, rendered by Ansible from its own defaults, variables and templates: no cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

JSON = dict[str, t.Any]
ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "dask"
PLAYBOOK = [sys.executable, "-m", "ansible.cli.playbook"]
RENDER = "{{ query('ansible.builtin.template', *__dask_templates) | map('from_yaml_all') | map('select') | flatten }}"
KEYS = "{{ __dask_route_keys }}"
SPILL = "DASK_DISTRIBUTED__WORKER__MEMORY__MAX_SPILL"
PROXY_IMAGE = "registry.example.com/oauth-proxy:4"

BASE: JSON = {
    "dask_image": "registry.example.com/dask:1",
    "dask_target": {
        "name": "lab",
        "kubeconfig": "/nowhere/kubeconfig",
        "context": "lab",
        "namespace": {"name": "team", "create": False},
        "registry": {"kind": "none", "pull_secret": ""},
        "exposure": ["port_forward"],
        "security": {"arbitrary_uid": True},
    },
    "__dask_preflight": {"worker_groups": []},
    "__dask_credentials": {"certificate_serial": "1", "password_id": "2"},
}
ROUTE = {"dask_notebook_exposure": "route"}
PROXY: JSON = {**ROUTE, "dask_notebook_oauth_proxy": {"image": PROXY_IMAGE}}
GROUP: JSON = {
    "name": "cpu",
    "replicas": 1,
    "nthreads": 1,
    "memory_limit": 1,
    "max_spill": 9,
    "image": None,
    "priority_class": None,
    "local_directory_size": "1Gi",
    **{key: {} for key in ("node_selector", "affinity", "env", "resources", "requests", "limits")},
    **{key: [] for key in ("tolerations", "extra_arguments")},
}
CASES: dict[str, JSON] = {
    "plain": {"__dask_preflight": {"worker_groups": [GROUP]}},
    "ingress": {"dask_notebook_exposure": "ingress", "dask_notebook_ingress": {"host": "dask.example.com"}},
    "route": ROUTE,
    "route of one's own": {
        **ROUTE,
        "dask_exposure_namespaces": [{"kubernetes.io/metadata.name": "router"}],
        "dask_notebook_route": {
            "host": "dask.example.com",
            "certificate": "CERTIFICATE",
            "key": "PRIVATE KEY",
            "ca_certificate": "AUTHORITY",
            "timeout": "5m",
            "annotations": {"haproxy.router.openshift.io/timeout-tunnel": "3d", "x": True},
            "labels": {"shard": "internal", "x": False},
        },
    },
    "ingress of one's own": {
        "dask_notebook_exposure": "ingress",
        "dask_notebook_ingress": {"host": "dask.example.com"},
        "dask_exposure_namespaces": [{"kubernetes.io/metadata.name": "ingress-nginx"}],
        "dask_exposure_cidrs": ["130.211.0.0/22", "35.191.0.0/16"],
    },
    "node ports": {
        "dask_notebook_exposure": "node_port",
        "dask_scheduler_exposure": "node_port",
        "dask_exposure_cidrs": ["0.0.0.0/0", "::/0"],
    },
    "load balancers for some": {
        "dask_notebook_exposure": "load_balancer",
        "dask_scheduler_exposure": "load_balancer",
        "dask_exposure_cidrs": ["10.0.0.0/8", "2001:db8::/32"],
    },
    "load balancers without policies": {
        "dask_notebook_exposure": "load_balancer",
        "dask_exposure_cidrs": ["10.0.0.0/8"],
        "dask_network_policies": False,
    },
    "node ports for nobody": {"dask_notebook_exposure": "node_port", "dask_exposure_cidrs": []},
    "route with no router": {**ROUTE, "dask_exposure_namespaces": []},
    "mirror": {
        **PROXY,
        "dask_image_registry": "mirror.example.com/dask",
        "__dask_preflight": {"worker_groups": [GROUP, {**GROUP, "name": "gpu", "image": "registry.example.com/gpu:1"}]},
    },
    "values of YAML": {
        "dask_notebook_exposure": "ingress",
        "dask_notebook_ingress": {"host": "dask.example.com", "annotations": {"kept": "1", "x": True, "n": 3}},
        "dask_service_annotations": {"x": True, "none": None},
        "dask_scheduler_node_selector": {"gpu": False},
        "dask_exposure_namespaces": [{"zone": 1}],
        "dask_target": {**BASE["dask_target"], "service_account": {"annotations": {"x": True}}},
        "__dask_preflight": {"worker_groups": [{**GROUP, "node_selector": {"gpu": True, "zone": "a", "size": 1.5}}]},
    },
    "workers with settings": {
        "__dask_preflight": {"worker_groups": [GROUP]},
        "dask_config": {"temporary-directory": "/tmp", "distributed": {"worker": {"memory": {"max-spill": "1 GiB"}}}},
    },
    "workers with environments": {
        "__dask_preflight": {"worker_groups": [GROUP, {**GROUP, "name": "gpu", "env": {SPILL: "2 GiB"}}]},
        "dask_env": {SPILL: "1 GiB", "DASK_TEMPORARY_DIRECTORY": "/tmp"},
    },
    "proxy": PROXY,
    "proxy of one's own": {
        **PROXY,
        "dask_notebook_oauth_proxy": {
            "image": PROXY_IMAGE,
            "cpu": 1,
            "access": {"resource": "pods", "verb": "list", "namespace": "ops"},
            "extra_arguments": ["--cookie-expire=8h"],
        },
    },
}


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, JSON]:
    """By case, the objects by kind and name; all cases by one run of Ansible."""
    folder = tmp_path_factory.mktemp("rendered")
    # The search path of a playbook's lookups is its folder.
    for name in ("templates", "files"):
        (folder / name).symlink_to(ROLE / name)
    plays: list[JSON] = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [str(ROLE / "defaults" / "main.yml"), str(ROLE / "vars" / "main.yml"), f"case{number}.yml"],
            "tasks": [{"ansible.builtin.set_fact": {f"case{number}": RENDER, f"keys{number}": KEYS}}],
        }
        for number in range(len(CASES))
    ]
    for number, case in enumerate(CASES.values()):
        (folder / f"case{number}.yml").write_text(yaml.safe_dump({**BASE, **case}))
    names = [f"{what}{number}" for number in range(len(CASES)) for what in ("case", "keys")]
    everything = "{{ {" + ", ".join(f"'{name}': {name}" for name in names) + "} | to_json }}"
    plays[-1]["tasks"].append({"ansible.builtin.copy": {"content": everything, "dest": str(folder / "out.json")}})
    (folder / "render.yml").write_text(yaml.safe_dump(plays))
    # The root's settings say where the collection is.
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run([*PLAYBOOK, "render.yml"], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "out.json").read_text())
    return {
        case: {
            **{f"{item['kind']}/{item['metadata']['name']}": item for item in found[f"case{number}"]},
            "keys": found[f"keys{number}"],
        }
        for number, case in enumerate(CASES)
    }


def door(objects: JSON) -> JSON:
    [rule] = objects["NetworkPolicy/dask-notebook-door"]["spec"]["ingress"]
    return t.cast("JSON", rule)


def pod(objects: JSON) -> JSON:
    return t.cast("JSON", objects["Deployment/dask-notebook"]["spec"]["template"]["spec"])


def test_without_a_route_there_is_nothing_of_openshift(rendered: dict[str, JSON]) -> None:
    for case in ("plain", "ingress"):
        assert "openshift" not in json.dumps(rendered[case])
        assert len(pod(rendered[case])["containers"]) == 1
    assert "NetworkPolicy/dask-notebook-door" not in rendered["plain"]


def test_an_ingress_controller_may_come_in(rendered: dict[str, JSON]) -> None:
    # Where addresses are no peers of pods, such as with Cilium, the block alone would keep a pod out.
    everybody = [{"namespaceSelector": {}, "podSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0"}}]
    assert door(rendered["ingress"])["from"] == everybody
    labels = {"kubernetes.io/metadata.name": "ingress-nginx"}
    assert door(rendered["ingress of one's own"])["from"] == [
        {"namespaceSelector": {"matchLabels": labels}, "podSelector": {}},
        {"ipBlock": {"cidr": "130.211.0.0/22"}},
        {"ipBlock": {"cidr": "35.191.0.0/16"}},
    ]


def test_ports_are_open_to_all_or_see_where_their_clients_are(rendered: dict[str, JSON]) -> None:
    everybody = [{"ipBlock": {"cidr": cidr}} for cidr in ("0.0.0.0/0", "::/0")]
    assert door(rendered["node ports"])["from"] == everybody
    some = rendered["load balancers for some"]
    for objects, policy in ((rendered["node ports"], None), (some, "Local")):
        for name in ("notebook", "scheduler-external"):
            assert objects[f"Service/dask-{name}"]["spec"].get("externalTrafficPolicy") == policy
    assert "externalTrafficPolicy" not in rendered["load balancers without policies"]["Service/dask-notebook"]["spec"]
    # It is for those two kinds only.
    assert "externalTrafficPolicy" not in some["Service/dask-scheduler"]["spec"]
    assert "externalTrafficPolicy" not in rendered["ingress of one's own"]["Service/dask-notebook"]["spec"]
    # An empty "from" would let everybody in.
    assert "NetworkPolicy/dask-notebook-door" not in rendered["node ports for nobody"]


def test_all_images_come_from_the_mirror(rendered: dict[str, JSON]) -> None:
    pods = [
        item["spec"]["template"]["spec"] for key, item in rendered["mirror"].items() if key.startswith("Deployment/")
    ]
    assert sorted(container["image"] for pod in pods for container in pod["containers"]) == [
        "mirror.example.com/dask/dask:1",
        "mirror.example.com/dask/dask:1",
        "mirror.example.com/dask/dask:1",
        "mirror.example.com/dask/gpu:1",
        "mirror.example.com/dask/oauth-proxy:4",
    ]


def environment(objects: JSON, name: str) -> JSON:
    [container] = objects[f"Deployment/dask-{name}"]["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value") for item in container["env"]}


def test_workers_spill_less_than_their_volume_holds_unless_the_user_says_otherwise(rendered: dict[str, JSON]) -> None:
    assert environment(rendered["plain"], "worker-cpu")[SPILL] == "9"
    assert SPILL not in environment(rendered["plain"], "scheduler")
    # Dask would take the environment before its files.
    assert SPILL not in environment(rendered["workers with settings"], "worker-cpu")
    both = rendered["workers with environments"]
    assert environment(both, "worker-cpu")[SPILL] == "1 GiB"
    assert environment(both, "worker-gpu")[SPILL] == "2 GiB"


def test_the_temporary_directory_is_the_settings(rendered: dict[str, JSON]) -> None:
    # The image has the variable too, and Dask takes the environment before its files.
    for case, folder, variable in (
        ("plain", "/var/lib/dask", "/var/lib/dask"),
        ("workers with settings", "/tmp", "/tmp"),
        ("workers with environments", "/var/lib/dask", "/tmp"),
    ):
        settings = yaml.safe_load(rendered[case]["ConfigMap/dask-config"]["data"]["daskops.yaml"])
        assert settings["temporary-directory"] == folder
        for name in ("scheduler", "notebook", "worker-cpu"):
            assert environment(rendered[case], name)["DASK_TEMPORARY_DIRECTORY"] == variable
        [worker] = rendered[case]["Deployment/dask-worker-cpu"]["spec"]["template"]["spec"]["containers"]
        # It would have the last word otherwise.
        assert not any(argument.startswith("--local-directory") for argument in worker["args"])


def strings(value: t.Any) -> t.Iterator[t.Any]:
    """All values of labels, annotations and node selectors."""
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        if key in ("labels", "annotations", "matchLabels", "nodeSelector"):
            yield from item.values()
        elif isinstance(item, dict | list):
            yield from strings(item)


def test_labels_and_annotations_are_strings(rendered: dict[str, JSON]) -> None:
    for objects in rendered.values():
        found = list(strings(objects))
        assert [value for value in found if not isinstance(value, str)] == []
        assert not {"True", "False", "None"} & set(found)
    objects = rendered["values of YAML"]
    assert objects["Ingress/dask-notebook"]["metadata"]["annotations"] == {"kept": "1", "x": "true", "n": "3"}
    assert objects["Service/dask-notebook"]["metadata"]["annotations"] == {"x": "true", "none": ""}
    assert objects["ServiceAccount/dask"]["metadata"]["annotations"] == {"x": "true"}
    scheduler, worker = (
        objects[f"Deployment/dask-{name}"]["spec"]["template"]["spec"] for name in ("scheduler", "worker-cpu")
    )
    assert scheduler["nodeSelector"] == {"gpu": "false"}
    assert worker["nodeSelector"] == {"gpu": "true", "zone": "a", "size": "1.5"}


def test_a_route(rendered: dict[str, JSON]) -> None:
    route = rendered["route"]["Route/dask-notebook"]
    assert route["apiVersion"] == "route.openshift.io/v1"
    assert route["metadata"]["annotations"] == {
        "haproxy.router.openshift.io/timeout": "1h",
        "haproxy.router.openshift.io/timeout-tunnel": "24h",
    }
    assert route["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "daskops"
    assert route["spec"] == {
        "to": {"kind": "Service", "name": "dask-notebook"},
        "port": {"targetPort": "http-notebook"},
        "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
        "wildcardPolicy": "None",
    }
    service = rendered["route"]["Service/dask-notebook"]["spec"]
    assert service["type"] == "ClusterIP"
    assert service["ports"] == [{"name": "http-notebook", "port": 8888, "targetPort": "http-notebook"}]
    assert rendered["route"]["keys"] == {}
    assert "Ingress/dask-notebook" not in rendered["route"]


def test_a_route_of_ones_own(rendered: dict[str, JSON]) -> None:
    objects = rendered["route of one's own"]
    route = objects["Route/dask-notebook"]
    assert route["spec"]["host"] == "dask.example.com"
    assert route["spec"]["tls"]["certificate"] == "CERTIFICATE"
    assert route["spec"]["tls"]["caCertificate"] == "AUTHORITY"
    assert route["metadata"]["annotations"] == {
        "haproxy.router.openshift.io/timeout": "5m",
        "haproxy.router.openshift.io/timeout-tunnel": "3d",
        "x": "true",
    }
    assert route["metadata"]["labels"]["shard"] == "internal"
    # The key goes another way, which keeps it out of logs.
    assert objects.pop("keys") == {"dask-notebook": "PRIVATE KEY"}
    assert "PRIVATE KEY" not in json.dumps(objects)
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "router"}}, "podSelector": {}}
    assert door(objects)["from"] == [peer]


def test_a_router_may_come_in(rendered: dict[str, JSON]) -> None:
    rule = door(rendered["route"])
    assert [peer["namespaceSelector"]["matchLabels"] for peer in rule["from"]] == [
        {"policy-group.network.openshift.io/ingress": ""},
        {"policy-group.network.openshift.io/host-network": ""},
        {"network.openshift.io/policy-group": "ingress"},
    ]
    assert all(peer["podSelector"] == {} for peer in rule["from"])
    assert rule["ports"] == [{"port": 8888, "protocol": "TCP"}]
    # An empty "from" would let everybody in.
    assert "NetworkPolicy/dask-notebook-door" not in rendered["route with no router"]


def test_an_oauth_proxy_stands_before_the_notebook(rendered: dict[str, JSON]) -> None:
    objects = rendered["proxy"]
    assert objects["Service/dask-notebook"]["spec"]["ports"][0]["targetPort"] == "http-oauth"
    assert door(objects)["ports"] == [{"port": 4180, "protocol": "TCP"}]
    reference = objects["ServiceAccount/dask"]["metadata"]["annotations"]
    [(key, value)] = reference.items()
    assert key == "serviceaccounts.openshift.io/oauth-redirectreference.dask-notebook"
    assert json.loads(value)["reference"] == {"kind": "Route", "name": "dask-notebook"}
    _notebook, proxy = pod(objects)["containers"]
    assert proxy["ports"] == [{"name": "http-oauth", "containerPort": 4180}]
    [access] = [arg.partition("=")[2] for arg in proxy["args"] if arg.startswith("--openshift-sar=")]
    expected = {"namespace": "team", "resource": "services", "resourceName": "dask-notebook", "verb": "get"}
    assert json.loads(access) == expected
    assert "--openshift-service-account=dask" in proxy["args"]
    assert proxy["resources"]["limits"] == {"cpu": "100m", "memory": "128Mi"}
    assert proxy["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_only_the_oauth_proxy_has_a_token(rendered: dict[str, JSON]) -> None:
    spec = pod(rendered["proxy"])
    assert spec["automountServiceAccountToken"] is False
    notebook, proxy = spec["containers"]
    private = {"oauth-proxy-account", "oauth-proxy"}
    assert {mount["name"] for mount in proxy["volumeMounts"]} == private
    assert not private & {mount["name"] for mount in notebook["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    tokens = [name for name, volume in volumes.items() if "serviceAccountToken" in json.dumps(volume)]
    assert tokens == ["oauth-proxy-account"]
    assert volumes["oauth-proxy"]["secret"]["items"] == [{"key": "cookie_secret", "path": "cookie_secret"}]
    # All that is mounted is there.
    for container in spec["containers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys()


def test_an_oauth_proxy_of_ones_own(rendered: dict[str, JSON]) -> None:
    proxy = pod(rendered["proxy of one's own"])["containers"][1]
    [access] = [arg.partition("=")[2] for arg in proxy["args"] if arg.startswith("--openshift-sar=")]
    assert json.loads(access) == {"resource": "pods", "verb": "list", "namespace": "ops"}
    assert proxy["args"][-1] == "--cookie-expire=8h"
    assert proxy["resources"]["requests"] == {"cpu": "1", "memory": "128Mi"}


@pytest.mark.parametrize(
    ("change", "has"),
    [
        (
            {"dask_notebook_exposure": "port_forward"},
            f"{PROXY_IMAGE} and the exposure port_forward",
        ),
        ({"dask_notebook_oauth_proxy": {"cpu": "1"}}, "no image and the exposure route"),
    ],
)
def test_an_oauth_proxy_needs_a_route_and_an_image(tmp_path: Path, change: JSON, has: str) -> None:
    given = {key: value for key, value in {**BASE, **PROXY, **change}.items() if not key.startswith("__")}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.import_role": {"name": "daskops.kubernetes.dask"}, "vars": given}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [*PLAYBOOK, str(tmp_path / "play.yml")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"needs an image and a Route before it, and has {has};" in " ".join(done.stdout.split())
