# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where access tokens come from: OAuth's token endpoint, the metadata server, STS and IAM Credentials."""

from __future__ import annotations

import time
import typing as t

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.google_cloud import workload_identity
from tests.fakes.google_cloud.errors import JSON, ApiError, OAuthError, denied, not_found, not_modelled
from tests.fakes.google_cloud.policies import Policies
from tests.fakes.google_cloud.state import Call, Identity, State

_LIFETIME = 3600
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Tokens:
    """All of them."""

    def __init__(self, state: State, policies: Policies) -> None:
        self._state = state
        self._policies = policies
        self.keys: dict[str, rsa.RSAPublicKey] = {}  # of service accounts that have a key file

    def oauth(self, form: JSON) -> JSON:
        """OAuth's token endpoint: for key files of service accounts and for refresh tokens."""
        grant = form.get("grant_type")
        if grant == _ASSERTION:
            assertion = form.get("assertion", "")
            issuer = workload_identity.claims_of(assertion).get("iss", "")
            if issuer not in self.keys:
                raise OAuthError("invalid_grant", "Invalid grant: account not found")
            workload_identity.check_signature(assertion, self.keys[issuer])
            account = Identity(f"serviceAccount:{issuer}")
            primary = issuer == self._state.settings.account
            return self._granted(self._state.primary_token() if primary else self._state.issue(account))
        if grant == "refresh_token":
            return self._granted(self._state.primary_token())
        raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {grant}")

    def metadata(self, path: str, recursive: bool) -> JSON | str:
        """The metadata server of a machine or of a pod."""
        settings = self._state.settings
        where = path.removeprefix("/computeMetadata/v1").strip("/")
        account = {"aliases": ["default"], "email": settings.account, "scopes": [_SCOPE]}
        if where.startswith("instance/service-accounts/"):
            name, _slash, what = where.removeprefix("instance/service-accounts/").partition("/")
            if name not in ("default", settings.account):
                raise not_found(f"There is no service account {name}.")
            match what:
                case "token":
                    return self._granted(self._state.primary_token())
                case "email":
                    return settings.account
                case "scopes":
                    return _SCOPE
                case "" if recursive:
                    return t.cast("JSON", account)
                case "":
                    return "aliases\nemail\nidentity\nscopes\ntoken\n"
        plain = {
            "": "instance/\nproject/\n",
            "project/project-id": settings.project,
            "project/numeric-project-id": settings.project_number,
            "instance/service-accounts": f"default/\n{settings.account}/\n",
            "universe/universe-domain": "googleapis.com",
            "universe/universe_domain": "googleapis.com",
        }
        if where not in plain:
            raise not_found(f"There is no metadata {where}.")
        return plain[where]

    def sts(self, call: Call) -> JSON:
        """Exchange a pod's token for one that IAM knows."""
        if call.method.id != "sts.token":
            raise not_modelled(call.method.id)
        body, settings = call.body, self._state.settings
        if body.get("grantType") != _EXCHANGE:
            raise OAuthError("invalid_request", f"Invalid value for grant_type: {body.get('grantType')}.")
        pool = self._state.pool
        audience = body.get("audience", "")
        # The form that GKE's metadata server uses: identitynamespace:POOL:PROVIDER, the latter being the cluster.
        kind, _colon, rest = audience.partition(":")
        if kind != "identitynamespace" or rest.partition(":")[0] != pool:
            raise OAuthError("invalid_target", f"The audience {audience!r} is not of the pool {pool}.")
        if not self._state.identity_pool:
            raise OAuthError(
                "invalid_target", f"The target service {pool} does not exist: no cluster has brought it about."
            )
        workload = workload_identity.verify(body.get("subjectToken", ""), settings.jwks, pool)
        token = self._state.issue(workload.identity(settings.project, settings.project_number))
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return {"access_token": token, "issued_token_type": kind, "token_type": "Bearer", "expires_in": _LIFETIME}

    def credentials(self, call: Call) -> JSON:
        """Take a service account's place."""
        if call.method.action == "getAllowedLocations":  # google-auth asks for it
            return {"locations": [], "encodedLocations": "0x0"}
        if call.method.action != "generateAccessToken":
            raise not_modelled(call.method.id)
        email = call.params["serviceAccountsId"]
        key = f"iam/projects/{self._state.settings.project}/serviceAccounts/{email}"
        if key not in self._state.resources:
            raise not_found(f"Not found; Gaia id not found for email {email}")
        # The guide to Workload Identity: workloadIdentityUser on the account. The other one is for any impersonation.
        holders = self._policies.members(key, r"roles/iam\.(workloadIdentityUser|serviceAccountTokenCreator)")
        if not call.identity.admin and not holders & call.identity.members:
            raise denied("iam.serviceAccounts.getAccessToken", key.partition("/")[2])
        if self._state.resources[key].get("disabled"):
            raise ApiError("FAILED_PRECONDITION", f"The service account {email} is disabled.")
        lifetime = int(call.body.get("lifetime", f"{_LIFETIME}s").removesuffix("s"))
        token = self._state.issue(Identity(f"serviceAccount:{email}"))
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lifetime))
        return {"accessToken": token, "expireTime": expires}

    @staticmethod
    def _granted(token: str) -> JSON:
        return {"access_token": token, "expires_in": _LIFETIME, "token_type": "Bearer", "scope": _SCOPE}
