"""`wasmtime serve` runs the policy as a wasi:http component in front of a real server.

The policy lies in the component, as `placet build` has put it there. The server behind it notes everything that reaches
it: what is denied, malformed, too long or in need of state that is not there must not be among it.
"""

import base64
import concurrent.futures
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

import wasmtime_cli

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
POLICIES = ROOT / "policies" / "quickstart"
DECISION = "dev.placet/decision"
IDENTITY = {"tenant": "acme", "env": "production", "agent": {"id": "support-bot", "roles": ["finance"]}}
GUARD = {
    "mcp": [{"path": "/mcp"}],
    "http": [
        {
            "prefix": "/crm/",
            "routes": [
                {"method": "GET", "path": "/crm/customers/{id}", "tool": "crm.read_customer"},
                {"method": "POST", "path": "/crm/drop/{name}", "tool": "admin.drop_database"},
            ],
        }
    ],
    "decide": "/v1/decide",
    "identity": {"fixed": IDENTITY},
    "request_limit": 4096,
    "response_limit": 65536,
}
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
TOOLS = ["crm.search", "crm.read_customer", "email.send", "payments.refund", "payments.pay", "admin.drop_database"]


# --- The server behind.


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers MCP, a plain interface, and whatever else; notes what reaches it."""

    protocol_version = "HTTP/1.1"
    reached = []
    lock = threading.Lock()
    first_seen = threading.Event()

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_any(self):
        body = self.body()
        with self.lock:
            self.reached.append((self.command, self.path, dict(self.headers.items()), body))
        if self.path == "/mcp" and self.command == "POST":
            return self.mcp(json.loads(body))
        if self.path.startswith("/crm/customers/"):
            return self.answer(200, b'{"id":"c-1","name":"Ada"}', Content_Type="application/json", ETag='"1"')
        return self.answer(200, b"echo:" + body, Content_Type="text/plain", X_Kept="yes", Keep_Alive="timeout=5")

    do_GET = do_POST = do_PUT = do_DELETE = do_any

    def mcp(self, message):
        if "id" not in message:
            return self.answer(202, b"")
        method, params = message["method"], message.get("params") or {}
        if method == "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
            return self.result(message, {"tools": tools})
        query = params.get("arguments", {}).get("query")
        if query == "stream":
            return self.stream(message)
        if query == "huge":
            return self.result(message, {"content": [{"type": "text", "text": "x" * 70_000}]})
        if query == "other":
            return self.result({"id": 4711}, {"content": []})
        if query == "html":
            return self.answer(500, b"<h1>sorry</h1>", Content_Type="text/html")
        return self.result(message, {"content": [{"type": "text", "text": "found"}]})

    def result(self, message, result):
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        return self.answer(200, body, Content_Type="application/json")

    def stream(self, message):
        """Sends its answer only once the agent has seen the event before it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}
        self.wfile.write(f"event: message\nid: 7\ndata: {json.dumps(progress)}\n\n".encode())
        self.wfile.flush()
        seen = self.first_seen.wait(20)
        text = "streamed" if seen else "the first event was held back"
        result = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": [{"type": "text", "text": text}]}}
        for part in [f"data: {json.dumps(result)[:30]}", f"{json.dumps(result)[30:]}\n", "\n"]:
            self.wfile.write(part.encode())
            self.wfile.flush()
            time.sleep(0.02)
        self.close_connection = True


@contextlib.contextmanager
def upstream():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


# --- The component.


def wasmtime():
    """The program in the wheel, which comes without its executable bit."""
    program = pathlib.Path(wasmtime_cli.__file__).parent / "wasmtime"
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@contextlib.contextmanager
def serving(component, log, **variables):
    command = [wasmtime(), "serve", "-Sp3=y", "-Wcomponent-model-async=y", "--addr", "127.0.0.1:0"]
    command += ["--no-logging-prefix"]
    for name, value in variables.items():
        command += ["--env", f"PLACET_{name.upper()}={value if isinstance(value, str) else json.dumps(value)}"]
    with open(log, "w") as errors:
        program = subprocess.Popen([*map(str, command), str(component)], stdout=errors, stderr=errors)
    try:
        for _ in range(600):
            found = re.search(r"Serving HTTP on http://[^:]+:(\d+)/", log.read_text())
            if found or program.poll() is not None:
                break
            time.sleep(0.1)
        assert found, f"wasmtime does not serve: {log.read_text()}"
        yield int(found[1])
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(timeout=20)


def send(port, method, path, body=None, headers=None, chunked=False):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        chunks = iter([body[n : n + 999] for n in range(0, len(body), 999)]) if chunked else body
        connection.request(method, path, chunks, headers or {}, encode_chunked=chunked)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def raw(port, *lines):
    """Sends bytes as they are, and gives the status."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"\r\n".join(lines))
        return int(connection.makefile("rb").readline().split()[1])


def call(port, tool, args, **extra):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": args}}
    status, _, body = send(port, "POST", "/mcp", json.dumps(message), {**JSON, **extra})
    return status, json.loads(body)


def verdict(answer):
    decision = answer.get("result", {}).get("_meta", {}).get(DECISION, {})
    return decision.get("verdict"), decision.get("code")


def reached():
    """What has reached the server since this was asked last."""
    with Upstream.lock:
        found, Upstream.reached[:] = list(Upstream.reached), []
    return found


def problem(status, code):
    return lambda answer: answer[0] == status and json.loads(answer[2]).get("code") == code


# --- What is tested.


def decides_like_the_native_engine(port, digest):
    status, _, body = send(port, "GET", "/v1/decide")
    described = json.loads(body)
    assert (status, described["policy"]) == (200, digest), (described, digest)
    calls = [
        {"tool": tool, "args": args, **IDENTITY, "now": "2026-11-21T09:00:00Z"}
        for tool, args in [
            ("crm.search", {"query": "ada"}),
            ("payments.refund", {"amount": 5000, "currency": "USD", "customer": "c-1", "reason": "late"}),
            ("admin.drop_database", {"name": "crm"}),
            ("email.send", {"to": ["nobody"], "subject": "s", "body": "b"}),
            ("no.such_tool", {}),
        ]
    ]
    texts = [json.dumps(of) for of in calls] + ['{"tool":"crm.search","tool":"x"}', '{"tool":1}', "[]"]
    placet = [PROGRAMS / "placet", "decide", "--policy", POLICIES, "--target", "native", "--format", "json"]
    native = subprocess.run(placet, input="\n".join(texts), capture_output=True, text=True).stdout.splitlines()
    assert len(native) == len(texts), native
    for text, expected in zip(texts, native, strict=True):
        status, _, body = send(port, "POST", "/v1/decide", text, JSON)
        assert (status, body.decode()) == (200, expected), f"{text}: {body.decode()} instead of {expected}"
    assert not reached()
    return len(texts)


def lets_through_what_is_allowed(port):
    status, answer = call(port, "crm.search", {"query": "ada"}, Connection="keep-alive", TE="trailers")
    assert status == 200 and verdict(answer) == ("allow", "allowed"), answer
    assert answer["result"]["content"] == [{"type": "text", "text": "found"}]
    [(_, path, headers, body)] = reached()
    params = {"name": "crm.search", "arguments": {"query": "ada"}}
    assert (path, json.loads(body)["params"]) == ("/mcp", params), body
    assert int(headers["content-length"]) == len(body) and "te" not in {name.lower() for name in headers}, headers
    status, headers, body = send(port, "GET", "/crm/customers/c-1")
    assert (status, json.loads(body)["name"]) == (200, "Ada"), body
    assert [(of[0], of[1]) for of in reached()] == [("GET", "/crm/customers/c-1")]


def stops_what_is_not(port):
    for tool, args, expected in [
        ("admin.drop_database", {"name": "crm"}, ("deny", "denied")),
        ("payments.refund", {"amount": 5000, "currency": "USD", "customer": "c", "reason": "r"}, ("escalate", "approval-required")),
        # A limit counts payments, and nothing here can.
        ("payments.refund", {"amount": 50, "currency": "USD", "customer": "c", "reason": "r"}, ("deny", "state-unavailable")),
        ("no.such_tool", {}, ("deny", None)),
    ]:
        status, answer = call(port, tool, args)
        found = verdict(answer)
        assert found[0] == expected[0] and expected[1] in (None, found[1]), f"{tool}: {answer}"
        assert answer["result"]["isError"] is True, answer
    for method, path, status in [
        ("POST", "/crm/drop/crm", 403),
        ("GET", "/crm/elsewhere", 403),
        ("GET", "/crm/customers/..%2f..%2fadmin", 400),
        ("GET", "/crm//customers/c-1", 400),
        ("GET", "/mcp", 405),
        ("PUT", "/v1/decide", 405),
        ("POST", "/MCP/", 400),
    ]:
        assert send(port, method, path)[0] == status, (method, path, send(port, method, path))
    assert not reached()


def filters_the_catalogue(port):
    message = {"jsonrpc": "2.0", "id": "l", "method": "tools/list"}
    status, headers, body = send(port, "POST", "/mcp", json.dumps(message), JSON)
    names = [tool["name"] for tool in json.loads(body)["result"]["tools"]]
    assert status == 200 and int(headers["content-length"]) == len(body), headers
    assert "crm.search" in names and "admin.drop_database" not in names, names
    assert len(reached()) == 1


def streams_event_by_event(port):
    message = {"jsonrpc": "2.0", "id": 9, "method": "tools/call"}
    message["params"] = {"name": "crm.search", "arguments": {"query": "stream"}}
    Upstream.first_seen.clear()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/mcp", json.dumps(message), JSON)
    response = connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream", response.getheaders()
    events, lines = [], []
    while line := response.readline():
        if line.strip():
            lines.append(line.decode().strip())
            continue
        events.append(lines)
        lines = []
        Upstream.first_seen.set()
    connection.close()
    # The id is gone: a stream cannot be taken up again behind the guard's back.
    assert [line.split(":")[0] for line in events[0]] == ["event", "data"], events
    [answer] = [json.loads(line.removeprefix("data: ")) for line in events[-1]]
    assert answer["id"] == 9 and answer["result"]["content"][0]["text"] == "streamed", answer
    assert verdict(answer) == ("allow", "allowed"), answer
    assert len(reached()) == 1


def refuses_what_it_cannot_read(port):
    good = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    named = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm.search","name":"admin.drop_database"}}'
    long = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x" * 5000}}).encode()
    for what, body, headers, status, chunked in [
        ("not JSON", b"{", JSON, 400, False),
        ("cut off", good[:-1], JSON, 400, True),
        ("a name twice", named, JSON, 400, False),
        ("two documents", good + good, JSON, 400, False),
        ("a byte order mark", b"\xef\xbb\xbf" + good, JSON, 400, False),
        ("UTF-16", good.decode().encode("utf-16"), JSON, 400, False),
        ("another charset", good, {**JSON, "Content-Type": "application/json; charset=utf-16"}, 415, False),
        ("another type", good, {**JSON, "Content-Type": "text/plain"}, 415, False),
        ("encoded", good, {**JSON, "Content-Encoding": "gzip"}, 415, False),
        ("too long, and says so", long, JSON, 413, False),
        ("too long, in chunks", long, JSON, 413, True),
        ("another method", good, {**JSON, "X-HTTP-Method-Override": "DELETE"}, 400, False),
        ("another target", good, {**JSON, "X-Original-URL": "/elsewhere"}, 400, False),
        ("another origin", good, {**JSON, "Origin": "https://evil.example"}, 403, False),
    ]:
        answer = send(port, "POST", "/mcp", body, headers, chunked)
        assert answer[0] == status, f"{what}: {answer}"
    head = [b"POST /mcp HTTP/1.1", b"Host: x", b"Content-Type: application/json"]
    for what, lines in [
        ("two lengths", [b"Content-Length: 5", b"Content-Length: 6"]),
        ("a length and chunks", [b"Content-Length: 4", b"Transfer-Encoding: chunked, identity"]),
    ]:
        status = raw(port, *head, *lines, b"", good)
        assert 400 <= status < 600, f"{what}: {status}"
    assert not reached()


def survives_bad_answers(port):
    for query, status in [("huge", 502), ("other", 502), ("html", 500)]:
        found, answer = call(port, "crm.search", {"query": query})
        assert found == status and "error" in answer, f"{query}: {found} {answer}"
    assert len(reached()) == 3


def passes_what_is_not_guarded(port):
    body = os.urandom(200_000)
    status, headers, answer = send(port, "POST", "/files/a%2Fb?q=%20", body, {"X-Mine": "1", "TE": "trailers"}, True)
    assert (status, answer) == (200, b"echo:" + body), status
    assert headers.get("x-kept") == "yes" and "keep-alive" not in headers, headers
    [(method, path, sent, _)] = reached()
    assert (method, path, sent.get("x-mine")) == ("POST", "/files/a%2Fb?q=%20", "1"), (path, sent)
    assert "te" not in {name.lower() for name in sent}, sent


def decides_for_many_at_once(port):
    def one(n):
        tool = "crm.search" if n % 2 else "admin.drop_database"
        _, answer = call(port, tool, {"query": str(n)} if n % 2 else {"name": str(n)})
        return verdict(answer)[0] == ("allow" if n % 2 else "deny")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(200)))
    names = [json.loads(body)["params"]["name"] for *_, body in reached()]
    assert names == ["crm.search"] * 100, set(names)


def records(log):
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    calls = [of for of in lines if "decision" in of]
    stopped = {of["call"]["tool"] for of in calls if isinstance(of["call"], dict) and of["decision"]["verdict"] != "allow"}
    assert {"admin.drop_database", "payments.refund"} <= stopped, stopped
    assert [of for of in lines if of.get("outcome") == "unknown" and of["call"]["tool"] == "crm.search"], lines[-3:]
    return len(calls)


def the_example_prints_what_it_says():
    """As it stands in its folder, by the reader's own command."""
    example = ROOT / "examples" / "spin"
    environment = {**os.environ, "WASMTIME": str(wasmtime())}
    found = subprocess.run([example / "run"], env=environment, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    assert found.stdout == (example / "expected.txt").read_text(), found.stdout


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="placet-edge-"))
    build = [PROGRAMS / "placet", "build", POLICIES, "-o", folder]
    subprocess.run(build, check=True, capture_output=True)
    inspect = [PROGRAMS / "placet", "inspect", folder / "policy.bundle", "--format", "json"]
    digest = json.loads(subprocess.run(inspect, check=True, capture_output=True).stdout)["policy"]
    component, log = folder / "policy.edge.wasm", folder / "serve.log"
    with upstream() as server:
        with serving(component, log, guard=GUARD, upstream=server) as port:
            decided = decides_like_the_native_engine(port, digest)
            lets_through_what_is_allowed(port)
            stops_what_is_not(port)
            filters_the_catalogue(port)
            streams_event_by_event(port)
            refuses_what_it_cannot_read(port)
            survives_bad_answers(port)
            passes_what_is_not_guarded(port)
            decides_for_many_at_once(port)
        recorded = records(log)
        # The bundle of the configuration takes the place of the one inside.
        other = folder / "other.yaml"
        other.write_text("policy: other\nlayer: org\nrules:\n  - {id: nothing, tools: ['*'], outcome: deny}\n")
        subprocess.run([PROGRAMS / "placet", "build", other, "-o", folder / "other.bundle"], check=True, capture_output=True)
        bundle = base64.b64encode((folder / "other.bundle").read_bytes()).decode()
        with serving(component, log, guard=GUARD, upstream=server, policy_bundle=bundle) as port:
            assert verdict(call(port, "crm.search", {"query": "a"})[1]) == ("deny", "denied")
        with serving(component, log, guard=GUARD, upstream=server, policy_bundle="bm9uZQ==") as port:
            assert verdict(call(port, "crm.search", {"query": "a"})[1]) == ("deny", "bundle-invalid")
            assert send(port, "GET", "/v1/decide")[0] == 503
        for wrong in [{"guard": "{"}, {"guard": {**GUARD, "more": 1}}, {"upstream": "ftp://x"}, {"policy_bundle": "%"}]:
            with serving(component, log, **{"guard": GUARD, "upstream": server, **wrong}) as port:
                assert problem(503, "misconfigured")(send(port, "POST", "/mcp", b"{}", JSON)), wrong
                assert problem(503, "misconfigured")(send(port, "GET", "/files")), wrong
        assert not reached()
    with serving(component, log, guard=GUARD, upstream="http://127.0.0.1:9") as port:
        status, answer = call(port, "crm.search", {"query": "a"})
        assert status == 502 and "error" in answer, (status, answer)
        assert problem(502, "unreachable")(send(port, "GET", "/files"))
    with serving(component, log) as port:
        assert json.loads(send(port, "GET", "/v1/decide")[2])["policy"] == digest
    the_example_prints_what_it_says()
    print(f"{decided} calls decided as natively, {recorded} decisions recorded, and nothing forbidden reached the server")


main()
