# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What the modules that talk to a cluster have around their work."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import AUTH
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError


def run(
    argument_spec: dict[str, dict[str, t.Any]],
    work: t.Callable[[AnsibleModule], dict[str, t.Any]],
    libraries: dict[str, str | None] | None = None,
    **kwargs: t.Any,
) -> t.NoReturn:
    """Run a module: C(work) returns its result or raises DaskopsError.

    C(argument_spec) is added to the authentication options; C(libraries) are further Python libraries that are needed,
    each with the traceback of its failed import or None; C(kwargs) go to AnsibleModule.
    """
    module = AnsibleModule(argument_spec={**AUTH, **argument_spec}, supports_check_mode=True, **kwargs)
    module.no_log_values -= public_values(module.params["kubeconfig"])
    for library, traceback in {"kubernetes": _kube.KUBERNETES_IMPORT_ERROR, **(libraries or {})}.items():
        if traceback:
            module.fail_json(msg=missing_required_lib(library), exception=traceback)
    try:
        result = {"changed": False, **work(module)}
    except DaskopsError as error:
        module.fail_json(msg=error.message, **error.details)
        raise  # not reached: fail_json ends the module, which its missing types do not tell
    module.exit_json(**result)
    raise AssertionError


def public_values(kubeconfig: t.Any) -> set[str]:
    """What of a kubeconfig is no secret and has to be named in messages: Ansible hides the option as a whole."""
    if not isinstance(kubeconfig, dict):
        return {str(kubeconfig)}
    names = {str(entry.get("name")) for kind in ("clusters", "contexts") for entry in kubeconfig.get(kind) or []}
    return names | {str((entry.get("cluster") or {}).get("server")) for entry in kubeconfig.get("clusters") or []}
