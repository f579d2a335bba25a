# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""A deployment's certificates and the notebook's password: what there is, and what has to be made."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import secrets
import traceback
import typing as t

try:
    import argon2
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

UTC = datetime.UTC

# Ten years, as public key infrastructures inside a cluster have it (kubeadm's too).
CA_DAYS = 3650

# An authority has to outlive its certificates, and is made anew this long before it would not.
_CA_MARGIN_DAYS = 30
LONGEST_DAYS = CA_DAYS // 2

# What jupyter_server.auth.security.passwd uses, and reads from a hash.
_MEMORY_COST, _TIME_COST, _PARALLELISM = 10240, 10, 8

# Where oauth-proxy takes its cookies' key from, and how long that is: it wants an AES key, in base64.
# https://github.com/openshift/oauth-proxy/blob/master/options.go
COOKIE_SECRET = "cookie_secret"
_COOKIE_BYTES = 32

Data = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the credentials are to be.

    ``password`` is None where one is generated; ``days`` is how long a certificate is valid, and it is made anew
    ``renew_days`` before its end.
    """

    name: str
    namespace: str
    days: int
    renew_days: int
    notebook: bool = True
    password: str | None = None
    new_password: bool = False
    cookie_secret: bool = False


@dataclasses.dataclass
class Outcome:
    """The data of the Secrets by suffix of their names, and what was made with its reason."""

    data: dict[str, Data]
    made: dict[str, str]
    expires: datetime.datetime
    serial: str
    password_id: str


def why_not(wanted: Wanted) -> str:
    """Why the certificate's days cannot be, if so: one that is always about to end would be made on every run."""
    if 0 <= wanted.renew_days < wanted.days <= LONGEST_DAYS:
        return ""
    return (
        f"a certificate cannot be valid for {wanted.days} days and be renewed {wanted.renew_days} days before its end: "
        f"choose at most {LONGEST_DAYS} days, half as long as its authority is valid, and a renewal that is fewer days "
        "before the end, and at least 0"
    )


def complete(wanted: Wanted, existing: dict[str, Data], now: datetime.datetime) -> Outcome:
    """Keep what is good of C(existing), the Secrets' data by suffix (C(ca), C(tls), C(notebook)), and make the rest."""
    made: dict[str, str] = {}
    ca, tls, notebook = (dict(existing.get(suffix) or {}) for suffix in ("ca", "tls", "notebook"))
    why = _why_new_certificate(ca.get("ca.crt"), ca.get("ca.key"), now, wanted.days + _CA_MARGIN_DAYS)
    if why:
        made["certificate authority"] = why
        ca = _new_ca(wanted, now)
    why = _why_new_certificate(tls.get("tls.crt"), tls.get("tls.key"), now, wanted.renew_days)
    if not why and tls.get("ca.crt") != ca["ca.crt"]:
        why = "it is of another certificate authority"
    if why:
        made["certificate"] = why
        tls = _new_certificate(wanted, ca, now)
    data = {"ca": ca, "tls": tls}
    if wanted.notebook:
        why = _why_new_password(notebook, wanted)
        if why:
            made["notebook password"] = why
            kept = {key: value for key, value in notebook.items() if key == COOKIE_SECRET}
            notebook = {**_new_password(wanted.password), **kept}
        why = _why_new_cookie_secret(notebook) if wanted.cookie_secret else ""
        if why:
            made["notebook cookie secret"] = why
            notebook[COOKIE_SECRET] = base64.urlsafe_b64encode(secrets.token_bytes(_COOKIE_BYTES)).decode()
        data["notebook"] = notebook
    certificate = x509.load_pem_x509_certificate(tls["tls.crt"].encode())
    return Outcome(
        data,
        made,
        certificate.not_valid_after_utc,
        format(certificate.serial_number, "x")[:16],
        _hash_of(notebook)[-12:] if wanted.notebook else "",
    )


def encode(data: Data) -> Data:
    """As a Secret's C(data)."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def decode(data: Data | None) -> Data:
    """From a Secret's C(data)."""
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in (data or {}).items()}


def _why_new_certificate(certificate: str | None, key: str | None, now: datetime.datetime, days: int) -> str:
    if not certificate or not key:
        return "there is none"
    try:
        parsed = x509.load_pem_x509_certificate(certificate.encode())
        private = serialization.load_pem_private_key(key.encode(), None)
    except ValueError:
        return "it cannot be read"
    if parsed.public_key() != private.public_key():
        return "certificate and key do not belong together"
    if parsed.not_valid_after_utc - now < datetime.timedelta(days=days):
        return f"it ends on {parsed.not_valid_after_utc:%Y-%m-%d}"
    return ""


def _why_new_password(notebook: Data, wanted: Wanted) -> str:
    known = _hash_of(notebook)
    if not known:
        return "there is none"
    if wanted.password is None:
        return "asked for" if wanted.new_password else ""
    try:
        argon2.PasswordHasher().verify(known.removeprefix("argon2:"), wanted.password)
    except argon2.exceptions.VerificationError:
        return "another was given"
    except argon2.exceptions.InvalidHashError:
        return "it cannot be read"
    # A generated password is kept in clear beside its hash; a given one is not.
    return "it was given, and is no longer kept in clear" if "password" in notebook else ""


def _why_new_cookie_secret(notebook: Data) -> str:
    known = notebook.get(COOKIE_SECRET)
    if not known:
        return "there is none"
    try:
        good = len(base64.urlsafe_b64decode(known)) == _COOKIE_BYTES
    except ValueError:
        good = False
    return "" if good else "it cannot be used"


def _hash_of(notebook: Data) -> str:
    try:
        settings = json.loads(notebook.get("jupyter_server_config.json", ""))
        return str(settings["PasswordIdentityProvider"]["hashed_password"])
    except (ValueError, KeyError, TypeError):
        return ""


def _new_password(given: str | None) -> Data:
    password = given or secrets.token_urlsafe(18)
    hasher = argon2.PasswordHasher(memory_cost=_MEMORY_COST, time_cost=_TIME_COST, parallelism=_PARALLELISM)
    hashed = "argon2:" + hasher.hash(password)
    settings = {"PasswordIdentityProvider": {"hashed_password": hashed}}
    data = {"jupyter_server_config.json": json.dumps(settings)}
    return data if given else {**data, "password": password}


def _new_ca(wanted: Wanted, now: datetime.datetime) -> Data:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"Dask {wanted.namespace}/{wanted.name} CA")
    certificate = (
        _builder(subject, subject, key.public_key(), now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return {"ca.crt": _pem(certificate), "ca.key": _pem_key(key)}


def _new_certificate(wanted: Wanted, ca: Data, now: datetime.datetime) -> Data:
    authority = x509.load_pem_x509_certificate(ca["ca.crt"].encode())
    authority_key = serialization.load_pem_private_key(ca["ca.key"].encode(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    service = f"{wanted.name}-scheduler"
    names = [service, f"{service}.{wanted.namespace}", f"{service}.{wanted.namespace}.svc", "localhost"]
    certificate = (
        _builder(
            _subject(f"Dask {wanted.namespace}/{wanted.name}"), authority.subject, key.public_key(), now, wanted.days
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # Python refuses certificates without it from 3.13 on (ssl.VERIFY_X509_STRICT).
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                t.cast("ec.EllipticCurvePublicKey", authority.public_key())
            ),
            critical=False,
        )
        # One certificate for all: every process of Dask is both client and server.
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(t.cast("ec.EllipticCurvePrivateKey", authority_key), hashes.SHA256())
    )
    return {"ca.crt": ca["ca.crt"], "tls.crt": _pem(certificate), "tls.key": _pem_key(key)}


def _subject(common_name: str) -> x509.Name:
    # RFC 5280 allows 64 characters.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks differ.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _key_usage(sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem_key(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
