#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_credentials
short_description: Keep a Dask deployment's certificates and notebook password
version_added: 1.0.0
description:
  - Makes the certificate authority and the certificate that all processes of a Dask deployment talk TLS with, and the
    password of its
    notebook, once, and keeps them in Secrets.
  - Makes a certificate anew some days before it ends.
  - Refuses to touch a Secret that is there without the deployment's labels C(app.kubernetes.io/managed-by) and
    C(app.kubernetes.io/instance), as it is somebody else's.
  - Never returns a secret.
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._instance
  - daskops.kubernetes._attributes
  - daskops.kubernetes._attributes.ACTIONGROUP
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names what is made and why, and shows no secret.
  idempotent:
    support: full
    details: Not with O(new_password=true).
options:
  certificate_days:
    description:
      - How long a certificate is valid, in days, at most 1825.
      - The certificate authority is valid for 3650 days, and is made anew 30 days before a new certificate would
        outlive it.
    type: int
    default: 365
  renew_days:
    description: How many days before its end a certificate is made anew, fewer than O(certificate_days).
    type: int
    default: 30
  notebook:
    description: Whether the deployment has a notebook, and so a password.
    type: bool
    default: true
  notebook_password:
    description:
      - The notebook's password, at least 8 characters.
      - Only its argon2 hash is kept. Without a password one is generated, and kept in clear beside its hash.
    type: str
  new_password:
    description: Whether to generate another password in place of one that was generated or given before.
    type: bool
    default: false
  oauth_proxy:
    description:
      - Whether an oauth-proxy stands before the notebook. What it signs its cookies with is generated once, and kept in
        the notebook's Secret too.
    type: bool
    default: false
  scheduler_rollout:
    description:
      - When a certificate may be made anew, with which the deployment's pods restart as soon as it is applied. The
        scheduler then loses its tasks and what the workers hold.
      - V(when_idle) fails, with nothing changed, if there are unfinished tasks or results in memory, or if a scheduler
        that runs does not answer.
      - With V(never) a certificate is made only where there is no scheduler yet.
    type: str
    choices: [when_idle, always, never]
    default: always
"""

EXAMPLES = r"""
- name: Keep certificates, and the password from the vault
  daskops.kubernetes.dask_credentials:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
    notebook_password: "{{ vault_notebook_password }}"
"""

RETURN = r"""
made:
  description: Why each thing was made, by what it is.
  returned: success
  type: dict
  sample: {certificate: it ends on 2027-01-04}
expires:
  description: When the certificate ends, in UTC (ISO 8601).
  returned: success
  type: str
certificate_serial:
  description: The first digits of the certificate's serial number; changes when the certificate does.
  returned: success
  type: str
password_id:
  description: The end of the password's hash; changes when the password does.
  returned: success
  type: str
password_secret:
  description: Name of the Secret that has the notebook's password hash and, if it was generated, the password.
  returned: success
  type: str
password_generated:
  description: Whether the password was generated.
  returned: success
  type: bool
"""

import datetime
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _apply, _credentials, _kube, _rollout
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import FIELD_MANAGER, Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._preflight import SHORTEST_PASSWORD


def ensure(cluster: _kube.Cluster, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Read the Secrets, complete them, and write those that changed."""
    instance = Instance(params["name"], params["namespace"])
    password = params["notebook_password"]
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise DaskopsError(
            f"{instance}: the notebook's password has {len(password)} characters, at least {SHORTEST_PASSWORD} are "
            "needed; leave it out to have one generated."
        )
    wanted = _credentials.Wanted(
        name=params["name"],
        namespace=params["namespace"],
        days=params["certificate_days"],
        renew_days=params["renew_days"],
        notebook=params["notebook"],
        password=password,
        new_password=params["new_password"],
        cookie_secret=params["oauth_proxy"],
    )
    if problem := _credentials.why_not(wanted):
        raise DaskopsError(f"{instance}: {problem}. Nothing was touched.")
    found = {
        secret["metadata"]["name"].removeprefix(f"{instance.name}-"): _credentials.decode(secret.get("data"))
        for secret in cluster.items(instance.path("secrets"), labelSelector=instance.selector)
    }
    outcome = _credentials.complete(wanted, found, datetime.datetime.now(_credentials.UTC))
    new = [("Secret", f"{instance.name}-{suffix}") for suffix in outcome.data if suffix not in found]
    _apply.refuse_foreign(cluster, instance, new)
    policy, why = params["scheduler_rollout"], outcome.made.get("certificate")
    if why and policy != "always" and _has_scheduler(cluster, instance):
        _rollout.guard(cluster, instance, policy, f"a new certificate ({why})")
    for suffix, data in outcome.data.items():
        if data != found.get(suffix) and not check_mode:
            _write(cluster, instance, suffix, data)
    return {
        "changed": bool(outcome.made),
        "made": outcome.made,
        "expires": outcome.expires.isoformat(),
        "certificate_serial": outcome.serial,
        "password_id": outcome.password_id,
        "password_secret": f"{instance.name}-notebook" if wanted.notebook else "",
        "password_generated": "password" in outcome.data.get("notebook", {}),
        "diff": {
            "before": "",
            "after": "".join(f"make the {what}: {why}\n" for what, why in outcome.made.items()),
        },
    }


def _has_scheduler(cluster: _kube.Cluster, instance: Instance) -> bool:
    selector = f"{instance.selector},app.kubernetes.io/component=scheduler"
    return bool(cluster.items(instance.path("deployments", group_version="apps/v1"), labelSelector=selector))


def _write(cluster: _kube.Cluster, instance: Instance, suffix: str, data: dict[str, str]) -> None:
    name = f"{instance.name}-{suffix}"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": instance.labels("credentials")},
        "type": "kubernetes.io/tls" if suffix == "tls" else "Opaque",
        "data": _credentials.encode(data),
    }
    cluster.send(
        "PATCH", instance.path("secrets", name), secret, _kube.APPLY_PATCH, fieldManager=FIELD_MANAGER, force="true"
    )


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        {
            **INSTANCE,
            "certificate_days": {"type": "int", "default": 365},
            "renew_days": {"type": "int", "default": 30},
            "notebook": {"type": "bool", "default": True},
            "notebook_password": {"type": "str", "no_log": True},
            "new_password": {"type": "bool", "default": False, "no_log": False},
            "oauth_proxy": {"type": "bool", "default": False},
            "scheduler_rollout": {
                "type": "str",
                "choices": ["when_idle", "always", "never"],
                "default": "always",
            },
        },
        lambda module: ensure(_kube.Cluster(module.params, module.params["target"]), module.params, module.check_mode),
        libraries={"cryptography and argon2-cffi": _credentials.IMPORT_ERROR},
    )


if __name__ == "__main__":
    main()
