#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_image
short_description: One image for scheduler, workers and notebook, built and brought to where a cluster pulls it from
version_added: "1.0.0"
description:
  - Builds an image from a build context and the user's own packages, and pushes it to a registry or loads it into a
    kind cluster. Or has OpenShift build it, for which no Docker engine is needed.
  - The image's tag is a hash of all that decides what it holds, which is the files of O(context), the packages, the
    environment file, the build arguments and the identity of O(base). When the registry has that tag, nothing is built
    or pushed.
  - Or checks that an image that exists can be used, when O(reference) names one.
  - Credentials for registries are those of Docker's configuration, with its credential helpers, unless
    O(registry.username) and O(registry.password) are given.
  - With O(registry.kind=openshift) the image is built by a BuildConfig and kept in an ImageStream, both of the name
    O(registry.repository). They are made when they are missing. Those that do not carry the label
    C(app.kubernetes.io/managed-by=daskops), and a BuildConfig that somebody else has changed, are refused. Images
    that were built before stay in the ImageStream.
  - The options that tell how a cluster is reached count for O(registry.kind=openshift) only. Because O(context) is
    something else here, the module is not in the action group C(daskops.kubernetes.dask), and a context of the
    kubeconfig is O(kube_context).
author: daskops.kubernetes contributors (@daskops)
options:
  state:
    description:
      - V(present) has the image where the cluster takes it from.
      - V(absent) deletes what V(openshift) has made in the O(namespace), which are a BuildConfig with its builds and an
        ImageStream. In other registries nothing is deleted.
    type: str
    choices: [present, absent]
    default: present
  reference:
    description:
      - An image that exists. It is not built, only looked up in its registry and checked for Dask.
      - Where only the cluster reaches its registry, give its digest. It is then taken as it is.
    type: str
  context:
    description:
      - Folder with the Dockerfile, not a context of the kubeconfig. Required unless O(reference) is given.
    type: path
  base:
    description:
      - Debian image to build on. It is pulled when the engine lacks it, in check mode too, as the tag depends on it.
      - With a digest the tag is the same on every machine, and an image that the registry has needs no engine at all.
      - With O(registry.kind=openshift) its registry is asked for the digest. If that does not answer, a warning says
        that it will not be noticed when the name comes to mean another image.
    type: str
    default: debian:bookworm-slim
  apt_packages:
    description: Debian packages to add, with a version if need be, as in V(git=1:2.39.5-0+deb12u2).
    type: list
    elements: str
    default: []
  pip_packages:
    description:
      - Python packages to add to those of the lock file, as requirements. They may replace a version of the lock file.
      - An absolute path to a wheel or a source archive on this machine is a package, too.
    type: list
    elements: str
    default: []
  conda_packages:
    description:
      - Conda packages, which get an environment of their own in C(/opt/conda).
      - With C(ipykernel) among them it is a kernel of the notebook.
    type: list
    elements: str
    default: []
  conda_channels:
    description: Names, addresses or folders of conda channels, the first one first. By default C(conda-forge).
    type: list
    elements: str
    default: []
  environment_file:
    description:
      - A file with more packages. An C(environment.yml), whose C(pip) section goes into the conda environment if that
        has a Python and into Dask's otherwise, a requirements file (with or without hashes), or a C(pylock.toml).
    type: path
  build_args:
    description:
      - Build arguments. The Dockerfile of this collection knows C(PIP_INDEX_URL), an index to use instead of PyPI.
      - C(HTTP_PROXY), C(HTTPS_PROXY) and C(NO_PROXY) do not become part of the image or of its tag.
      - A password in a URL is not shown. With O(registry.kind=openshift) all of them can be read in the BuildConfig by
        whoever may see that.
    type: dict
    default: {}
  ca_bundle:
    description:
      - File with certificates, in PEM form, of authorities that downloads of Python and conda packages have to trust
        beside Debian's.
      - It does not become part of the image. It is sent with the build context, to OpenShift as well.
    type: path
  tag_prefix:
    description: What the tag begins with.
    type: str
    default: ""
  registry:
    description: Where the cluster takes images from.
    type: dict
    required: true
    suboptions:
      kind:
        description:
          - V(push) pushes to a registry.
          - V(load) copies to the nodes of a kind cluster that has none. They know an image by its tag only.
          - V(openshift) has OpenShift build the image and keep it in its own registry.
          - V(none) brings the image nowhere. Give a O(reference).
        type: str
        choices: [push, load, openshift, none]
        default: push
      repository:
        description:
          - The image's name without its tag. Required unless a O(reference) is given.
          - With O(registry.kind=openshift) the name of the ImageStream, by default C(dask).
        type: str
        default: ""
      cluster:
        description: Name of the kind cluster, for V(load).
        type: str
        default: ""
      pull_repository:
        description:
          - The name, without a tag, by which the nodes pull what was pushed, if that is another one. An OpenShift
            registry that is exposed by a Route, for instance, is inside the cluster
            C(image-registry.openshift-image-registry.svc:5000).
          - RV(image.reference) is then under this name.
        type: str
        default: ""
      username:
        description:
          - User at the registry, to look for the image and to push it.
          - By default the credentials of Docker's configuration, or C(token) with O(registry.cluster_token=true).
        type: str
      password:
        description: Password at the registry. It never stands on a command line.
        type: str
      cluster_token:
        description:
          - Log in with the token by which the kubeconfig's user is known to the cluster. OpenShift's registry takes it
            with any O(registry.username), and Google's Artifact Registry with C(oauth2accesstoken).
          - It stands neither on a command line nor in a result.
        type: bool
        default: false
  docker_command:
    description: The command that builds, runs and pushes, with its options. C(podman) takes the same commands.
    type: str
    default: docker
  kube_context:
    description: Name of a context of the kubeconfig. Falls back to E(K8S_AUTH_CONTEXT) unless O(kubeconfig) is given.
    type: str
  target:
    description:
      - What the cluster is called in messages.
      - By default the kubeconfig's context or the API server's URL.
    type: str
  namespace:
    description: Namespace of ImageStream and BuildConfig. Required for O(registry.kind=openshift).
    type: str
  timeout:
    description:
      - Seconds that a build in OpenShift may take, from its upload on. It is cancelled after them.
    type: int
    default: 1800
  build_resources:
    description:
      - Resources of the pod that builds in OpenShift, as in C(spec.resources) of a BuildConfig, with C(requests) and
        C(limits).
    type: dict
    default: {}
requirements:
  - docker (client and a running engine), or a command that takes its place, to build
  - PyYAML (Python library), for an C(environment.yml)
  - the Python library kubernetes for O(registry.kind=openshift) only
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: The image of this collection with two packages more
  daskops.kubernetes.dask_image:
    context: image
    apt_packages: [git]
    pip_packages: ["xarray>=2026.1"]
    registry:
      repository: localhost:5001/dask

- name: An image that OpenShift builds
  daskops.kubernetes.dask_image:
    context: image
    base: docker.io/library/debian:bookworm-slim
    registry:
      kind: openshift
    kubeconfig: ~/.kube/openshift.yaml
    kube_context: team
    namespace: dask
    build_resources:
      requests: {cpu: "1", memory: 2Gi}
      limits: {cpu: "2", memory: 4Gi}

- name: An image for OpenShift that is built here
  daskops.kubernetes.dask_image:
    context: image
    registry:
      repository: registry.apps.example.com/dask/dask
      pull_repository: image-registry.openshift-image-registry.svc:5000/dask/dask
      cluster_token: true
    kubeconfig: ~/.kube/openshift.yaml
    kube_context: team

- name: An image that exists
  daskops.kubernetes.dask_image:
    reference: registry.example.com/science/dask:2026.8
    registry:
      kind: none
"""

RETURN = r"""
removed:
  description: What was deleted, as C(Kind/name).
  returned: when O(state=absent)
  type: list
  elements: str
image:
  description: The image, as it is or, in check mode, as it will be.
  returned: when O(state=present)
  type: dict
  contains:
    reference:
      description: What pods name. By digest, but by tag after V(load), and in check mode if the image is not there yet.
      type: str
      sample: localhost:5001/dask@sha256:4d5c2f6a0f0f6a3b0bd1c4b2e6e0f9f7c3f1f5f1a6a0a8d1b7a5b0a3c6d8e9f0
    tag:
      description: The tag.
      type: str
      sample: 0c5ab1ce4e7a2f19
    size_bytes:
      description:
        - Size in the registry, which is what a node downloads. After V(load) the size unpacked.
        - 0 when it cannot be known.
      type: int
      sample: 312000000
    versions:
      description:
        - Versions of python, dask, distributed, jupyterlab and other packages that scheduler, workers and clients have
          to agree on.
        - Empty when they can be known only when the image runs, which a warning says.
        - After a build in OpenShift they are what the build has said in its log, which the ImageStream keeps.
      type: dict
      sample: {dask: 2026.8.0, distributed: 2026.8.0, jupyterlab: 4.6.6, python: 3.11.2}
    built:
      description: Whether it was built.
      type: bool
    pushed:
      description: Whether it was pushed or loaded, be it by OpenShift.
      type: bool
    seconds:
      description: Seconds that all of this took.
      type: float
log:
  description: The end of what the builder said, or of the log of a build in OpenShift.
  returned: when the builder failed
  type: str
"""

import re
import typing as t
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.daskops.kubernetes.plugins.module_utils import _module
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import AUTH
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import YAML_IMPORT_ERROR, Inputs
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_delivery import (
    Result,
    Target,
    check_existing,
    provide,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import Engine
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_registry import Registry, docker_credentials
from ansible_collections.daskops.kubernetes.plugins.module_utils._module import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule
    from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import Cluster


_URL_PASSWORD = re.compile(r"://[^/@\s]*:([^/@\s]+)@")

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **AUTH,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "reference": {"type": "str"},
    "context": {"type": "path"},
    "base": {"type": "str", "default": "debian:bookworm-slim"},
    "apt_packages": {"type": "list", "elements": "str", "default": []},
    "pip_packages": {"type": "list", "elements": "str", "default": []},
    "conda_packages": {"type": "list", "elements": "str", "default": []},
    "conda_channels": {"type": "list", "elements": "str", "default": []},
    "environment_file": {"type": "path"},
    "build_args": {"type": "dict", "default": {}},
    "ca_bundle": {"type": "path"},
    "tag_prefix": {"type": "str", "default": ""},
    "registry": {
        "type": "dict",
        "required": True,
        "options": {
            "kind": {"type": "str", "choices": ["push", "load", "openshift", "none"], "default": "push"},
            "repository": {"type": "str", "default": ""},
            "cluster": {"type": "str", "default": ""},
            "pull_repository": {"type": "str", "default": ""},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "cluster_token": {"type": "bool", "default": False, "no_log": False},
        },
        "mutually_exclusive": [("password", "cluster_token")],
        "required_by": {"password": ["username"]},
    },
    "docker_command": {"type": "str", "default": "docker"},
    "kube_context": {"type": "str"},
    "target": {"type": "str"},
    "namespace": {"type": "str"},
    "timeout": {"type": "int", "default": 1800},
    "build_resources": {"type": "dict", "default": {}},
}


def _cluster(params: dict[str, t.Any]) -> Cluster:
    # Loaded where it is needed alone, as the Kubernetes client takes a quarter of a second to load.
    from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube

    if _kube.KUBERNETES_IMPORT_ERROR:
        raise DaskopsError(missing_required_lib("kubernetes"), exception=_kube.KUBERNETES_IMPORT_ERROR)
    return _kube.Cluster({**params, "context": params["kube_context"]}, params["target"])


def _target(params: dict[str, t.Any]) -> Target:
    registry = dict(params["registry"])
    if registry.pop("cluster_token"):
        cluster = _cluster(params)
        if not cluster.token:
            raise DaskopsError(
                f"Cluster {cluster.name}: the image is to be pushed with the token of the kubeconfig's user, who has "
                "none, as with a certificate; use a service account's token, or give the registry's username and "
                "password"
            )
        registry |= {"username": registry["username"] or "token", "password": cluster.token}
    if registry["username"] and not registry["password"]:
        raise DaskopsError("registry: there is a username and no password; give it, or cluster_token")
    return Target(**registry)


def run(params: dict[str, t.Any], *, check: bool, progress: Progress) -> Result:
    """Do what the parameters say."""

    def tell(text: str) -> None:
        progress.say(f"image: {text}")

    engine = Engine(params["docker_command"], tell)
    target = _target(params)
    if params["reference"]:
        return check_existing(params["reference"], target, engine, check=check)
    inputs = Inputs(
        context=Path(params["context"]),
        base=params["base"],
        apt_packages=tuple(params["apt_packages"]),
        pip_packages=tuple(params["pip_packages"]),
        conda_packages=tuple(params["conda_packages"]),
        conda_channels=tuple(params["conda_channels"]),
        environment_file=Path(params["environment_file"]) if params["environment_file"] else None,
        build_args={name: str(value) for name, value in params["build_args"].items()},
        ca_bundle=Path(params["ca_bundle"]) if params["ca_bundle"] else None,
        tag_prefix=params["tag_prefix"],
    )
    if target.kind != "openshift":
        return provide(inputs, target, engine, check=check)
    from ansible_collections.daskops.kubernetes.plugins.module_utils import _image_openshift, _image_openshift_build

    cluster = _cluster(params)
    return _image_openshift_build.provide(
        inputs,
        _image_openshift.Place.of(cluster.name, params["namespace"], target.repository),
        _image_openshift_build.Builder(cluster, tell, params["timeout"]),
        lambda host: Registry(host, docker_credentials(engine.ask)),
        resources=params["build_resources"],
        check=check,
    )


def remove(params: dict[str, t.Any], *, check: bool) -> dict[str, t.Any]:
    """Delete what is there; returns the module's result."""
    removed: list[str] = []
    registry = params["registry"]
    if registry["kind"] == "openshift":
        from ansible_collections.daskops.kubernetes.plugins.module_utils import _image_openshift, _image_openshift_build

        cluster = _cluster(params)
        place = _image_openshift.Place.of(cluster.name, params["namespace"], registry["repository"])
        removed = _image_openshift_build.remove(cluster, place, check=check)
    return {
        "changed": bool(removed),
        "removed": removed,
        "diff": {"before": "".join(f"{name}\n" for name in removed), "after": ""},
    }


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Run, and report."""
    _module.add_connection(module, "kube_context")
    # An index may want a password.
    module.no_log_values |= {
        password for value in module.params["build_args"].values() for password in _URL_PASSWORD.findall(str(value))
    }
    # An image's name may well hold a word of the kubeconfig, such as its namespace's.
    module.no_log_values -= _module.public_values(module.params["kubeconfig"])
    if module.params["state"] == "absent":
        return remove(module.params, check=module.check_mode)
    progress = Progress()
    result = run(module.params, check=module.check_mode, progress=progress)
    for warning in result.warnings:
        module.warn(warning)
    image = asdict(result) | {"seconds": round(progress.seconds, 2)}
    del image["warnings"]
    changed = result.built or result.pushed
    diff = {"before": "" if changed else f"{result.reference}\n", "after": f"{result.reference}\n"}
    return {"changed": changed, "image": image, "diff": diff}


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        ARGUMENTS,
        work,
        {"PyYAML": YAML_IMPORT_ERROR},
        required_if=[("state", "present", ("reference", "context"), True)],
    )


if __name__ == "__main__":
    main()
