# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Options that several modules share; C(plugins/doc_fragments) documents the same ones."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import env_fallback


def _env(*names: str) -> tuple[t.Any, list[str]]:
    return (env_fallback, [f"K8S_AUTH_{name}" for name in names])


# The options and the environment variables of kubernetes.core, so that
# module_defaults and AWX credentials written for it serve here as well.
AUTH: dict[str, dict[str, t.Any]] = {
    "kubeconfig": {"type": "raw", "no_log": True},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "client_cert": {"type": "path", "aliases": ["cert_file"]},
    "client_key": {"type": "path", "aliases": ["key_file"]},
    "proxy": {"type": "str", "fallback": _env("PROXY")},
    "no_proxy": {"type": "str", "fallback": _env("NO_PROXY")},
    "proxy_headers": {
        "type": "dict",
        "options": {
            "proxy_basic_auth": {"type": "str", "no_log": True, "fallback": _env("PROXY_HEADERS_PROXY_BASIC_AUTH")},
            "basic_auth": {"type": "str", "no_log": True, "fallback": _env("PROXY_HEADERS_BASIC_AUTH")},
            "user_agent": {"type": "str", "fallback": _env("PROXY_HEADERS_USER_AGENT")},
        },
    },
    "persist_config": {"type": "bool", "fallback": _env("PERSIST_CONFIG")},
    "impersonate_user": {"type": "str", "fallback": _env("IMPERSONATE_USER")},
    "impersonate_groups": {"type": "list", "elements": "str", "fallback": _env("IMPERSONATE_GROUPS")},
}

# Those that say which cluster is meant and who one is to it.  Only C(_module.add_connection) asks the environment for
# them: Ansible would fill in its fallbacks beside a kubeconfig that was given, too.
CONNECTION: dict[str, t.Any] = {
    "kubeconfig": _env("KUBECONFIG"),
    "context": _env("CONTEXT"),
    "host": _env("HOST"),
    "api_key": _env("API_KEY"),
    "username": _env("USERNAME"),
    "password": _env("PASSWORD"),
    "validate_certs": _env("VERIFY_SSL", "VALIDATE_CERTS"),
    "ca_cert": _env("SSL_CA_CERT", "CA_CERT"),
    "client_cert": _env("CERT_FILE", "CLIENT_CERT"),
    "client_key": _env("KEY_FILE", "CLIENT_KEY"),
}

# The options and the environment variables of google.cloud, so that its credentials serve here as well.
GCP: dict[str, dict[str, t.Any]] = {
    "project": {"type": "str", "fallback": (env_fallback, ["GCP_PROJECT"])},
    "auth_kind": {
        "type": "str",
        "choices": ["application", "serviceaccount", "machineaccount", "accesstoken"],
        "default": "application",
        "fallback": (env_fallback, ["GCP_AUTH_KIND"]),
    },
    "service_account_file": {"type": "path", "fallback": (env_fallback, ["GCP_SERVICE_ACCOUNT_FILE"])},
    "service_account_contents": {
        "type": "jsonarg",
        "no_log": True,
        "fallback": (env_fallback, ["GCP_SERVICE_ACCOUNT_CONTENTS"]),
    },
    "service_account_email": {"type": "str", "fallback": (env_fallback, ["GCP_SERVICE_ACCOUNT_EMAIL"])},
    "access_token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["GCP_ACCESS_TOKEN"])},
    "scopes": {"type": "list", "elements": "str", "fallback": (env_fallback, ["GCP_SCOPES"])},
    "impersonate_service_account": {
        "type": "str",
        "fallback": (env_fallback, ["GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT"]),
    },
    "api_endpoint": {
        "type": "str",
        "default": "https://{service}.googleapis.com",
        "fallback": (env_fallback, ["DASKOPS_GCP_API_ENDPOINT"]),
    },
}

# Where a GKE cluster's kubeconfig goes.
GKE_KUBECONFIG: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "path": {"type": "path", "required": True},
        "auth": {"type": "str", "choices": ["auto", "exec", "token"], "default": "auto"},
        "endpoint": {"type": "str", "choices": ["auto", "dns", "ip", "private"], "default": "auto"},
    },
}

# A GKE cluster.
GKE_CLUSTER: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "location": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "existing", "absent"], "default": "present"},
    "autopilot": {"type": "bool"},
    "release_channel": {"type": "str", "choices": ["rapid", "regular", "stable", "extended", "none"]},
    "version": {"type": "str"},
    "network": {"type": "str"},
    "subnetwork": {"type": "str"},
    "pods_range": {"type": "str"},
    "services_range": {"type": "str"},
    "node_locations": {"type": "list", "elements": "str"},
    "private_nodes": {"type": "bool"},
    "private_endpoint": {"type": "bool"},
    "dns_endpoint": {"type": "bool"},
    "authorized_networks": {
        "type": "list",
        "elements": "dict",
        "options": {"cidr": {"type": "str", "required": True}, "name": {"type": "str"}},
    },
    "workload_identity": {"type": "bool"},
    "shielded_nodes": {"type": "bool"},
    "dataplane_v2": {"type": "bool"},
    "maintenance": {
        "type": "dict",
        "options": {
            "daily": {"type": "str"},
            "recurring": {
                "type": "dict",
                "options": {
                    "start": {"type": "str", "required": True},
                    "end": {"type": "str", "required": True},
                    "recurrence": {"type": "str", "required": True},
                },
            },
            "exclusions": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "start": {"type": "str", "required": True},
                    "end": {"type": "str", "required": True},
                    "scope": {
                        "type": "str",
                        "choices": ["no_upgrades", "no_minor_upgrades", "no_minor_or_node_upgrades"],
                        "default": "no_upgrades",
                    },
                },
            },
        },
    },
    "labels": {"type": "dict"},
    "logging": {"type": "list", "elements": "str"},
    "monitoring": {"type": "list", "elements": "str"},
    "managed_prometheus": {"type": "bool"},
    "cost_allocation": {"type": "bool"},
    "node_service_account": {"type": "str"},
    "initial_node_pools": {"type": "list", "elements": "dict"},
    "spec": {"type": "dict", "default": {}},
    "deletion_protection": {"type": "bool", "default": True},
    "adopt": {"type": "bool", "default": False},
    "recreate": {"type": "bool", "default": False},
}

# One node pool of a GKE cluster.
GKE_NODE_POOL: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "machine_type": {"type": "str"},
    "disk_size_gb": {"type": "int"},
    "disk_type": {"type": "str"},
    "image_type": {"type": "str"},
    "spot": {"type": "bool"},
    "labels": {"type": "dict"},
    "taints": {
        "type": "list",
        "elements": "dict",
        "options": {
            "key": {"type": "str", "required": True, "no_log": False},
            "value": {"type": "str", "default": ""},
            "effect": {
                "type": "str",
                "choices": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
                "default": "NoSchedule",
            },
        },
    },
    "node_count": {"type": "int"},
    "autoscaling": {
        "type": "dict",
        "options": {
            "enabled": {"type": "bool", "default": True},
            "min": {"type": "int"},
            "max": {"type": "int"},
            "total_min": {"type": "int"},
            "total_max": {"type": "int"},
            "location_policy": {"type": "str", "choices": ["balanced", "any"]},
        },
    },
    "locations": {"type": "list", "elements": "str"},
    "service_account": {"type": "str"},
    "oauth_scopes": {"type": "list", "elements": "str"},
    "tags": {"type": "list", "elements": "str"},
    "resource_labels": {"type": "dict"},
    "secure_boot": {"type": "bool"},
    "integrity_monitoring": {"type": "bool"},
    "workload_metadata": {"type": "str", "choices": ["gke_metadata", "gce_metadata"]},
    "auto_repair": {"type": "bool"},
    "auto_upgrade": {"type": "bool"},
    "upgrade": {
        "type": "dict",
        "options": {
            "max_surge": {"type": "int"},
            "max_unavailable": {"type": "int"},
            "blue_green": {
                "type": "dict",
                "options": {
                    "soak_seconds": {"type": "int"},
                    "batch_percentage": {"type": "float"},
                    "batch_node_count": {"type": "int"},
                    "batch_soak_seconds": {"type": "int"},
                },
            },
        },
    },
    "version": {"type": "str"},
    "max_pods_per_node": {"type": "int"},
    "spec": {"type": "dict", "default": {}},
    "recreate": {"type": "bool", "default": False},
}

# Which deployment is meant.
INSTANCE: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "default": "dask"},
    "namespace": {"type": "str", "required": True},
    "target": {"type": "str"},
}

# One group of workers.
WORKER_GROUP: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "replicas": {"type": "int", "default": 1},
    "cpu": {"type": "str", "default": "1"},
    "memory": {"type": "str", "default": "2Gi"},
    "cpu_request": {"type": "str"},
    "memory_request": {"type": "str"},
    "extended_resources": {"type": "dict", "default": {}},
    "nthreads": {"type": "int"},
    "resources": {"type": "dict", "default": {}},
    "env": {"type": "dict", "default": {}},
    "image": {"type": "str"},
    "node_selector": {"type": "dict", "default": {}},
    "tolerations": {"type": "list", "elements": "dict", "default": []},
    "affinity": {"type": "dict", "default": {}},
    "priority_class": {"type": "str"},
    "local_directory_size": {"type": "str", "default": "10Gi"},
    "extra_arguments": {"type": "list", "elements": "str", "default": []},
}

# What a GKE cluster for Dask stands on; each part may be left out.
_RANGE: dict[str, t.Any] = {
    "type": "dict",
    "options": {"name": {"type": "str", "required": True}, "cidr": {"type": "str"}},
}
_CREATE: dict[str, t.Any] = {"type": "bool", "default": True}
GKE_RESOURCES: dict[str, dict[str, t.Any]] = {
    "network": {
        "type": "dict",
        "options": {"name": {"type": "str", "required": True}, "create": _CREATE, "project": {"type": "str"}},
    },
    "subnetwork": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "create": _CREATE,
            "ip_range": {"type": "str"},
            "pods_range": _RANGE,
            "services_range": _RANGE,
            "private_google_access": {"type": "bool"},
        },
    },
    "nat": {
        "type": "dict",
        "options": {
            "router": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "create": _CREATE,
            "min_ports_per_vm": {"type": "int"},
        },
    },
    "node_service_account": {
        "type": "dict",
        "options": {
            "account_id": {"type": "str"},
            "email": {"type": "str"},
            "create": _CREATE,
            "roles": {"type": "list", "elements": "str", "default": ["roles/container.defaultNodeServiceAccount"]},
        },
        "mutually_exclusive": [("account_id", "email")],
        "required_one_of": [("account_id", "email")],
    },
    "artifact_registry": {
        "type": "dict",
        "options": {
            "repository": {"type": "str", "required": True},
            "location": {"type": "str", "required": True},
            "create": _CREATE,
            "readers": {"type": "list", "elements": "str", "default": []},
            "writers": {"type": "list", "elements": "str", "default": []},
        },
    },
    "workload_identity": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "namespace": {"type": "str", "required": True},
            "service_account": {"type": "str", "required": True},
            "bucket": {"type": "str"},
            "role": {"type": "str", "default": "roles/storage.objectUser"},
            "google_service_account": {"type": "str"},
        },
        "required_one_of": [("bucket", "google_service_account")],
    },
    "labels": {"type": "dict", "default": {}},
}
