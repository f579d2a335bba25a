# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests hold in their hands: requests with a token, and a builder to exchange."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import requests

from tests.fakes.openshift import BuildInput, Built
from tests.fakes.openshift.builds import pretend


@dataclass
class Client:
    """Requests with a token."""

    url: str
    authority: str
    token: str

    def send(self, verb: str, path: str, body: t.Any = None, **options: t.Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        options["data" if isinstance(body, bytes) else "json"] = body
        timeout = options.pop("timeout", 10)
        return requests.request(
            verb, self.url + path, headers=headers, verify=self.authority, timeout=timeout, **options
        )

    def get(self, path: str, **options: t.Any) -> requests.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, body: t.Any = None, **options: t.Any) -> requests.Response:
        return self.send("POST", path, body, **options)

    def put(self, path: str, body: t.Any, **options: t.Any) -> requests.Response:
        return self.send("PUT", path, body, **options)

    def patch(self, path: str, body: t.Any, kind: str = "application/merge-patch+json") -> requests.Response:
        return self.send("PATCH", path, body, headers={"Content-Type": kind})

    def delete(self, path: str, **options: t.Any) -> requests.Response:
        return self.send("DELETE", path, **options)


class Hook:
    """The builder, which a test may exchange."""

    def __init__(self) -> None:
        self.build: t.Callable[[BuildInput], Built] = pretend

    def __call__(self, given: BuildInput) -> Built:
        return self.build(given)
