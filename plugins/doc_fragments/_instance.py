# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the options in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Which Dask deployment is meant."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the Dask deployment, as in the variable C(dask_name) of the role P(daskops.kubernetes.dask#role).
    type: str
    default: dask
  namespace:
    description: Namespace of the Dask deployment.
    type: str
    required: true
  target:
    description:
      - What the cluster is called in messages.
      - By default the kubeconfig's context or the API server's URL.
    type: str
"""
