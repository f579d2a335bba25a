# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Talk to a cluster's API server: plain JSON in and out, and port-forwards to pods."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import time
import traceback
import typing as t
from urllib.parse import urlencode

from ansible_collections.daskops.kubernetes.plugins.module_utils import _module
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import AUTH
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

try:
    import urllib3
    import yaml
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    from kubernetes.stream import portforward, stream

    KUBERNETES_IMPORT_ERROR: str | None = None
except ImportError:
    KUBERNETES_IMPORT_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

JSON = dict[str, t.Any]

APPLY_PATCH = "application/apply-patch+yaml"

# What a server that is busy or starts anew answers for a moment, and how long to wait between the tries, in seconds.
# A write may have been done nevertheless, unless it was one too many (429); only applying twice is the same as once.
_PASSING_READ, _PASSING_APPLY, _PASSING_WRITE = {429, 500, 502, 503, 504}, {429, 503}, {429}
_PAUSES = (0.5, 1.0, 2.0, 4.0)
_LONGEST_PAUSE = 5.0
_PATIENCE = 10.0


def run(
    argument_spec: dict[str, JSON],
    work: t.Callable[[AnsibleModule], JSON],
    libraries: t.Mapping[str, str | None] | None = None,
    **kwargs: t.Any,
) -> t.NoReturn:
    """Run a module that talks to a cluster: C(argument_spec) is added to the authentication options."""

    def with_names(module: AnsibleModule) -> JSON:
        _module.add_connection(module)
        module.no_log_values -= _module.public_values(module.params["kubeconfig"])
        return work(module)

    libraries = {"kubernetes": KUBERNETES_IMPORT_ERROR, **(libraries or {})}
    _module.run({**AUTH, **argument_spec}, with_names, libraries, **kwargs)


class ApiError(DaskopsError):
    """The API server's answer was no; C(status) is the HTTP status, C(reason) the server's own sentence.

    C(retry_after) is how many seconds to wait before it is asked again, if it said so.
    """

    def __init__(self, message: str, status: int, reason: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Unreachable(DaskopsError):
    """No answer from the API server, or not from the one that was meant; a module says that as C(reached=false)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reached=False)


class Cluster:
    """One Kubernetes cluster, by kubernetes.core's authentication options.

    C(params) are a module's parameters with the options of C(_argspec.AUTH); C(target) is what the cluster is
    called in messages.  Safe to use from several threads.
    """

    def __init__(self, params: JSON, target: str | None = None) -> None:
        self._configuration = _configuration(params)
        self.name = target or params.get("context") or str(self._configuration.host)
        self._client = kubernetes_client.ApiClient(self._configuration)
        for option, header in (("impersonate_user", "Impersonate-User"), ("impersonate_groups", "Impersonate-Group")):
            if params.get(option):
                value = params[option]
                self._client.set_default_header(header, ",".join(value) if isinstance(value, list) else value)
        self._groups = params.get("impersonate_groups") or []
        self._user = params.get("impersonate_user")
        self._basic = (params.get("username"), params.get("password"))
        flags = {flag: params.get(flag) for flag in ("kubeconfig", "context")}
        if isinstance(flags["kubeconfig"], dict):
            flags = {}  # it is no file that the user of a command could name
        self.kubectl = " ".join(["kubectl", *(f"--{flag} {value}" for flag, value in flags.items() if value)])

    @property
    def url(self) -> str:
        """URL of the API server."""
        return str(self._configuration.host)

    @property
    def token(self) -> str:
        """The bearer token by which the user is known; empty if it is known otherwise."""
        scheme, _space, token = self._credentials().get("Authorization", "").partition(" ")
        return token if scheme == "Bearer" else ""

    def get(self, path: str, **query: str) -> JSON:
        """The object or list at C(path); raises ApiError where there is none."""
        return t.cast("JSON", json.loads(self.request("GET", path, query=query)))

    def find(self, path: str, **query: str) -> JSON | None:
        """The object at C(path), or None where the server has none."""
        try:
            return self.get(path, **query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[JSON]:
        """The items at C(path); empty where the server does not know the kind."""
        return t.cast("list[JSON]", (self.find(path, **query) or {}).get("items", []))

    def find_visible(self, path: str, **query: str) -> JSON | None:
        """The object at C(path), or None where the server has none or the user may not see it."""
        try:
            return self.find(path, **query)
        except ApiError as error:
            if error.status == 403:
                return None
            raise

    def visible_items(self, path: str, **query: str) -> list[JSON] | None:
        """The items at C(path), or None where the server does not know the kind or the user may not see it."""
        return (self.find_visible(path, **query) or {}).get("items")

    def may(self, namespace: str, group: str, resource: str, verb: str) -> bool:
        """Whether the user may do something, by the API server's own answer; without a namespace, in the whole cluster.

        C(resource) may have a subresource, as in C(pods/log).
        """
        plural, _slash, subresource = resource.partition("/")
        attributes = {"group": group, "resource": plural, "subresource": subresource, "verb": verb}
        if namespace:
            attributes["namespace"] = namespace
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
        return bool(answer["status"]["allowed"])

    def send(self, method: str, path: str, body: t.Any, content_type: str = "application/json", **query: str) -> JSON:
        """Create, patch or delete; returns the server's answer."""
        raw = self.request(method, path, json.dumps(body).encode(), content_type, query)
        return t.cast("JSON", json.loads(raw))

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
        timeout: float = 30,
    ) -> bytes:
        """The raw answer to one request, which may keep silent for C(timeout) seconds.

        It is made again for some seconds where the answer is one that passes, and nothing can be done twice.
        """
        passing = _PASSING_READ if method == "GET" else _PASSING_WRITE
        if content_type == APPLY_PATCH:
            passing = _PASSING_APPLY
        end = time.monotonic() + _PATIENCE
        pauses = iter(_PAUSES)
        while True:
            try:
                return t.cast("bytes", self._ask(method, path, body, content_type, query, timeout).data)
            except ApiError as error:
                pause = max(next(pauses, math.inf), min(error.retry_after, _LONGEST_PAUSE))
                if error.status not in passing or time.monotonic() + pause > end:
                    raise
            time.sleep(pause)

    def lines(self, path: str, timeout: float, **query: str) -> t.Iterator[str]:
        """The lines of an answer that is followed while it is written; it ends where the connection does."""
        answer = self._ask("GET", path, None, "", query, timeout, preload_content=False)
        rest = b""
        try:
            for part in answer.stream(2**16):
                *whole, rest = (rest + part).split(b"\n")
                for line in whole:
                    yield line.decode(errors="replace").rstrip("\r")
        except urllib3.exceptions.HTTPError:
            return  # what has not come whole comes again to who asks again
        finally:
            answer.close()
        if rest:
            yield rest.decode(errors="replace")

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str,
        query: dict[str, str] | None,
        timeout: float,
        **options: t.Any,
    ) -> t.Any:
        headers = urllib3.HTTPHeaderDict({"Accept": "application/json, */*", **self._credentials()})
        if body is not None:
            headers["Content-Type"] = content_type
        if self._user:
            headers["Impersonate-User"] = self._user
        for group in self._groups:
            headers.add("Impersonate-Group", group)
        url = self.url + path + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                url,
                body=body,
                headers=headers,
                retries=False,
                timeout=urllib3.Timeout(connect=5, read=timeout),
                **options,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(_why_unreachable(self.name, self.url, error)) from error
        if answer.status >= 300:
            raise self._refusal(method, path, answer)
        return answer

    def logs(self, namespace: str, pod: str, container: str, lines: int = 20, previous: bool = False) -> list[str]:
        """The last lines that a container has written; empty if it has none yet."""
        query = {"container": container, "tailLines": str(lines)}
        if previous:
            query["previous"] = "true"
        try:
            # Once only: what a node that is away answers does not pass.
            answer = self._ask("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log", None, "", query, 30)
        except ApiError:
            return []
        return t.cast("bytes", answer.data).decode(errors="replace").splitlines()

    def execute(
        self, namespace: str, pod: str, container: str, command: list[str], timeout: float
    ) -> tuple[int, str, str]:
        """Exit code, output and error output of a command in a container."""
        try:
            connection = stream(
                kubernetes_client.CoreV1Api(self._client).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                container=container,
                command=command,
                stdout=True,
                stderr=True,
                _preload_content=False,
            )
        except Exception as error:  # websocket-client and the client's own errors have no common base
            raise Unreachable(
                f"Cluster {self.name}: running {command[0]} in pod {namespace}/{pod} failed: {_one_line(error)}; "
                "this needs the right to create pods/exec."
            ) from error
        try:
            connection.run_forever(timeout=timeout)
            if connection.is_open():
                raise DaskopsError(
                    f"Cluster {self.name}: {' '.join(command)} in pod {namespace}/{pod} "
                    f"has not ended after {timeout:.0f} s."
                )
            return connection.returncode, connection.read_stdout(), connection.read_stderr()
        finally:
            connection.close()

    @contextlib.contextmanager
    def port_forward(self, namespace: str, pod: str, port: int) -> t.Iterator[Tunnel]:
        """An HTTP connection to a port of a pod, by way of the API server."""
        try:
            forward = portforward(
                kubernetes_client.CoreV1Api(self._client).connect_get_namespaced_pod_portforward,
                pod,
                namespace,
                ports=str(port),
            )
        except Exception as error:  # websocket-client and the client's own errors have no common base
            raise Unreachable(
                f"Cluster {self.name}: forwarding port {port} of pod {namespace}/{pod} failed: {_one_line(error)}; "
                "this needs the right to create pods/portforward."
            ) from error
        try:
            yield Tunnel(forward.socket(port), f"{namespace}/{pod}:{port}", self.name)
        finally:
            forward.close()

    def _credentials(self) -> dict[str, str]:
        setting = self._configuration.auth_settings().get("BearerToken")
        if setting and setting["value"]:
            return {"Authorization": setting["value"]}
        if all(self._basic):
            return dict(urllib3.util.make_headers(basic_auth=":".join(t.cast("tuple[str, str]", self._basic))))
        return {}

    def _refusal(self, method: str, path: str, answer: t.Any) -> ApiError:
        status, data = answer.status, answer.data
        try:
            reason = json.loads(data).get("message") or data.decode(errors="replace")
        except ValueError:
            reason = data.decode(errors="replace")
        hint = {
            401: "; the credentials are not valid or have expired: log in again",
            403: "; ask for the right or use an account that has it",
        }.get(status, "")
        seconds = answer.headers.get("Retry-After", "")  # or a date, which API servers do not send
        return ApiError(
            f"Cluster {self.name}: {method} {path} was answered {status}: {_one_line(reason)}{hint}.",
            status,
            reason,
            float(seconds) if seconds.isdecimal() else 0,
        )


class Tunnel:
    """HTTP over one port-forward, kept open between requests."""

    def __init__(self, socket: t.Any, where: str, cluster: str) -> None:
        self._connection = http.client.HTTPConnection("localhost", timeout=30)
        self._connection.sock = socket
        socket.settimeout(30)
        self._where = where
        self._cluster = cluster

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one request."""
        try:
            self._connection.request(method, path, body=body, headers=headers or {})
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                f"Cluster {self._cluster}: {method} {path} at pod {self._where} got no answer: {_one_line(error)}."
            ) from error


def _configuration(params: JSON) -> t.Any:
    configuration: t.Any = kubernetes_client.Configuration()
    kubeconfig, context = params.get("kubeconfig"), params.get("context")
    try:
        if kubeconfig or context:
            _load_kubeconfig(configuration, kubeconfig, context, params.get("persist_config"))
        elif not params.get("host"):
            try:
                kubernetes_config.load_incluster_config(client_configuration=configuration)
            except kubernetes_config.ConfigException:
                _load_kubeconfig(configuration, None, None, params.get("persist_config"))
    except (kubernetes_config.ConfigException, yaml.YAMLError, OSError) as error:
        where = kubeconfig if isinstance(kubeconfig, str) else "the kubeconfig"
        raise DaskopsError(
            f"No cluster can be reached by {where}: {_one_line(error)}; check kubeconfig and context."
        ) from error
    _override(configuration, params)
    refresh = configuration.refresh_api_key_hook
    if refresh:
        # Before each request it sets all that the kubeconfig says once more, itself among it.
        configuration.refresh_api_key_hook = lambda again: _refresh(again, params, refresh)
    return configuration


def _refresh(configuration: t.Any, params: JSON, refresh: t.Callable[[t.Any], None]) -> None:
    mine = configuration.refresh_api_key_hook
    refresh(configuration)
    configuration.refresh_api_key_hook = mine
    _override(configuration, params)


def _override(configuration: t.Any, params: JSON) -> None:
    """What was given beside a kubeconfig counts more than what that says."""
    if params.get("host"):
        configuration.host = params["host"].rstrip("/")
    if params.get("api_key"):
        configuration.api_key = {"authorization": f"Bearer {params['api_key']}"}
    for option, attribute in (
        ("validate_certs", "verify_ssl"),
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
        ("proxy", "proxy"),
        ("no_proxy", "no_proxy"),
    ):
        if params.get(option) is not None:
            setattr(configuration, attribute, params[option])
    if params.get("proxy_headers"):
        given = {key: value for key, value in params["proxy_headers"].items() if value}
        configuration.proxy_headers = urllib3.util.make_headers(**given)


def _load_kubeconfig(configuration: t.Any, kubeconfig: t.Any, context: str | None, persist: bool | None) -> None:
    if isinstance(kubeconfig, dict):
        _check_context(kubeconfig, "the given kubeconfig", context)
        kubernetes_config.load_kube_config_from_dict(
            kubeconfig, context=context, client_configuration=configuration, persist_config=bool(persist)
        )
        return
    path = os.path.expanduser(kubeconfig or "~/.kube/config")
    if os.pathsep not in path:
        if not os.path.exists(path):
            raise DaskopsError(
                f"The kubeconfig {path} does not exist; give the path of one that does, or make the cluster first."
            )
        with open(path, encoding="utf-8") as file:
            _check_context(yaml.safe_load(file) or {}, path, context)
    kubernetes_config.load_kube_config(
        path, context=context, client_configuration=configuration, persist_config=bool(persist)
    )


def _check_context(content: t.Any, where: str, context: str | None) -> None:
    if not isinstance(content, dict) or not content.get("clusters"):
        raise DaskopsError(f"{where} is no kubeconfig: it names no clusters.")
    names = [entry.get("name") for entry in content.get("contexts") or []]
    if context and context not in names:
        raise DaskopsError(f"The kubeconfig {where} has no context {context}; it has: {', '.join(names) or 'none'}.")


def _why_unreachable(name: str, url: str, error: Exception) -> str:
    text = str(error)
    if "certificate" in text.lower():
        return (
            f"Cluster {name}: the certificate of {url} does not match what the kubeconfig expects: {_one_line(text)}; "
            "the kubeconfig may be of another or an earlier cluster: fetch it again."
        )
    return (
        f"Cluster {name}: the API server {url} does not answer: {_one_line(text)}; "
        "check that the cluster runs and that this host may reach it."
    )


def _one_line(what: object) -> str:
    return " ".join(str(what).split()).rstrip(".")[:500]
