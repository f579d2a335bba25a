# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images and their names in the mirror of a disconnected cluster."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.daskops.kubernetes.plugins.module_utils import _image_mirror
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError


def image_in_mirror(image: t.Any, registry: t.Any = "") -> str:
    """The name that an image has in a mirror."""
    if not isinstance(image, str) or not isinstance(registry, str):
        raise AnsibleFilterError("daskops.kubernetes.image_in_mirror takes an image and a registry, both strings")
    try:
        return _image_mirror.mirrored(image, registry)
    except DaskopsError as error:
        raise AnsibleFilterError(str(error)) from error


def images_to_mirror(images: t.Any, registry: t.Any = "") -> list[str]:
    """The images that a mirror has to get."""
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise AnsibleFilterError("daskops.kubernetes.images_to_mirror takes a list of images, all strings")
    if not isinstance(registry, str):
        raise AnsibleFilterError("daskops.kubernetes.images_to_mirror takes a registry, a string")
    try:
        return _image_mirror.to_mirror(images, registry)
    except DaskopsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"image_in_mirror": image_in_mirror, "images_to_mirror": images_to_mirror}
