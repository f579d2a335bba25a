#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_info
short_description: Find out how a Dask deployment is reached and what it does
version_added: 1.0.0
description:
  - Gathers the endpoints of a deployment, each with how it was found and whether it answered, its workers by group,
    versions, memory
    and tasks.
  - Changes nothing in the cluster.
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._instance
  - daskops.kubernetes._attributes.INFO
  - daskops.kubernetes._attributes.ACTIONGROUP
attributes:
  check_mode:
    support: full
    details: Writes no files then.
options:
  node_address:
    description:
      - Address at which node ports are reached, such as V(127.0.0.1) for a kind cluster.
      - By default a node's external, else its internal address.
    type: str
    default: ""
  show_password:
    description: Whether to return the notebook's password in clear, if it was generated.
    type: bool
    default: false
  client_directory:
    description:
      - Directory on this host to write C(ca.crt), C(tls.crt) and C(tls.key) to, so that a client outside the cluster
        can talk TLS to
        the scheduler. It is made if it is not there, for its owner alone.
    type: path
"""

EXAMPLES = r"""
- name: Ask how to reach Dask, and fetch what a client here needs
  daskops.kubernetes.dask_info:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
    client_directory: ~/.dask/team
  register: dask

- name: Show the address
  ansible.builtin.debug:
    var: dask.endpoints.scheduler.address
"""

RETURN = r"""
exists:
  description:
    - Whether there is such a deployment. Without one there are no other values.
    - In a project of OpenShift that is not there, or of which the user may see nothing, there is none.
  returned: success
  type: bool
endpoints:
  description:
    - Endpoints by name, C(notebook), C(dashboard), C(scheduler) and C(scheduler_internal), of those that there are.
    - Each with C(address), C(how) it was found, the C(command) that opens it if one is needed, whether it C(answers),
      and the C(reason) if it does not.
  returned: success
  type: dict
password:
  description:
    - The C(secret) with the notebook's password, whether it was C(generated), the C(command) that shows it then, and
      with O(show_password=true) its C(value).
  returned: success
  type: dict
groups:
  description: By group, C(replicas) asked for, number of C(registered) workers and their names (C(workers)).
  returned: success
  type: dict
scheduler:
  description:
    - Whether the scheduler C(answers), or the C(reason) why not.
    - If it does, C(id), number of C(workers), C(threads), C(memory) that workers hold and their C(memory_limit) in
      bytes, C(tasks) by state,
      number of C(clients), C(versions) by package, and C(mismatches) of versions by worker.
  returned: success
  type: dict
images:
  description: Images in use.
  returned: success
  type: list
  elements: str
client:
  description:
    - With O(client_directory), keyword arguments of C(distributed.Security) (C(tls_ca_file), C(tls_client_cert),
      C(tls_client_key)).
  returned: success
  type: dict
"""

import os
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _info, _kube
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def write_private(directory: str, files: dict[str, bytes], check_mode: bool) -> bool:
    """Write files for their owner alone; returns whether any differs from what was there."""
    changed = False
    for name, content in files.items():
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                if file.read() == content:
                    continue
        changed = True
        if check_mode:
            continue
        os.makedirs(directory, mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    return changed


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Gather, and write the client's files if asked to."""
    params, changed = module.params, False
    instance = Instance(params["name"], params["namespace"])
    cluster = _kube.Cluster(params, params["target"])
    result = _info.gather(cluster, instance, params["node_address"], params["show_password"])
    directory = params["client_directory"]
    if directory and result["exists"]:
        try:
            changed = write_private(directory, _info.client_files(cluster, instance), module.check_mode)
        except OSError as error:
            raise DaskopsError(f"The client's files cannot be written to {directory}: {error}.") from error
        result["client"] = {
            "tls_ca_file": os.path.join(directory, "ca.crt"),
            "tls_client_cert": os.path.join(directory, "tls.crt"),
            "tls_client_key": os.path.join(directory, "tls.key"),
        }
    return {"changed": changed, **result}


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        {
            **INSTANCE,
            "node_address": {"type": "str", "default": ""},
            "show_password": {"type": "bool", "default": False, "no_log": False},
            "client_directory": {"type": "path"},
        },
        work,
    )


if __name__ == "__main__":
    main()
