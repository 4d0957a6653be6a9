"""A provider of logins, as small as OpenID Connect lets it be: discovery, the authorisation code flow with PKCE, signed
identity tokens (openid.net/specs/openid-connect-core-1_0.html). It does not ask who somebody is: the test says it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "fmnist", "not a secret"


class Provider(ThreadingHTTPServer):
    """Attributes:
    person: the claims of whoever logs in next.
    faults: what clients did wrong.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("localhost", 0), Handler)
        self.key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
        self.person: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.faults: list[str] = []

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.server_port}"

    def secrets_file(self, dashboard: str) -> str:
        """What stands in the secrets of a dashboard with this address whose users log in here."""
        return (
            f'[auth]\nredirect_uri = "{dashboard}/oauth2callback"\ncookie_secret = "{secrets.token_hex(32)}"\n'
            f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
            f'server_metadata_url = "{self.issuer}/.well-known/openid-configuration"\n'
        )


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        asked = dict(parse_qsl(place.query))
        issuer = self.server.issuer
        match place.path:
            case "/.well-known/openid-configuration":
                self.tell(
                    {
                        "issuer": issuer,
                        "authorization_endpoint": f"{issuer}/authorize",
                        "token_endpoint": f"{issuer}/token",
                        "jwks_uri": f"{issuer}/keys",
                        "response_types_supported": ["code"],
                        "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["RS256"],
                        "code_challenge_methods_supported": ["S256"],
                    }
                )
            case "/keys":
                self.tell({"keys": [self.server.key.as_dict(private=False)]})
            case "/authorize":
                code = secrets.token_urlsafe()
                self.server.codes[code] = asked
                self.send_response(302)
                answer = urlencode({"code": code, "state": asked["state"]})
                self.send_header("Location", f"{asked['redirect_uri']}?{answer}")
                self.end_headers()
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        sent = {name: values[0] for name, values in parse_qs(self.body()).items()}
        asked = self.server.codes.pop(sent.get("code", ""), None)
        given = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        verifier = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if asked is None or challenge != asked.get("code_challenge"):
            self.server.faults.append(f"a code that was not given, or by somebody else: {sent}")
            self.send_error(400)
            return
        self.server.faults += [] if self.headers.get("Authorization") else [f"no client authentication: {given}"]
        now = int(time.time())
        claims = self.server.person | {
            "iss": self.server.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self.server.key)
        self.tell({"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": token})

    def body(self) -> str:
        return self.rfile.read(int(self.headers["Content-Length"])).decode()

    def tell(self, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is not the place."""


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider for the time of a test."""
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
