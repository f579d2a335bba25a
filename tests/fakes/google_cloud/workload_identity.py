# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workload Identity: a pod's service account token is checked, and exchanged for an identity that IAM knows."""

from __future__ import annotations

import base64
import binascii
import json
import time
import typing as t
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.google_cloud.errors import JSON, OAuthError
from tests.fakes.google_cloud.state import Identity


@dataclass(frozen=True)
class Workload:
    """A Kubernetes service account."""

    namespace: str
    name: str

    def identity(self, project: str, number: str) -> Identity:
        """Under the names that a policy may give it (the guide to Workload Identity, "Principal identifiers")."""
        pool = f"//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{project}.svc.id.goog"
        aliases = (
            f"principal:{pool}/subject/ns/{self.namespace}/sa/{self.name}",
            f"principalSet:{pool}/namespace/{self.namespace}",
        )
        return Identity(f"serviceAccount:{project}.svc.id.goog[{self.namespace}/{self.name}]", aliases)


def verify(token: str, jwks: JSON | None, audience: str) -> Workload:
    """Whose token it is; raises OAuthError if it is not one that the cluster has signed for this audience."""
    if not jwks:
        raise OAuthError("invalid_grant", "The fake was not told by which keys the cluster signs (jwks).")
    header, claims = _decode(token)
    if header.get("alg") != "RS256":
        raise _refused(f"its algorithm is {header.get('alg')}, not RS256")
    key = next((key for key in jwks.get("keys", []) if key.get("kid") == header.get("kid")), None)
    if key is None:
        raise _refused(f"the cluster has no key {header.get('kid')}")
    check_signature(token, _public_key(key))
    audiences = claims.get("aud", [])
    if audience not in ([audiences] if isinstance(audiences, str) else audiences):
        raise _refused(f"its audience is {audiences}, not {audience}")
    if claims.get("exp", 0) < time.time():
        raise _refused("it has expired")
    words = str(claims.get("sub", "")).split(":")
    if words[:2] != ["system", "serviceaccount"] or len(words) != 4:
        raise _refused(f"its subject is {claims.get('sub')}, not a service account")
    return Workload(words[2], words[3])


def claims_of(token: str) -> JSON:
    """What a token says, unchecked."""
    return _decode(token)[1]


def check_signature(token: str, key: rsa.RSAPublicKey) -> None:
    """Raise OAuthError unless the token was signed with this key."""
    signed, _dot, signature = token.rpartition(".")
    try:
        key.verify(_bytes(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise _refused("its signature is not valid") from None


def _refused(why: str) -> OAuthError:
    return OAuthError("invalid_grant", f"The token is refused: {why}.")


def _decode(token: str) -> tuple[JSON, JSON]:
    try:
        header, claims, _signature = token.split(".")
        return t.cast("tuple[JSON, JSON]", (json.loads(_bytes(header)), json.loads(_bytes(claims))))
    except (ValueError, binascii.Error):
        raise _refused("it is not a JSON Web Token") from None


def _public_key(key: JSON) -> rsa.RSAPublicKey:
    modulus, exponent = (int.from_bytes(_bytes(key[name]), "big") for name in ("n", "e"))
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
