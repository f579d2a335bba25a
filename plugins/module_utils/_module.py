# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What every module has around its work."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import AUTH, CONNECTION
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError


def run(
    argument_spec: dict[str, dict[str, t.Any]],
    work: t.Callable[[AnsibleModule], dict[str, t.Any]],
    libraries: t.Mapping[str, str | None],
    **kwargs: t.Any,
) -> t.NoReturn:
    """Run a module: C(work) returns its result or raises DaskopsError.

    C(libraries) are the Python libraries that are needed, each with the traceback of its failed import or None;
    C(kwargs) go to AnsibleModule.
    """
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True, **kwargs)
    for library, traceback in libraries.items():
        if traceback:
            module.fail_json(msg=missing_required_lib(library), exception=traceback)
    try:
        result = {"changed": False, **work(module)}
    except DaskopsError as error:
        module.fail_json(msg=error.message, **error.details)
        raise  # not reached: fail_json ends the module, which its missing types do not tell
    module.exit_json(**result)
    raise AssertionError


def add_connection(module: AnsibleModule, context: str = "context") -> None:
    """Fill in what the environment says of the cluster; none of that is for a cluster that was given as a parameter.

    C(context) is the option for the context.  Where it is the only one, the environment tells the kubeconfig it is in.
    """
    names = {name: context if name == "context" else name for name in CONNECTION}
    if module.params["kubeconfig"]:
        return
    if module.params[context]:
        names = {"kubeconfig": "kubeconfig"}
    missing = {name: option for name, option in names.items() if module.params[option] is None}
    # As Ansible does it, with its conversions.
    specification = {name: {**AUTH[name], "fallback": CONNECTION[name]} for name in missing}
    result = ArgumentSpecValidator(specification).validate({})
    if result.error_messages:
        raise DaskopsError(
            f"The environment variables K8S_AUTH_* cannot be used: {'; '.join(result.error_messages)}; correct them."
        )
    for name, option in missing.items():
        value = module.params[option] = result.validated_parameters[name]
        if value and AUTH[name].get("no_log"):
            module.no_log_values.add(value)


def public_values(kubeconfig: t.Any) -> set[str]:
    """What of a kubeconfig is no secret and has to be named in messages: Ansible hides the option as a whole.

    Of one that is given as a dictionary, that is all but what makes a user one.
    """
    if not isinstance(kubeconfig, dict):
        return {str(kubeconfig)}
    users = kubeconfig.get("users") or []
    secrets = set(_texts([{k: v for k, v in user.items() if k != "name"} for user in users if isinstance(user, dict)]))
    return set(_texts(kubeconfig)) - secrets


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    else:
        yield str(value)
