# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The least client that can speak to the fake."""

from __future__ import annotations

import http.client
import json
import typing as t
from dataclasses import dataclass

from tests.fakes.google_cloud.errors import JSON


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: t.Any
    headers: dict[str, str]

    @property
    def error(self) -> str:
        """The message of an error, and its status, to look for words in."""
        error = self.body["error"]
        return f"{self.status} {error.get('status') or error['errors'][0]['reason']}: {error['message']}"


class Client:
    """Plain JSON in and out. Paths begin with the service; C(token) is taken anew for each request."""

    def __init__(self, port: int, token: t.Callable[[], str]) -> None:
        self._port = port
        self._token = token

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def post(self, path: str, body: t.Any = None) -> Reply:
        return self.send("POST", path, {} if body is None else body)

    def put(self, path: str, body: t.Any) -> Reply:
        return self.send("PUT", path, body)

    def patch(self, path: str, body: t.Any) -> Reply:
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> Reply:
        return self.send("DELETE", path)

    def send(self, verb: str, path: str, body: t.Any = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            sent = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json", **(headers or {})}
            data = body if isinstance(body, str) or body is None else json.dumps(body)
            connection.request(verb, path, data, sent)
            answer = connection.getresponse()
            raw = answer.read()
            kind = answer.headers.get("Content-Type", "")
            return Reply(answer.status, json.loads(raw) if "json" in kind else raw.decode(), dict(answer.headers))
        finally:
            connection.close()

    def wait(self, path: str, operation: JSON, polls: int = 20) -> JSON:
        """Look at an operation until it is done. C(path) is where operations are."""
        for _turn in range(polls):
            found = self.get(f"{path}/{operation['name'].rpartition('/')[2]}").body
            if found.get("status") == "DONE" or found.get("done"):
                return t.cast("JSON", found)
        raise AssertionError(f"{operation['name']} is not done after {polls} polls")
