# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The environment says which cluster is meant, but not beside a kubeconfig or a context that was given."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from tests.fakes import certificates
from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.runner import Runner
from tests.unit import conftest as _finder  # makes the collection importable

assert _finder

from ansible_collections.daskops.kubernetes.plugins.modules import dask_image, openshift_target_info  # noqa: E402

JSON = dict[str, t.Any]
NOWHERE = "https://127.0.0.1:9"


@pytest.fixture
def info(openshift: FakeOpenShift, capsys: pytest.CaptureFixture[str]) -> Runner:
    """The module, without an option of authentication."""
    openshift.install()
    return Runner(openshift_target_info, capsys, {"namespace": "lab"})


@pytest.fixture
def environment(openshift: FakeOpenShift, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Callable[..., None]:
    """Set variables K8S_AUTH_*, beside a home that has no kubeconfig."""
    assert openshift
    monkeypatch.setenv("HOME", str(tmp_path))

    def say(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"K8S_AUTH_{name}", value)

    return say


@pytest.fixture
def authority(tmp_path: Path) -> str:
    """Certificates that the cluster's one is not signed by."""
    folder = tmp_path / "other"
    folder.mkdir()
    return str(certificates.make(folder, ["127.0.0.1"], fake="other").authority)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_kubeconfig_is_not_weakened(
    info: Runner, openshift: FakeOpenShift, tmp_path: Path, environment: t.Callable[..., None], authority: str
) -> None:
    token = openshift.login("developer")
    path = openshift.kubeconfig(tmp_path / "config", token)
    content = yaml.safe_load(path.read_text())
    cluster = content["clusters"][0]["cluster"]
    cluster.pop("certificate-authority-data", None)
    cluster["certificate-authority"] = authority
    path.write_text(yaml.safe_dump(content))
    environment(VERIFY_SSL="False")
    asked = len(openshift.requests)
    for kubeconfig in (str(path), content):
        assert "certificate" in info.bad(kubeconfig=kubeconfig)
    assert len(openshift.requests) == asked  # nobody got the token
    # What is given as a parameter counts beside it.
    assert info.good(kubeconfig=str(path), validate_certs=False)["user"] == "developer"
    assert info.good(kubeconfig=str(path), ca_cert=str(openshift.files.authority))["user"] == "developer"


def test_a_kubeconfig_says_which_cluster_and_who(
    info: Runner, openshift: FakeOpenShift, tmp_path: Path, environment: t.Callable[..., None], authority: str
) -> None:
    path = str(openshift.kubeconfig(tmp_path / "config", openshift.login("developer")))
    environment(KUBECONFIG="/none", CONTEXT="none", HOST=NOWHERE, API_KEY=openshift.login("other"))
    environment(USERNAME="other", PASSWORD="word", SSL_CA_CERT=authority, CERT_FILE="/none", KEY_FILE="/none")
    result = info.good(kubeconfig=path)
    assert [result[key] for key in ("server", "context", "user")] == [openshift.url, "openshift", "developer"]
    assert info.good(kubeconfig=path, api_key=openshift.login("other"))["user"] == "other"
    assert NOWHERE in info.bad(kubeconfig=path, host=NOWHERE)


def test_a_context_is_one_of_the_environments_kubeconfig(
    info: Runner, openshift: FakeOpenShift, tmp_path: Path, environment: t.Callable[..., None], authority: str
) -> None:
    path = str(openshift.kubeconfig(tmp_path / "config", openshift.login("developer")))
    environment(HOST=NOWHERE, API_KEY=openshift.login("other"), SSL_CA_CERT=authority, KUBECONFIG=path)
    result = info.good(context="openshift")
    assert (result["server"], result["user"]) == (openshift.url, "developer")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_environment_says_it_all(
    info: Runner, openshift: FakeOpenShift, tmp_path: Path, environment: t.Callable[..., None], authority: str
) -> None:
    path = str(openshift.kubeconfig(tmp_path / "config", openshift.login("developer")))
    environment(KUBECONFIG=path, CONTEXT="openshift")
    assert info.good()["user"] == "developer"
    token = openshift.login("other")
    environment(KUBECONFIG="", CONTEXT="", HOST=openshift.url, API_KEY=token)
    assert "certificate" in info.bad()
    environment(SSL_CA_CERT=str(openshift.files.authority))
    assert (info.good()["context"], info.good()["user"]) == ("", "other")
    assert info.good(kubeconfig=None, context=None, host=None)["user"] == "other"
    assert token not in str(info.good(target=f"of {token}"))  # as Ansible does with a secret that is given
    environment(SSL_CA_CERT=authority, VERIFY_SSL="no")
    assert info.good()["user"] == "other"
    environment(VERIFY_SSL="perhaps")
    assert "The environment variables K8S_AUTH_* cannot be used: argument 'validate_certs'" in info.bad()


def test_an_image_is_of_the_given_cluster(
    openshift: FakeOpenShift,
    api_server: ApiServer,
    tmp_path: Path,
    environment: t.Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    openshift.install()
    api_server.add_namespace("lab")
    path = str(api_server.kubeconfig(tmp_path / "config"))
    given: JSON = {"state": "absent", "namespace": "lab", "registry": {"kind": "openshift"}}
    image = Runner(dask_image, capsys, given)
    environment(HOST=NOWHERE, API_KEY="none", CONTEXT="none")
    assert image.good(kubeconfig=path, kube_context="c")["removed"] == []
    assert image.good(kubeconfig=path)["removed"] == []
    environment(HOST="", API_KEY="", KUBECONFIG=path, CONTEXT="c")
    assert image.good()["removed"] == []
    environment(CONTEXT="none")
    assert "has no context none" in image.bad()
