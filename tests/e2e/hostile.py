"""MCP servers that keep every byte that reaches them and answer what a call's arguments tell them to: raw bytes, cut,
slow, for ever, or never. In threads of this process over HTTP, or as a program on its standard streams:
`python3 hostile.py RECORD`.

A call's argument `how` is an object: `raw` (Base64; `@ID@` in it stands for the request's id), `chunk` (bytes that are
written at once), `pause` (seconds between), `then` (`hang`, `die`), `forever`, `times`; over HTTP also `type`, `status`,
`head` (header lines) and `wire` (`raw` is the whole response); on standard streams `errors` (MB on standard error) and
`long` (MB in a line). `times` repeats `raw` (`@N@` in it counts), and `last` comes after that.
"""

import base64
import contextlib
import itertools
import json
import os
import sys
import threading
import time

TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("safe", "pay", "drop", "rows", "a__b")]
VERSION = "2025-11-25"


def how(raw=b"", last=b"", **more):
    """Arguments that tell the server what to answer."""
    raw, last = (of.encode() if isinstance(of, str) else of for of in (raw, last))
    return {"how": {"raw": base64.b64encode(raw).decode(), "last": base64.b64encode(last).decode(), **more}}


def result_of(request):
    """What an honest server answers."""
    method, params = request.get("method"), request.get("params") or {}
    if method == "initialize":
        capabilities = {"tools": {}, "resources": {"subscribe": True}, "prompts": {}, "logging": {}}
        info = {"name": "hostile", "version": "1"}
        return {"protocolVersion": params.get("protocolVersion", VERSION), "capabilities": capabilities, "serverInfo": info}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        text = str((params.get("arguments") or {}).get("say", "fine"))
        return {"content": [{"type": "text", "text": text}], "structuredContent": {"open": 1, "secret": "FORGED"}}
    if method == "resources/read":
        return {"contents": [{"uri": params.get("uri"), "text": "fine"}]}
    return {}


def read(body):
    try:
        request = json.loads(body)
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def order(request):
    """What the caller told the server to do, if anything."""
    params = request.get("params")
    # A notification has no arguments: there it stands in `_meta`.
    arguments = (params.get("arguments") or params.get("_meta")) if isinstance(params, dict) else None
    of = arguments.get("how") if isinstance(arguments, dict) else None
    return of if isinstance(of, dict) else None


def bytes_of(order, request, of="raw"):
    return base64.b64decode(order.get(of, "")).replace(b"@ID@", json.dumps(request.get("id")).encode())


def pieces(order, request):
    """What is written at once, one after the other, with pauses between."""
    data = bytes_of(order, request)
    size = order.get("chunk") or max(len(data), 1)
    rounds = itertools.count() if order.get("forever") else range(order.get("times", 1))
    for number in rounds:
        if number and order.get("pause"):
            time.sleep(order["pause"])
        this = data.replace(b"@N@", str(number).encode())
        for at in range(0, len(this), size):
            if at and order.get("pause"):
                time.sleep(order["pause"])
            yield this[at : at + size]
    if last := bytes_of(order, request, "last"):
        yield last


def answer_over_http(out, request, order, begun):
    """Writes a response; false when the connection is to be closed."""
    if order is None:
        body = json.dumps({"jsonrpc": "2.0", "id": request.get("id"), "result": result_of(request)}).encode()
        more = b"mcp-session-id: %s\r\n" % begun if request.get("method") == "initialize" else b""
        if "id" not in request or "method" not in request:
            out.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            return True
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n"
        out.write(head % (more, len(body)) + body)
        return True
    if order.get("wire"):
        for piece in pieces(order, request):
            out.write(piece)
            out.flush()
    else:
        kind, more = order.get("type", "application/json"), "".join(f"{line}\r\n" for line in order.get("head", []))
        head = f"HTTP/1.1 {order.get('status', 200)} X\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n{more}\r\n"
        out.write(head.encode("latin-1"))
        for piece in pieces(order, request):
            out.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            out.flush()
        if order.get("then") not in ("hang", "die"):
            out.write(b"0\r\n\r\n")
    out.flush()
    if order.get("then") == "hang":
        time.sleep(order.get("for", 600))
    return not order.get("wire") and "then" not in order


class Program:
    """The server on standard streams: raw lines in, raw bytes out."""

    def __init__(self, record):
        self.record, self.lock = record, threading.RLock()

    def write(self, data):
        with self.lock:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def answer(self, line):
        request = read(line)
        do = order(request)
        if do is None:
            if "id" in request and "method" in request:
                answer = {"jsonrpc": "2.0", "id": request["id"], "result": result_of(request)}
                self.write(json.dumps(answer).encode() + b"\n")
            return
        for _ in range(do.get("errors", 0)):
            for _ in range(1024):
                sys.stderr.write("x" * 1023 + "\n")
        for _ in range(do.get("long", 0)):
            self.write(b"x" * (1 << 20))
        # What is written in parts is a line in the end: no other answer comes between them.
        with self.lock if do.get("chunk") else contextlib.nullcontext():
            for piece in pieces(do, request):
                self.write(piece)
        if do.get("then") == "die":
            os._exit(3)
        if do.get("then") == "hang":
            time.sleep(do.get("for", 600))

    def run(self):
        with open(self.record, "ab", buffering=0) as record:
            while line := sys.stdin.buffer.readline():
                record.write(line)
                threading.Thread(target=self.answer, args=[line], daemon=True).start()


if __name__ == "__main__":
    try:
        Program(sys.argv[1]).run()
    except BrokenPipeError:
        pass
    os._exit(0)
