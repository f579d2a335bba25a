# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The OAuth server: passwords in, tokens out, and the webhook by which an API server believes them.

OpenShift's clients that have a password, not a browser, ask as openshift-challenging-client: C(oc login -u) and
community.okd.openshift_auth by a code that they then change for a token, others for the token at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from tests.fakes.openshift.errors import JSON, OAuthError, not_found, success
from tests.fakes.openshift.state import AUTHENTICATED, Answer, Identity, Request, Settings

DISCOVERY = "/.well-known/oauth-authorization-server"
REVIEW = "/tokenreview"
PREFIX = "sha256~"
_CLIENT = "openshift-challenging-client"
_CODE_SECONDS = 300


@dataclass
class Token:
    """An access token that was given out."""

    user: str
    name: str  # of its object; made from the token by a hash, so that it can be named without knowing it
    expires: float
    created: float = field(default_factory=time.time)


@dataclass
class _Code:
    user: str
    expires: float
    challenge: str
    method: str


class OAuth:
    """Users, codes and tokens. Each change is one operation on a dict, so no lock is needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tokens: dict[str, Token] = {}
        self._codes: dict[str, _Code] = {}

    def answer(self, request: Request) -> Answer | None:
        """Answer what is the OAuth server's; None if it is not."""
        here = f"https://{request.header('Host')}"
        if request.path == DISCOVERY:
            return Answer(200, _discovery(here))
        if request.path == "/oauth/authorize" and request.verb in ("GET", "POST"):
            return Answer(302, None, {"Location": self._authorize(request, here)})
        if request.path == "/oauth/token" and request.verb == "POST":
            return Answer(200, self._exchange(request))
        if request.path == "/oauth/token/implicit":
            return Answer(200, "", content_type="text/html")
        if request.path == REVIEW and request.verb == "POST":
            return Answer(200, self.review(json.loads(request.body)))
        return None

    # Passwords.

    def _authorize(self, request: Request, here: str) -> str:
        query = request.query
        if query.get("client_id") != _CLIENT:
            raise OAuthError("unauthorized_client", f"The fake knows no client but {_CLIENT}.")
        user = self._password(request, here)
        target = query.get("redirect_uri") or f"{here}/oauth/token/implicit"
        state = {"state": query["state"]} if query.get("state") else {}
        if query.get("response_type") == "token":
            # As the fragment of the address, which a browser would keep to itself.
            return f"{target}#{urlencode({**self._granted(self.issue(user)), **state})}"
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "The response_type has to be token or code.")
        code = PREFIX + secrets.token_urlsafe(32)
        expires = time.time() + _CODE_SECONDS
        self._codes[code] = _Code(
            user, expires, query.get("code_challenge", ""), query.get("code_challenge_method", "plain")
        )
        return f"{target}?{urlencode({'code': code, **state})}"

    def _password(self, request: Request, here: str) -> str:
        """Who it is by name and password. Without X-CSRF-Token it might be a browser, which is not asked for them."""
        try:
            scheme, _space, encoded = request.header("Authorization").partition(" ")
            name, _colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            scheme = name = password = ""
        good = scheme.lower() == "basic" and name in self._settings.users and self._settings.users[name] == password
        if not request.header("X-CSRF-Token"):
            visit = f"You must obtain an API token by visiting {here}/oauth/token/request"
            raise OAuthError("access_denied", visit, 401, {"Warning": f'199 OpenShift "{visit}"'})
        if not good:
            headers = {"WWW-Authenticate": 'Basic realm="openshift"'}
            raise OAuthError("access_denied", "The user name or the password is wrong.", 401, headers)
        return name

    def _exchange(self, request: Request) -> JSON:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "authorization_code":
            raise OAuthError("unsupported_grant_type", "The grant_type has to be authorization_code.")
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.expires < time.time():
            raise OAuthError("invalid_grant", "The code is unknown, was used or has expired.")
        if code.challenge and not secrets.compare_digest(_challenge(form, code.method), code.challenge):
            raise OAuthError("invalid_grant", "The code_verifier does not fit the code_challenge.")
        return self._granted(self.issue(code.user))

    def _granted(self, token: str) -> JSON:
        seconds = self._settings.token_seconds
        return {"access_token": token, "expires_in": seconds, "scope": "user:full", "token_type": "Bearer"}

    # Tokens.

    def issue(self, user: str) -> str:
        """A token for a user, without asking for the password."""
        token = PREFIX + secrets.token_urlsafe(32)
        self._tokens[token] = Token(user, name_of(token), time.time() + self._settings.token_seconds)
        return token

    def expire(self, user: str | None = None) -> int:
        """Let all tokens expire, or a user's; how many these were."""
        now = time.time()
        due = [each for each in list(self._tokens.values()) if user in (None, each.user) and each.expires > now]
        for token in due:
            token.expires = now - 1
        return len(due)

    def whose(self, token: str) -> Identity | None:
        """Whose token it is, if it is good."""
        found = self._tokens.get(token)
        return self.identity(found.user) if found and found.expires > time.time() else None

    def identity(self, user: str) -> Identity:
        return Identity(user, (*self._settings.groups_of(user), *AUTHENTICATED), f"uid-of-{user}", ours=True)

    def review(self, review: JSON) -> JSON:
        """The webhook: a TokenReview of authentication.k8s.io/v1, filled in."""
        who = self.whose(review.get("spec", {}).get("token", ""))
        status: JSON = {"authenticated": False}
        if who:
            user = {"username": who.name, "uid": who.uid, "groups": list(who.groups)}
            status = {"authenticated": True, "user": user}
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}

    def objects(self, user: str) -> list[JSON]:
        """A user's tokens as useroauthaccesstokens shows them."""
        return [_object(token) for token in list(self._tokens.values()) if token.user == user]

    def find(self, user: str, name: str) -> JSON:
        found = [each for each in self.objects(user) if each["metadata"]["name"] == name]
        if not found:
            raise not_found("useroauthaccesstokens.oauth.openshift.io", name)
        return found[0]

    def revoke(self, user: str, name: str) -> JSON:
        """Revoke a token of the user's own."""
        self.find(user, name)
        for key in [key for key, each in list(self._tokens.items()) if each.name == name]:
            self._tokens.pop(key, None)
        return success(name=name, group="oauth.openshift.io", kind="useroauthaccesstokens")


def name_of(token: str) -> str:
    """The name of a token's object."""
    digest = hashlib.sha256(token.removeprefix(PREFIX).encode()).digest()
    return PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _challenge(form: t.Mapping[str, str], method: str) -> str:
    verifier = form.get("code_verifier", "")
    if method != "S256":
        return verifier
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _object(token: Token) -> JSON:
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(token.created))
    return {
        "apiVersion": "oauth.openshift.io/v1",
        "kind": "UserOAuthAccessToken",
        "metadata": {"name": token.name, "creationTimestamp": created},
        "clientName": _CLIENT,
        "expiresIn": round(token.expires - token.created),
        "scopes": ["user:full"],
        "userName": token.user,
        "userUID": f"uid-of-{token.user}",
    }


def _discovery(here: str) -> JSON:
    return {
        "issuer": here,
        "authorization_endpoint": f"{here}/oauth/authorize",
        "token_endpoint": f"{here}/oauth/token",
        "scopes_supported": ["user:check-access", "user:full", "user:info", "user:list-projects"],
        "response_types_supported": ["code", "token"],
        "grant_types_supported": ["authorization_code", "implicit"],
        "code_challenge_methods_supported": ["plain", "S256"],
    }
