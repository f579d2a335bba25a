# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the options in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Which cluster is looked at."""

    DOCUMENTATION = r"""
options:
  context:
    description:
      - Name of a context of the kubeconfig. Falls back to E(K8S_AUTH_CONTEXT) unless O(kubeconfig) is given, then to
        the only context that there is.
      - The current context is never taken for that reason alone.
    type: str
  target:
    description:
      - What the cluster is called in messages.
      - By default the kubeconfig's context or the API server's URL.
    type: str
"""
