# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that modules of this collection share."""

from __future__ import annotations


class ModuleDocFragment:
    """Variants of the attributes block."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: A second run with the same options changes nothing.
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
    details: Only reads.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: N/A
    details: Only reads.
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

    ACTIONGROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/daskops.kubernetes.dask) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - daskops.kubernetes.dask
"""

    ACTIONGROUP_GKE = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/daskops.kubernetes.gke) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - daskops.kubernetes.gke
"""
