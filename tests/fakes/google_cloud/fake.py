# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fake as tests use it."""

from __future__ import annotations

import json
import tempfile
import typing as t
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes import certificates
from tests.fakes.google_cloud import contract, defaults
from tests.fakes.google_cloud.cloud import HOSTS, Cloud, Record
from tests.fakes.google_cloud.errors import JSON
from tests.fakes.google_cloud.failures import Failure
from tests.fakes.google_cloud.node_pools import PoolHook
from tests.fakes.google_cloud.operations import Operation
from tests.fakes.google_cloud.server import Server
from tests.fakes.google_cloud.state import Settings, State


class FakeCloud:
    """A running fake: with FakeCloud() as cloud. Options are those of Settings."""

    def __init__(
        self,
        *,
        port: int = 0,
        log: Path | None = None,
        settings: Settings | None = None,
        files: certificates.Files | None = None,
        on_pools: PoolHook | None = None,
        **options: t.Any,
    ) -> None:
        self.settings = replace(settings or Settings(), **options)
        self.cloud = Cloud(self.settings, log, on_pools)
        self._folder = tempfile.TemporaryDirectory(prefix="fake-google-cloud-")
        self.files = files or certificates.make(Path(self._folder.name), HOSTS, fake="Google Cloud")
        self._server = Server(self.cloud, port, self.files)

    def __enter__(self) -> t.Self:
        self._server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop()
        self._folder.cleanup()

    # Where it is.

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        """Where it listens. The APIs are at URL/SERVICE/."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_endpoint(self) -> str:
        """The same, with the place of the service in it."""
        return f"{self.url}/{{service}}"

    @property
    def token(self) -> str:
        """An access token that is good; the one of before is not if it was made to expire."""
        return self.state.primary_token()

    def proxy_environment(self) -> dict[str, str]:
        """Environment for clients whose URLs are fixed. Nothing else can be reached with it."""
        names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
        trust = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE")
        environment = dict.fromkeys(names, self.url) | dict.fromkeys(trust, str(self.files.authority))
        metadata = f"127.0.0.1:{self.port}"
        return environment | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "GCE_METADATA_HOST": metadata}

    # What it was asked.

    @property
    def requests(self) -> list[Record]:
        """All requests."""
        return list(self.cloud.records)

    @property
    def writes(self) -> list[Record]:
        """Requests that change something, or would have."""
        return [record for record in self.cloud.records if record.writes]

    @property
    def refused(self) -> list[Record]:
        """Attempts to reach somebody else."""
        return [record for record in self.cloud.records if record.refused]

    def forget(self) -> None:
        """Forget the requests, not the state."""
        with self.cloud.lock:
            self.cloud.records.clear()

    # Setting the scene.

    @property
    def state(self) -> State:
        return self.cloud.state

    def reset(self) -> None:
        """Forget everything but the settings."""
        self.cloud.reset()

    def fail(
        self,
        on: str,
        kind: str,
        *,
        times: int | None = 1,
        after: int = 0,
        message: str = "",
        retry_after: int = 1,
    ) -> None:
        """Let something go wrong: see Failure, REQUEST and OPERATION in failures.py."""
        with self.cloud.lock:
            self.state.failures.add(Failure(on, kind, times, after, message, retry_after))

    def settle(self) -> None:
        """End all operations that can end."""
        with self.cloud.lock:
            self.state.operations.settle()

    def add_cluster(self, cluster: JSON, location: str = "europe-west1") -> JSON:
        """Have a cluster that runs; returns it as the API shows it."""
        with self.cloud.lock:
            container = self.cloud.container
            document = contract.document("container.v1")
            create = document.methods["container.projects.locations.clusters.create"]
            key = container.add(document.read_body(create, {"cluster": cluster})["cluster"], location)
            container.ready(key)
            return t.cast("JSON", defaults.shown(self.state.resources[key]))

    def cluster(self, name: str, location: str = "europe-west1") -> JSON | None:
        """A cluster as the API shows it, or None."""
        with self.cloud.lock:
            found = self.state.resources.get(self.cloud.container.key(location, name))
            return t.cast("JSON", defaults.shown(found)) if found else None

    def start_operation(
        self, cluster: str, kind: str = "UPGRADE_MASTER", *, location: str = "europe-west1", pool: str | None = None
    ) -> Operation:
        """Have an operation run on a cluster, as if GKE or somebody else had started it."""
        with self.cloud.lock:
            key = self.cloud.container.key(location, cluster)
            return self.cloud.container.start(kind, key, lambda _failure: None, pool=pool)

    def put(self, path: str, resource: JSON | None) -> None:
        """Have a resource, by service and path: compute/projects/P/global/networks/N. None takes it away."""
        with self.cloud.lock:
            self.cloud.put(path, resource)

    def disable_service(self, name: str) -> None:
        """An API that is not enabled, such as compute.googleapis.com."""
        self.state.disabled.add(name)

    def deny(self, *permissions: str) -> None:
        """Permissions that the caller has not."""
        self.state.denied.update(permissions)

    def set_quota(self, region: str, metric: str, limit: float, usage: float = 0.0) -> None:
        self.state.quotas[region, metric] = (limit, usage)

    def grant(self, resource: str, role: str, *members: str) -> None:
        """Add to a resource's policy; the resource as in C(put)."""
        with self.cloud.lock:
            policy = self.cloud.policies.read(resource)
            policy.setdefault("bindings", []).append({"role": role, "members": list(members)})
            self.cloud.policies.write(resource, policy)

    # Credentials.

    def key_file(self, path: Path, account: str | None = None) -> Path:
        """Write the key file of a service account; by default of the one that may do everything."""
        email = account or self.settings.account
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.cloud.keys[email] = key.public_key()
        content = {
            "type": "service_account",
            "project_id": self.settings.project,
            "private_key_id": f"{self.state.number():040x}",
            "private_key": pem.decode(),
            "client_email": email,
            "client_id": "1" * 21,
            "token_uri": f"{self.url}/token",
            "universe_domain": "googleapis.com",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def external_account(self, token_file: Path | str, cluster: str, service_account: str | None = None) -> JSON:
        """Credentials by which a pod uses its projected token with any of Google's client libraries."""
        project = self.settings.project
        config: JSON = {
            "type": "external_account",
            "audience": f"identitynamespace:{project}.svc.id.goog:{cluster}",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.url}/sts/v1/token",
            "credential_source": {"file": str(token_file)},
            "universe_domain": "googleapis.com",
        }
        if service_account:
            root = f"{self.url}/iamcredentials/v1/projects/-/serviceAccounts"
            config["service_account_impersonation_url"] = f"{root}/{service_account}:generateAccessToken"
        return config
