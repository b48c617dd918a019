"""The official Python MCP client signs in at an authorization server to reach a server behind Placet.

The client is told nothing but the gateway's address: it finds the authorization server by the gateway's metadata, registers,
gets a token for this resource, and comes back for a wider one when a tool needs it. What reaches the server is decided for
the person who signed in, and carries no token of the client.
"""

import asyncio
import base64
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
KEY = ec.generate_private_key(ec.SECP256R1())
POLICY = """
policy: oauth
rules:
  - {id: read, tools: [crm.read_customer], when: "user.id == 'ann'", outcome: allow}
  - {id: refund, tools: [payments.refund], when: "user.id == 'ann'", outcome: allow}
"""
CONFIG = """
listen: 127.0.0.1:%(port)d
upstreams: [{url: "%(upstream)s"}]
auth:
  oauth:
    resource: http://127.0.0.1:%(port)d/mcp
    issuers: [{issuer: "%(issuer)s", jwks: {url: "%(issuer)s/keys"}, fixed: {tenant: acme}}]
    scopes: [tools]
    tools: [{tools: ["payments.*"], scopes: [payments]}]
"""


class AuthorizationServer(http.server.BaseHTTPRequestHandler):
    """RFC 8414, 7591, 7636 and 8707, as far as the client goes; whoever comes is `ann`."""

    codes = {}
    grants = []

    def log_message(self, *_):
        pass

    def answer(self, body, status=200):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers["content-length"])).decode()

    @property
    def issuer(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/.well-known/oauth-authorization-server":
            ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ["authorization", "token", "registration"]}
            self.answer({"issuer": self.issuer, **ends, "code_challenge_methods_supported": ["S256"]})
        elif path == "/keys":
            key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
            self.answer({"keys": [{**key, "kid": "one", "use": "sig"}]})
        elif path == "/authorization":
            asked = dict(urllib.parse.parse_qsl(query))
            assert asked["code_challenge_method"] == "S256", asked
            code = f"code-{len(self.codes)}"
            self.codes[code] = asked
            self.answer({"code": code, "state": asked["state"], "iss": self.issuer})
        else:
            self.answer({}, 404)

    def do_POST(self):
        if self.path == "/registration":
            self.answer({**json.loads(self.body()), "client_id": "inspector", "token_endpoint_auth_method": "none"}, 201)
            return
        assert self.path == "/token", self.path
        asked = dict(urllib.parse.parse_qsl(self.body()))
        granted = self.codes.pop(asked["code"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"].encode()).digest())
        assert challenge.rstrip(b"=").decode() == granted["code_challenge"], "another client's code"
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": asked["resource"], "sub": "ann", "client_id": asked["client_id"],
            "scope": granted["scope"], "iat": now, "exp": now + 300,
        }
        self.grants.append((asked["resource"], granted["scope"]))
        token = jwt.encode(claims, KEY, "ES256", {"kid": "one", "typ": "at+jwt"})
        self.answer({"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": granted["scope"]})


class Storage:
    """The client's memory."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


@contextlib.contextmanager
def running(*command, log):
    """A program that says where it listens on its first line."""
    with open(log, "w") as errors:
        program = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            line = program.stdout.readline()
            assert line.startswith("listening on "), f"{command[0]} said {line!r}: {log.read_text()}"
            yield line.removeprefix("listening on ").strip()
        finally:
            program.send_signal(signal.SIGTERM)
            code = program.wait(timeout=20)
        assert code == 0, f"{command[0]} ended with {code}"


async def signs_in(url):
    came_back = {}

    async def redirect(address):
        with urllib.request.urlopen(address) as answer:
            came_back.update(json.load(answer))

    async def callback():
        return AuthorizationCodeResult(**came_back)

    metadata = OAuthClientMetadata(client_name="tests", redirect_uris=["http://127.0.0.1:1/callback"])
    provider = OAuthClientProvider(url, metadata, Storage(), redirect, callback)
    async with create_mcp_http_client(auth=provider) as http_client:
        transport = streamable_http_client(url, http_client=http_client)
        async with Client(transport, mode="legacy") as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert "crm.read_customer" in tools and "admin.drop_database" not in tools, tools
            read = await client.call_tool("crm.read_customer", {"id": "c-1"})
            assert not read.is_error, read
            assert [scope for _, scope in AuthorizationServer.grants] == ["tools"], AuthorizationServer.grants
            refund = {"amount": 5, "currency": "USD", "customer": "c-1", "reason": "late"}
            paid = await client.call_tool("payments.refund", refund)
            assert not paid.is_error, paid


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="placet-e2e-"))
    authorization = http.server.ThreadingHTTPServer(("127.0.0.1", 0), AuthorizationServer)
    threading.Thread(target=authorization.serve_forever, daemon=True).start()
    try:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        issuer = f"http://127.0.0.1:{authorization.server_port}"
        record, decisions, log = folder / "record.jsonl", folder / "decisions.jsonl", folder / "gateway.log"
        (folder / "policy.yaml").write_text(POLICY)
        server = [PROGRAMS / "quickstart-server", "--listen", "127.0.0.1:0", "--record", record]
        with running(*server, log=folder / "server.log") as upstream:
            config = CONFIG % {"port": port, "upstream": upstream, "issuer": issuer}
            (folder / "gateway.yaml").write_text(config)
            gateway = [PROGRAMS / "placet", "serve", "--policy", folder / "policy.yaml"]
            gateway += ["--config", folder / "gateway.yaml", "--log", decisions]
            with running(*gateway, log=log) as url:
                asyncio.run(signs_in(url))
        reached = [json.loads(line)["tool"] for line in record.read_text().splitlines()]
        assert reached == ["crm.read_customer", "payments.refund"], reached
        resource = f"http://127.0.0.1:{port}/mcp"
        asked = [(of, sorted(scope.split())) for of, scope in AuthorizationServer.grants]
        assert asked == [(resource, ["tools"]), (resource, ["payments", "tools"])], asked
        calls = [json.loads(line)["call"] for line in decisions.read_text().splitlines()]
        who = {(call["tenant"], call["agent"]["id"], call["user"]["id"]) for call in calls}
        assert who == {("acme", "inspector", "ann")}, who
        print("the client signed in by itself, came back for a wider token, and only what policy allows reached the server")
    finally:
        authorization.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


main()
