# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules as Ansible runs them, in this process."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

JSON = dict[str, t.Any]


class Runner:
    """One module with the parameters that are always given. C(secrets) may not show in what it returns."""

    def __init__(
        self, module: t.Any, capsys: pytest.CaptureFixture[str], given: JSON, secrets: t.Sequence[str] = ()
    ) -> None:
        self._module = module
        self._capsys = capsys
        self._given = given
        self._secrets = secrets

    def __call__(self, check: bool = False, **params: t.Any) -> JSON:
        given = {**self._given, **params, "_ansible_check_mode": check, "_ansible_diff": True}
        warnings._global_warnings.clear()  # what other runs said
        self._capsys.readouterr()
        with patch_module_args(given), pytest.raises(SystemExit):
            self._module.main()
        output = self._capsys.readouterr().out
        assert not [secret for secret in self._secrets if secret in output]
        result: JSON = json.loads(output)
        return result

    def good(self, check: bool = False, **params: t.Any) -> JSON:
        result = self(check, **params)
        assert not result.get("failed"), result["msg"]
        return result

    def bad(self, check: bool = False, **params: t.Any) -> str:
        """The message of a failure, which is one sentence."""
        result = self(check, **params)
        assert result.get("failed"), result
        assert "Traceback" not in json.dumps(result)
        message = str(result["msg"])
        assert message.endswith(".")
        assert "\n" not in message
        return message
