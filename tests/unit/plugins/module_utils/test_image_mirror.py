# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where oc-mirror puts images, and which ones it has to get."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.daskops.kubernetes.plugins.filter.image_mirror import FilterModule
from ansible_collections.daskops.kubernetes.plugins.module_utils import _image_mirror
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

MIRROR = "mirror.example.com:5000/dask"
DIGEST = f"sha256:{'0' * 64}"
FILTERS = FilterModule().filters()


@pytest.mark.parametrize(
    ("image", "path"),
    [
        ("debian:bookworm-slim", "library/debian:bookworm-slim"),
        ("debian", "library/debian:latest"),
        ("team/dask:1", "team/dask:1"),
        ("docker.io/library/debian:12", "library/debian:12"),
        ("registry.example.com/a/b/c:1", "a/b/c:1"),
        ("registry.example.com:5000/a:1", "a:1"),
        (f"registry.example.com/a@{DIGEST}", f"a@{DIGEST}"),
        (f"registry.example.com/a:1@{DIGEST}", f"a:1@{DIGEST}"),
    ],
)
def test_the_path_stays_behind_the_mirrors_own(image: str, path: str) -> None:
    assert _image_mirror.mirrored(image, MIRROR) == f"{MIRROR}/{path}"
    assert _image_mirror.mirrored(image, f"{MIRROR}/") == f"{MIRROR}/{path}"
    assert _image_mirror.mirrored(image, "") == image


@pytest.mark.parametrize(
    "image",
    [
        "",
        "mirror.example.com:5000/elsewhere/dask:1",
        "localhost:5001/dask:1",
        "127.0.0.1:5001/dask:1",
        f"image-registry.openshift-image-registry.svc:5000/dask/dask@{DIGEST}",
        "registry.tools.svc.cluster.local/dask:1",
    ],
)
def test_what_is_near_is_left_where_it_is(image: str) -> None:
    assert _image_mirror.mirrored(image, MIRROR) == image
    assert _image_mirror.to_mirror([image], MIRROR) == []


def test_another_port_is_another_registry() -> None:
    assert _image_mirror.mirrored("mirror.example.com/a:1", MIRROR) == f"{MIRROR}/a:1"


def test_each_image_is_listed_once_in_full_and_in_order() -> None:
    images = ["team/b", "debian:12", "docker.io/library/debian:12", "", f"registry.example.com/a@{DIGEST}", "team/b:1"]
    assert _image_mirror.to_mirror(images, "") == [
        "docker.io/library/debian:12",
        "docker.io/team/b:1",
        "docker.io/team/b:latest",
        f"registry.example.com/a@{DIGEST}",
    ]


@pytest.mark.parametrize("registry", ["mirror", "https://mirror.example.com", "mirror.example.com/a b", "/dask"])
def test_what_is_no_registry_is_refused(registry: str) -> None:
    with pytest.raises(DaskopsError, match="give its host and, if it has one, a path"):
        _image_mirror.mirrored("debian:12", registry)


def test_the_filters_do_the_same() -> None:
    assert FILTERS["image_in_mirror"]("debian:12", MIRROR) == f"{MIRROR}/library/debian:12"
    assert FILTERS["image_in_mirror"]("debian:12") == "debian:12"
    assert FILTERS["images_to_mirror"](["debian:12"]) == ["docker.io/library/debian:12"]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("image_in_mirror", (None, MIRROR), "takes an image and a registry, both strings"),
        ("image_in_mirror", ("debian", None), "takes an image and a registry, both strings"),
        ("image_in_mirror", ("no image", MIRROR), "The image reference 'no image' cannot be read"),
        ("images_to_mirror", ("debian",), "takes a list of images, all strings"),
        ("images_to_mirror", ([None],), "takes a list of images, all strings"),
        ("images_to_mirror", (["debian"], None), "takes a registry, a string"),
        ("images_to_mirror", (["debian"], "mirror"), "The registry 'mirror' cannot be read"),
    ],
)
def test_the_filters_say_what_is_wrong(name: str, given: tuple[object, ...], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        FILTERS[name](*given)
