# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import base64
import contextlib
import datetime
import json
import ssl
from dataclasses import replace
from pathlib import Path

import argon2
import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _credentials
from cryptography import x509

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
WANTED = _credentials.Wanted("dask", "team", days=365, renew_days=30)


def later(days: int) -> datetime.datetime:
    return NOW + datetime.timedelta(days=days)


def test_the_first_time_all_is_made_and_the_second_time_nothing() -> None:
    first = _credentials.complete(WANTED, {}, NOW)
    assert set(first.made) == {"certificate authority", "certificate", "notebook password"}
    second = _credentials.complete(WANTED, first.data, NOW)
    assert second.made == {}
    assert second.data == first.data
    assert (second.serial, second.password_id) == (first.serial, first.password_id)


def test_the_certificate_is_the_authoritys_and_serves_both_sides() -> None:
    data = _credentials.complete(WANTED, {}, NOW).data
    authority = x509.load_pem_x509_certificate(data["ca"]["ca.crt"].encode())
    certificate = x509.load_pem_x509_certificate(data["tls"]["tls.crt"].encode())
    certificate.verify_directly_issued_by(authority)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {use.dotted_string for use in usage} == {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "dask-scheduler.team.svc" in names.get_values_for_type(x509.DNSName)
    assert "ca.key" not in data["tls"]


def test_openssl_takes_what_was_made(tmp_path: Path) -> None:
    data = _credentials.complete(WANTED, {}, datetime.datetime.now(datetime.UTC)).data["tls"]
    for name, content in data.items():
        (tmp_path / name).write_text(content)
    server, client = (
        ssl.create_default_context(purpose, cafile=str(tmp_path / "ca.crt"))
        for purpose in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH)
    )
    server.verify_mode = ssl.CERT_REQUIRED
    for context in (server, client):
        context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
        # The default from Python 3.13 on.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname="dask-scheduler"),
    ]
    for side in sides[::-1] * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert all(side.getpeercert()["serialNumber"] for side in sides)


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (334, False), (336, True), (400, True)])
def test_a_certificate_is_made_anew_before_its_end_by_the_same_authority(days: int, renewed: bool) -> None:
    first = _credentials.complete(WANTED, {}, NOW)
    second = _credentials.complete(WANTED, first.data, later(days))
    assert set(second.made) == ({"certificate"} if renewed else set())
    assert second.data["ca"] == first.data["ca"]
    assert second.expires > later(days + 29)


def test_an_authority_that_would_end_before_its_certificates_is_made_anew() -> None:
    first = _credentials.complete(WANTED, {}, NOW)
    second = _credentials.complete(WANTED, first.data, later(_credentials.CA_DAYS - 364))
    assert set(second.made) == {"certificate authority", "certificate"}


ALLOWED = [
    (days, renew_days)
    for days in (1, 2, 7, 30, 31, 90, 365, 366, 1000, _credentials.LONGEST_DAYS)
    for renew_days in dict.fromkeys([0, 1, 7, 29, 30, days // 2, days - 1])
    if renew_days < days
]


@pytest.mark.parametrize(("days", "renew_days"), ALLOWED)
def test_with_whatever_days_are_allowed_a_second_run_makes_nothing(days: int, renew_days: int) -> None:
    wanted = replace(WANTED, days=days, renew_days=renew_days, notebook=False)
    assert _credentials.why_not(wanted) == ""
    data: dict[str, _credentials.Data] = {}
    # Close to the authority's end too.
    for start in (NOW, later(_credentials.CA_DAYS - days - 31), later(_credentials.CA_DAYS - days - 29)):
        data = _credentials.complete(wanted, data, start).data
        second = _credentials.complete(wanted, data, start + datetime.timedelta(minutes=5))
        assert second.made == {}
        # A certificate ends before its authority.
        authority = x509.load_pem_x509_certificate(data["ca"]["ca.crt"].encode())
        assert second.expires < authority.not_valid_after_utc


def test_an_authority_is_renewed_some_days_before_a_certificate_would_outlive_it() -> None:
    first = _credentials.complete(WANTED, {}, NOW).data
    for days, made in ((396, set()), (394, {"certificate authority", "certificate"})):
        data = _credentials.complete(WANTED, first, later(_credentials.CA_DAYS - 400)).data
        assert set(_credentials.complete(WANTED, data, later(_credentials.CA_DAYS - days)).made) == made


@pytest.mark.parametrize(
    ("days", "renew_days"),
    [(30, 30), (7, 30), (0, 0), (-1, -2), (365, -1), (_credentials.LONGEST_DAYS + 1, 30), (3650, 30), (4000, 30)],
)
def test_days_that_would_make_certificates_on_every_run_are_refused(days: int, renew_days: int) -> None:
    why = _credentials.why_not(replace(WANTED, days=days, renew_days=renew_days))
    assert f"valid for {days} days" in why
    assert f"renewed {renew_days} days before" in why


@pytest.mark.parametrize(
    ("secret", "key", "value", "made"),
    [
        ("tls", "tls.key", "", {"certificate"}),
        ("tls", "tls.crt", "no certificate", {"certificate"}),
        ("ca", "ca.key", "", {"certificate authority", "certificate"}),
        ("notebook", "jupyter_server_config.json", "{}", {"notebook password"}),
        ("notebook", "jupyter_server_config.json", "no json", {"notebook password"}),
    ],
)
def test_what_was_damaged_is_made_anew(secret: str, key: str, value: str, made: set[str]) -> None:
    data = _credentials.complete(WANTED, {}, NOW).data
    data[secret][key] = value
    assert set(_credentials.complete(WANTED, data, NOW).made) == made


def test_a_key_of_another_certificate_is_noticed() -> None:
    data = _credentials.complete(WANTED, {}, NOW).data
    data["tls"]["tls.key"] = _credentials.complete(WANTED, {}, NOW).data["tls"]["tls.key"]
    assert _credentials.complete(WANTED, data, NOW).made == {
        "certificate": "certificate and key do not belong together"
    }


def hash_of(outcome: _credentials.Outcome) -> str:
    settings = json.loads(outcome.data["notebook"]["jupyter_server_config.json"])
    return str(settings["PasswordIdentityProvider"]["hashed_password"])


def test_a_given_password_is_kept_as_a_hash_only() -> None:
    wanted = replace(WANTED, password="correct horse")
    outcome = _credentials.complete(wanted, {}, NOW)
    assert "correct horse" not in json.dumps(outcome.data)
    algorithm, _colon, hashed = hash_of(outcome).partition(":")
    assert algorithm == "argon2"
    assert argon2.PasswordHasher().verify(hashed, "correct horse")
    assert _credentials.complete(wanted, outcome.data, NOW).made == {}


def test_another_password_replaces_the_one_before() -> None:
    generated = _credentials.complete(WANTED, {}, NOW)
    assert len(generated.data["notebook"]["password"]) >= 24
    given = _credentials.complete(replace(WANTED, password="correct horse"), generated.data, NOW)
    assert given.made == {"notebook password": "another was given"}
    assert "password" not in given.data["notebook"]
    # Without one, what is there stays: it is not known whether it was given.
    assert _credentials.complete(WANTED, given.data, NOW).made == {}
    assert _credentials.complete(replace(WANTED, new_password=True), given.data, NOW).made == {
        "notebook password": "asked for"
    }


def test_an_oauth_proxys_cookie_secret_is_made_once_and_outlives_the_password() -> None:
    wanted = replace(WANTED, cookie_secret=True)
    before = _credentials.complete(WANTED, {}, NOW)
    assert "cookie_secret" not in before.data["notebook"]
    first = _credentials.complete(wanted, before.data, NOW)
    assert first.made == {"notebook cookie secret": "there is none"}
    secret = first.data["notebook"]["cookie_secret"]
    assert len(base64.urlsafe_b64decode(secret)) == 32
    assert _credentials.complete(wanted, first.data, NOW).made == {}
    # Whoever changes the password need not know of the proxy.
    changed = _credentials.complete(replace(WANTED, new_password=True), first.data, NOW)
    assert set(changed.made) == {"notebook password"}
    assert changed.data["notebook"]["cookie_secret"] == secret
    for bad in ("c2hvcnQ=", "\u00e9"):
        first.data["notebook"]["cookie_secret"] = bad
        assert _credentials.complete(wanted, first.data, NOW).made == {"notebook cookie secret": "it cannot be used"}


def test_without_a_notebook_there_is_no_password() -> None:
    outcome = _credentials.complete(replace(WANTED, notebook=False), {}, NOW)
    assert set(outcome.data) == {"ca", "tls"}
    assert outcome.password_id == ""


def test_encoding_goes_both_ways() -> None:
    data = {"a": "text", "b": "ü"}
    assert _credentials.decode(_credentials.encode(data)) == data
    assert _credentials.decode(None) == {}
