# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Where a mirror of a disconnected cluster has an image: where oc-mirror puts it."""

from __future__ import annotations

import re

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import Reference

# Registries of one machine or one cluster, of which no other network has a mirror.
_LOCAL = re.compile(r"localhost|127\.[0-9.]+|[^.]+\.[^.]+\.svc(\.cluster\.local)?")
_REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", re.IGNORECASE)


def qualified(image: str) -> str:
    """An image's full name, as oc-mirror wants it: it leaves out what has neither tag nor digest, and reads the first
    part of a path as a registry."""
    found = Reference.parse(image)
    return f"{found.registry}/{_path(found)}"


def mirrored(image: str, registry: str) -> str:
    """An image's name in a mirror: the path stays what it is behind the mirror's registry and path, and so do tag and
    digest. An image that is there already, or in a registry of this machine or the cluster, is left as it is."""
    registry = _checked(registry)
    if not image or not registry or _is_near(image, registry):
        return image
    return f"{registry}/{_path(Reference.parse(image))}"


def to_mirror(images: list[str], registry: str) -> list[str]:
    """The images that a mirror has to get, by their full names: each once, sorted, without those it has already."""
    registry = _checked(registry)
    return sorted({qualified(image) for image in images if image and not _is_near(image, registry)})


def _path(found: Reference) -> str:
    tag = found.tag or ("" if found.digest else "latest")
    return found.repository + (tag and f":{tag}") + (found.digest and f"@{found.digest}")


def _is_near(image: str, registry: str) -> bool:
    host = Reference.parse(image).registry
    return bool(_LOCAL.fullmatch(host.partition(":")[0])) or (registry != "" and host == registry.partition("/")[0])


def _checked(registry: str) -> str:
    registry = registry.rstrip("/")
    first = registry.partition("/")[0]
    if registry and not (_REGISTRY.fullmatch(registry) and ("." in first or ":" in first or first == "localhost")):
        raise DaskopsError(
            f"The registry '{registry}' cannot be read: give its host and, if it has one, a path, such as "
            "registry.example.com/mirror"
        )
    return registry
