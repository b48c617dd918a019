"""What the scripts with the MCP gateway share: the gateway as a process, raw clients over HTTP and on standard streams,
and recording servers of both kinds behind it."""

import contextlib
import itertools
import json
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import hostile
import stage
from recorder import Received, Recorder

HERE = pathlib.Path(__file__).parent
POLICY = """
policy: evasion
rules:
  - {id: safe, tools: [safe, 'crm.safe', 'files.safe', 'crm.a__b'], outcome: allow}
  - {id: pay, tools: [pay, 'crm.pay', 'files.pay'], args: {amount: {max: 100}}, outcome: allow}
  - {id: rows, tools: [rows], outcome: allow, obligations: {redact: [secret]}}
  - {id: read, tools: ['mcp:resources/read', 'crm.mcp:resources/read'], args: {uri: {prefix: 'file:///open/'}}, outcome: allow}
  - {id: drop, tools: [drop, 'crm.drop', 'files.drop'], outcome: deny, reason: Nothing is dropped.}
  - {id: questions, tools: ['mcp:elicitation/create'], outcome: allow}
"""
INITIALIZE = {"protocolVersion": hostile.VERSION, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}


def message(method, params=None, **more):
    return json.dumps({"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params}), **more}).encode()


class HttpServer(Recorder):
    """A recording server over HTTP."""

    def __init__(self):
        self.sessions = itertools.count(1)
        # What a stream brings that the gateway opens with GET, and for how long it stays open.
        self.stream, self.open = None, 0.0
        super().__init__()

    def taken(self):
        return of_clients(super().taken())

    def upstream(self, name=None):
        url = f"http://127.0.0.1:{self.port}/mcp"
        return ["--upstream", f"{name}={url}" if name else url]

    def serve(self, stream, out, connection):
        line = stream.readline()
        if not line:
            return False
        headers = []
        while (raw := stream.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = raw.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        received = Received(line.decode("latin-1").strip(), headers, b"", connection)
        with self.lock:
            self.received.append(received)
        received.body = self.body(stream, received)
        if received.method == "GET" and self.stream is not None:
            out.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + self.stream)
            out.flush()
            time.sleep(self.open)
            return False
        if received.method == "GET":
            out.write(b"HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n")
        else:
            request = hostile.read(received.body)
            if not hostile.answer_over_http(out, request, hostile.order(request), b"s-%d" % next(self.sessions)):
                return False
        out.flush()
        return True


def of_clients(received):
    """What clients have sent; what the gateway itself asks (a catalogue that it has not seen) is left out."""
    return [one for one in received if b'"id":"placet-' not in one.body or b'"method":"tools/list"' not in one.body]


class StdioServer:
    """A recording server on its standard streams; one process for each session, all of which write one record."""

    def __init__(self, folder, name="server"):
        self.record, self.at = folder / f"{name}.bytes", 0
        self.record.touch()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def command(self):
        return [sys.executable, str(HERE / "hostile.py"), str(self.record)]

    def upstream(self):
        return ["--", *self.command()]

    def taken(self):
        """What has come: each line of bytes as one request."""
        data = self.record.read_bytes()[self.at :]
        self.at += len(data)
        return of_clients([Received("", [], line, 0) for line in data.split(b"\n") if line])


class Gateway:
    """A gateway that runs."""

    def __init__(self, process, log, decisions, port=None):
        self.process, self.log, self.decisions, self.port = process, log, decisions, port

    def rss(self):
        """Resident memory in KiB."""
        return rss(self.process.pid)

    def said(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def rss(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def command(folder, upstream, name, *flags):
    policy, decisions = folder / "policy.yaml", folder / f"{name}.decisions"
    if not policy.exists():
        policy.write_text(POLICY)
    program = [stage.PLACET, "serve", "--no-reload", "--policy", policy, "--log", decisions, *flags, *upstream]
    return [str(part) for part in program], decisions


@contextlib.contextmanager
def gateway(folder, upstream, *flags, name="gateway", code=0):
    """A gateway that listens. It must end in order, unless the test has killed it (`code`)."""
    program, decisions = command(folder, upstream, name, "--listen", "127.0.0.1:0", *flags)
    log = folder / f"{name}.log"
    with open(log, "a") as errors:
        process = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on http://"), f"the gateway said {line!r}: {log.read_text()}"
        yield Gateway(process, log, decisions, int(line.split(":")[2].split("/")[0]))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            ended = process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            ended = "a kill: it did not end when asked"
    assert ended == code, f"the gateway ended with {ended}:\n{log.read_text()[-3000:]}"


def events(data):
    """The messages of an event stream, as the standard reads it: (id, data)."""
    text = data.decode("utf-8").removeprefix("\ufeff")
    found, at, parts = [], None, []
    for line in re.split("\r\n|\r|\n", text):
        if not line:
            if parts:
                found.append((at, "\n".join(parts)))
            parts = []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            parts.append(value)
        elif field == "id":
            at = value
    return found


class HttpClient:
    """A raw client in a session."""

    kind = "http"

    def __init__(self, port, begin=True):
        self.port, self.session, self.alive = port, None, True
        if begin:
            self.begin()

    def begin(self):
        self.session = None
        reply = self.post(message("initialize", INITIALIZE, id="begin"))
        assert reply.status == 200, reply
        self.session = reply.headers["mcp-session-id"]
        assert self.post(message("notifications/initialized")).status in (200, 202)

    def headers(self, **more):
        session = {"mcp-session-id": self.session} if self.session else {}
        return {**stage.JSON, **session, **{name.replace("_", "-"): value for name, value in more.items()}}

    def post(self, body, headers=None, timeout=20):
        with stage.Connection(self.port, timeout) as connection:
            # What is too long is answered before it has been sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(stage.request("POST", "/mcp", self.headers() if headers is None else headers, body))
            return connection.reply()

    def send(self, raw):
        """Sends bytes as a message; the texts of all messages that come back."""
        self.reply = reply = self.post(raw)
        assert reply is not None, "the connection was closed without an answer"
        if reply.headers.get("content-type", "").startswith("text/event-stream"):
            return [data for _, data in events(reply.body)]
        return [reply.body.decode("utf-8")] if reply.body else []

    def call(self, tool, arguments, id=1):
        return self.send(message("tools/call", {"name": tool, "arguments": arguments}, id=id))

    def close(self):
        pass


class StdioClient:
    """A raw client on the gateway's standard streams, with a gateway of its own."""

    kind = "stdio"

    def __init__(self, folder, upstream, *flags, name="stdio"):
        program, self.decisions = command(folder, upstream, name, *flags, "--stdio")
        self.log = folder / f"{name}.log"
        with open(self.log, "a") as errors:
            self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.lines, self.alive, self.ended = queue.Queue(), True, False
        threading.Thread(target=self.read, daemon=True).start()
        self.write(message("initialize", INITIALIZE, id="begin") + b"\n")
        assert json.loads(self.line())["id"] == "begin"
        self.write(message("notifications/initialized") + b"\n")

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode("utf-8").rstrip("\n"))
        self.lines.put(None)

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def line(self, timeout=20):
        """The next line; `None` at the end."""
        try:
            line = None if self.ended else self.lines.get(timeout=timeout)
        except queue.Empty:
            # Whatever comes now answers something else.
            self.alive = False
            raise AssertionError(f"no answer came within {timeout} s") from None
        self.ended |= line is None
        return line

    def send(self, raw, timeout=20):
        """Sends bytes as a line, and another request after it: the texts of all messages that come until both are
        answered."""
        try:
            self.write(raw + b"\n")
        except BrokenPipeError:
            pass
        found = []
        while (line := self.line(timeout)) is not None:
            found.append(line)
            if is_answer(line):
                return found
        self.alive = False
        return found

    def call(self, tool, arguments, id=1, timeout=20):
        return self.send(message("tools/call", {"name": tool, "arguments": arguments}, id=id), timeout)

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            code = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "a kill: it did not end when asked"
        assert code == 0, f"the gateway ended with {code}:\n{self.log.read_text()[-2000:]}"


def is_answer(text):
    with contextlib.suppress(ValueError):
        of = json.loads(text)
        return isinstance(of, dict) and "method" not in of
    return False


def half_open(port, data):
    """A connection on which something was sent that is not whole."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(data)
    return connection
