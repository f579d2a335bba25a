# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What a registry holds, asked over its HTTP interface (the OCI distribution specification)."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import platform
import re
import ssl
import tempfile
import typing as t
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from ansible.module_utils.urls import open_url
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

if t.TYPE_CHECKING:
    from ansible_collections.daskops.kubernetes.plugins.module_utils._image import Reference

_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

Credentials = tuple[str, str]


@dataclass(frozen=True)
class RemoteImage:
    """An image as a registry holds it."""

    digest: str
    size_bytes: int
    labels: dict[str, str]


class RegistryUnreachable(DaskopsError):
    """Nothing, or nothing that is a registry, answered."""


class RegistryRefused(DaskopsError):
    """The credentials that are known here are not let in."""


class Registry:
    """One registry, reached the way Docker reaches it: TLS, but plain HTTP for one on this machine."""

    def __init__(
        self,
        host: str,
        credentials: t.Callable[[str], Credentials | None],
        timeout: float = 10,
        given: Credentials | None = None,
    ) -> None:
        """C(credentials) looks them up in Docker's configuration, unless they are C(given)."""
        self.host = host
        self._given = given
        self._credentials = (lambda _: given) if given else credentials
        self._timeout = timeout
        self._authorization: str | None = None
        self._local = re.fullmatch(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", host) is not None
        address = "registry-1.docker.io" if host == "docker.io" else host
        self._base = f"{'http' if self._local else 'https'}://{address}"

    def find(self, reference: Reference) -> RemoteImage | None:
        """The image that a reference names, or None when the registry has none of that name."""
        found = self._get(reference.repository, f"manifests/{reference.version}", _MANIFESTS)
        if found is None:
            return None
        manifest, digest = found
        if "manifests" in manifest:
            chosen = _for_this_machine(manifest["manifests"])
            found = self._get(reference.repository, f"manifests/{chosen}", _MANIFESTS)
            if found is None:
                return None
            manifest = found[0]
        if "config" not in manifest:
            raise DaskopsError(
                f"The registry {self.host} holds '{reference.repository}' in a format older than 2016: push it anew"
            )
        config = self._get(reference.repository, f"blobs/{manifest['config']['digest']}", "*/*")
        labels = ((config[0].get("config") or {}).get("Labels") or {}) if config else {}
        size = manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])
        return RemoteImage(digest or reference.digest, size, labels)

    def _get(self, repository: str, path: str, accept: str) -> tuple[dict[str, t.Any], str] | None:
        for attempt in range(2):
            try:
                answer = self._open(f"{self._base}/v2/{repository}/{path}", accept, self._authorization)
                return json.load(answer), answer.headers.get("Docker-Content-Digest", "")
            except HTTPError as error:
                if error.code == 404:
                    return None
                challenge = error.headers.get("WWW-Authenticate", "")
                if error.code == 401 and attempt == 0 and challenge:
                    self._authorization = self._log_in(challenge, repository)
                    continue
                if error.code in (401, 403):
                    raise self._refused(repository, error) from error
                if error.code == 400 and self._local and self._base.startswith("http:"):
                    # A registry with TLS on this machine: Docker does not check its certificate.
                    self._base = f"https:{self._base.partition(':')[2]}"
                    return self._get(repository, path, accept)
                raise DaskopsError(
                    f"The registry {self.host} answered the question for '{repository}' with HTTP {error.code} "
                    f"({error.reason}): see its log"
                ) from error
            except ValueError as error:
                raise RegistryUnreachable(
                    f"What answers at {self.host} is no image registry: its answer is not JSON"
                ) from error
        raise AssertionError("unreachable")

    def _open(self, url: str, accept: str, authorization: str | None) -> t.Any:
        headers = {"Accept": accept} | ({"Authorization": authorization} if authorization else {})
        authorities = Path("/etc/docker/certs.d") / self.host / "ca.crt"
        try:
            return open_url(
                url,
                headers=headers,
                # A registry hands a blob on to a store that must not see our credentials.
                unredirected_headers=["Authorization"],
                timeout=self._timeout,
                use_proxy=not self._local,
                validate_certs=not self._local,
                ca_path=str(authorities) if authorities.exists() else None,
            )
        except HTTPError:
            raise
        except (URLError, OSError, HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) else error
            if isinstance(cause, ssl.SSLError):
                raise RegistryUnreachable(
                    f"The certificate of the registry {self.host} cannot be verified ({cause.reason or cause}): "
                    f"put the authority that signed it into /etc/docker/certs.d/{self.host}/ca.crt"
                ) from error
            what = (
                cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause) or type(cause).__name__
            )
            raise RegistryUnreachable(
                f"The registry {self.host} does not answer ({what}): start it, or correct the repository's name"
            ) from error

    def _log_in(self, challenge: str, repository: str) -> str:
        """The header that answers a challenge."""
        credentials = self._credentials(self.host)
        basic = f"Basic {base64.b64encode(':'.join(credentials).encode()).decode()}" if credentials else None
        if challenge.lower().startswith("basic"):
            return basic or ""
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        query = urlencode({"service": fields.get("service", ""), "scope": f"repository:{repository}:pull"})
        try:
            answer = json.load(self._open(f"{fields.get('realm', '')}?{query}", "application/json", basic))
        except HTTPError as error:
            raise self._refused(repository, error) from error
        return f"Bearer {answer.get('token') or answer.get('access_token')}"

    def _refused(self, repository: str, error: HTTPError) -> DaskopsError:
        if self._given:
            return RegistryRefused(
                f"The registry {self.host} refuses access to '{repository}' by '{self._given[0]}' (HTTP {error.code}): "
                "correct the registry's username and password, or give that user the right to it"
            )
        known = (
            "with the credentials of Docker's configuration" if self._credentials(self.host) else "without credentials"
        )
        return RegistryRefused(
            f"The registry {self.host} refuses access to '{repository}' {known} (HTTP {error.code}): "
            f"log in with 'docker login {self.host}'"
        )


def docker_credentials(run: t.Callable[[list[str], str], str | None]) -> t.Callable[[str], Credentials | None]:
    """A look-up of credentials in Docker's configuration; C(run) runs a credential helper with its input."""
    config = _read_config(_config_folder())

    def find(host: str) -> Credentials | None:
        name = _name_in_config(host)
        helper = config.get("credHelpers", {}).get(name) or config.get("credsStore")
        if helper and (said := run([f"docker-credential-{helper}", "get"], name)):
            answer = json.loads(said)
            return answer["Username"], answer["Secret"]
        auths = config.get("auths", {})
        entry = auths.get(name) or auths.get(f"https://{name}") or {}
        if not entry.get("auth"):
            return None
        user, secret = base64.b64decode(entry["auth"]).decode().split(":", 1)
        return user, secret

    return find


@contextlib.contextmanager
def logged_in(host: str, credentials: Credentials | None) -> t.Iterator[dict[str, str]]:
    """An environment in which Docker's client knows these credentials beside the user's own; they are gone after it."""
    if credentials is None:
        yield {}
        return
    own = _config_folder()
    with tempfile.TemporaryDirectory(prefix="daskops-docker-") as folder:
        # Its plugins and its contexts, by which it finds the engine, are beside the file.
        for entry in own.iterdir() if own.is_dir() else ():
            if entry.name != "config.json":
                Path(folder, entry.name).symlink_to(entry.resolve())
        file = Path(folder, "config.json")
        file.touch(mode=0o600)
        file.write_text(json.dumps(merged_config(_read_config(own), host, credentials)), encoding="utf-8")
        yield {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": str(file)}  # the latter is podman's


def merged_config(config: dict[str, t.Any], host: str, credentials: Credentials) -> dict[str, t.Any]:
    """Docker's configuration with credentials for one registry, which no helper may go before."""
    name = _name_in_config(host)
    auths = dict(config.get("auths", {}))
    helpers = {known: helper for known, helper in config.get("credHelpers", {}).items() if known != name}
    merged = {key: value for key, value in config.items() if key not in ("auths", "credHelpers", "credsStore")}
    if store := config.get("credsStore"):
        # With a store, what stands in the file is not read: those that are in it are asked for by name instead.
        helpers = {known: store for known in auths if known != name and not auths[known].get("auth")} | helpers
    auths[name] = {"auth": base64.b64encode(":".join(credentials).encode()).decode()}
    return merged | {"auths": auths} | ({"credHelpers": helpers} if helpers else {})


def _config_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG", "~/.docker")).expanduser()


def _read_config(folder: Path) -> dict[str, t.Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _name_in_config(host: str) -> str:
    return "https://index.docker.io/v1/" if host == "docker.io" else host


def _for_this_machine(manifests: list[dict[str, t.Any]]) -> str:
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    for manifest in manifests:
        offered = manifest.get("platform", {})
        if offered.get("os") == "linux" and offered.get("architecture") == architecture:
            return str(manifest["digest"])
    return str(manifests[0]["digest"])
