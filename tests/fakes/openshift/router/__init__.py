# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A router for the cluster: router.py runs in a pod, the rest puts it there. See ../../README.md."""
