"""Requests over HTTP whose head, framing or session one reader takes otherwise than another.

Each case: a name, the bytes of a request (or a function of the session's id that makes them), the statuses that may
answer it (0: the connection is closed), and the calls that reach the server.
"""

import base64
import gzip
import hmac
import json

from evasion_client import BAD, GOOD, IS_SAFE

SESSION = "@SESSION@"
TYPE = "content-type: application/json"
ACCEPT = "accept: application/json, text/event-stream"


def raw(body=GOOD, *lines, first="POST /mcp HTTP/1.1", head=("host: 127.0.0.1", TYPE, ACCEPT, f"mcp-session-id: {SESSION}"), length=True):
    body = body.encode() if isinstance(body, str) else body
    lines = [first, *head, *lines, *([f"content-length: {len(body)}"] if length else [])]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def without(*names):
    head = ("host: 127.0.0.1", TYPE, ACCEPT, f"mcp-session-id: {SESSION}")
    return [line for line in head if line.split(":")[0] not in names]


def chunks(body, size=1, end=b"\r\n", extension=b""):
    body = body.encode()
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x%s%s%s%s" % (len(part), extension, end, part, end) for part in parts) + b"0" + end + end


SENT = [[IS_SAFE]]


def sessions():
    yield "no session", raw(head=without("mcp-session-id")), [200, 400, 404], SENT
    for name, value in {
        "empty": "", "unknown": "placet-00000000000000000000000000000000", "of the server": "s-1", "with a tail": SESSION + "x",
        "twice in one": f"{SESSION}, {SESSION}", "quoted": f'"{SESSION}"', "in upper case": SESSION + "@UPPER@", "escaped": "%70lacet-1",
        "with a path": "../" + SESSION, "a star": "*", "null": "null", "zero": "0", "very long": "x" * 4000,
    }.items():
        yield f"session id {name}", raw(GOOD, f"mcp-session-id: {value}", head=without("mcp-session-id")), [400, 404], []
    yield "two sessions", raw(GOOD, "mcp-session-id: other"), [400], []
    yield "two sessions, the other way", raw(GOOD, f"mcp-session-id: {SESSION}", head=["host: 127.0.0.1", "mcp-session-id: other", TYPE, ACCEPT]), [400], []
    yield "the same session twice", raw(GOOD, f"mcp-session-id: {SESSION}"), [400], []
    yield "session in other case", raw(GOOD, f"MCP-SESSION-ID: {SESSION}", head=without("mcp-session-id")), [200], SENT
    yield "session by an underscore", raw(GOOD, f"mcp_session_id: {SESSION}", head=without("mcp-session-id")), [200, 400, 404], SENT
    yield "delete with a body", raw(GOOD, first="DELETE /mcp HTTP/1.1", head=[*without("mcp-session-id"), "mcp-session-id: unknown"]), [400, 404], []


def heads():
    for name, lines in {
        "content-type": [TYPE], "content-type, another": ["content-type: text/plain"], "host": ["host: other"], "version": ["mcp-protocol-version: 2025-11-25"] * 2,
        "origin": ["origin: http://127.0.0.1"] * 2, "method of MCP": ["mcp-method: tools/call"] * 2, "name of MCP": ["mcp-name: safe", "mcp-name: drop"],
        "length": ["content-length: 5"],
    }.items():
        yield f"twice: {name}", raw(GOOD, *lines), [400, 415], []
    for name, kind in {
        "text": "text/plain", "none": None, "a form": "application/x-www-form-urlencoded", "UTF-16": "application/json; charset=utf-16", "multipart": "multipart/form-data; boundary=x",
        "UTF-7": "application/json;charset=utf-7", "two": "application/json, text/plain", "JSON sequence": "application/json-seq", "JSON5": "application/json5",
        "a vendor's": "application/vnd.api+json", "YAML": "application/yaml", "a star": "*/*", "empty": "",
    }.items():
        lines = [] if kind is None else [f"content-type: {kind}"]
        yield f"content type {name}", raw(GOOD, *lines, head=without("content-type")), [415, 400], []
    for coding in "gzip", "deflate", "br", "identity, gzip", "x-gzip", "aws-chunked":
        yield f"content encoding {coding}", raw(gzip.compress(BAD.encode()), f"content-encoding: {coding}"), [415, 400], []
    yield "plain, said to be gzip", raw(GOOD, "content-encoding: gzip"), [415], []
    for name, line in {
        "another method": "x-http-method-override: DELETE", "another method, again": "x-method-override: GET", "another target": "x-original-url: /other",
        "another target, again": "x-rewrite-url: /mcp", "an upgrade": "upgrade: websocket", "h2c": "upgrade: h2c", "a connection upgrade": "connection: upgrade",
        "a web page's origin": "origin: https://evil.example", "a null origin": "origin: null", "an origin that begins like ours": "origin: http://localhost.evil.example",
        "an origin with a user": "origin: http://127.0.0.1@evil.example", "an unknown version": "mcp-protocol-version: 2099-01-01", "an empty version": "mcp-protocol-version: ",
        "the version without sessions": "mcp-protocol-version: 2026-07-28", "another method than the body's": "mcp-method: ping", "another name than the body's": "mcp-name: drop",
        "another case of the method": "mcp-method: Tools/Call", "a parameter that is no argument": "mcp-param-q: y",
        "a name in Base64 that is none": "mcp-name: =?base64?!!!?=", "a name in Base64 of another": "mcp-name: =?base64?ZHJvcA==?=", "a name by NFKC": "mcp-name: \xaasafe",
    }.items():
        yield name, raw(GOOD, line), [400, 403], []
    yield "the name in Base64", raw(GOOD, "mcp-name: =?base64?c2FmZQ==?="), [200], SENT
    yield "a parameter, which this version has not", raw(GOOD, "mcp-param-q: x"), [400], []
    yield "the host with a user", raw(GOOD, head=["host: a@127.0.0.1", *without("host")]), [400, 403], []
    yield "two hosts in one", raw(GOOD, head=["host: 127.0.0.1, other", *without("host")]), [400, 403], []
    for host in "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80", "127.0.0.1@evil.example", "127.1", "2130706433", "0x7f.1", "[::1", "127.0.0.1:x", "", "ｌocalhost":
        yield f"host {host or 'empty'}", raw(GOOD, head=[f"host: {host}".encode().decode("latin-1"), *without("host")]), [400, 403, 421], []
    for host in "localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]":
        yield f"host {host}", raw(GOOD, head=[f"host: {host}", *without("host")]), [200], SENT
    # No name, no rebinding: addresses may be taken. What a page sends says where the page is from, whatever the host.
    for host in "0.0.0.0", "[::ffff:127.0.0.1]", "127.0.0.1.", "10.0.0.1":
        yield f"host {host}", raw(GOOD, head=[f"host: {host}", *without("host")]), [200, 400, 403], SENT
        yield f"host {host} by a page", raw(GOOD, "origin: https://evil.example", head=[f"host: {host}", *without("host")]), [403], []
    yield "no host", raw(GOOD, head=without("host")), [200, 400], SENT
    for name, line in {"a folded line": "x-a: b\r\n c", "a space before the colon": "content-type : text/plain", "no colon": "nonsense", "a NUL": "x-a: \0", "a bare CR": "x-a: a\rb: c", "an empty name": ": x"}.items():
        yield f"a head with {name}", raw(GOOD, line), [200, 400, 0], SENT
    yield "a thousand headers", raw(GOOD, *[f"x-{n}: 1" for n in range(1000)]), [431, 400, 0], []
    yield "a header of a megabyte", raw(GOOD, "x-a: " + "x" * (1 << 20)), [431, 400, 0], []


def targets():
    for target in ("/mcp/", "//mcp", "/MCP", "/%6dcp", "/x/../mcp", "/./mcp", "/mcp;v=1", "/mcp%00", "/mcp%2f", "\\mcp", "/mcp/../mcp", "/ｍcp", "mcp", "*", "/mcp%20", "/"):
        yield f"target {target}", raw(GOOD, first=f"POST {target} HTTP/1.1".encode().decode("latin-1")), [400, 403, 404, 0], []
    yield "target with a query", raw(GOOD, first="POST /mcp?method=ping HTTP/1.1"), [200, 400], SENT
    yield "target with a fragment", raw(GOOD, first="POST /mcp#x HTTP/1.1"), [200, 400], SENT
    yield "absolute target", raw(GOOD, first="POST http://other/mcp HTTP/1.1"), [200, 400, 403], SENT
    for method in "PUT", "PATCH", "post", "Post", "TRACE", "CONNECT", "PROPFIND", "POST\t", "X":
        yield f"method {method!r}", raw(GOOD, first=f"{method} /mcp HTTP/1.1"), [400, 405, 501, 0], []
    yield "GET with a body", raw(BAD, "last-event-id: x", first="GET /mcp HTTP/1.1"), [400, 404], []
    yield "two places to go on", raw("", "last-event-id: 1-0", "last-event-id: 2-0", first="GET /mcp HTTP/1.1"), [400], []
    for place in "x", "0", "-", "1-", "-1", "0-x", "99-0", "0-18446744073709551615", "0--1", "1-0-0", "٠-٠", " ", "0-+1":
        yield f"place {place!r} that was not given out", raw("", "last-event-id: ".encode().decode() + place.encode().decode("latin-1"), first="GET /mcp HTTP/1.1"), [400, 404], []
    yield "GET without a session", raw("", first="GET /mcp HTTP/1.1", head=without("mcp-session-id")), [400], []
    yield "HEAD", raw("", first="HEAD /mcp HTTP/1.1"), [400, 405], []
    for version in "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "http/1.1", "":
        yield f"version {version or 'none'}", raw(GOOD, first=f"POST /mcp {version}".strip()), [200, 400, 505, 0], SENT


def framing():
    coded = "transfer-encoding: chunked"
    yield "chunks of a byte", raw(chunks(GOOD), coded, length=False), [200], SENT
    yield "chunks of a byte, drop", raw(chunks(BAD), coded, length=False), [200], []
    yield "chunks with an extension", raw(chunks(GOOD, 7, extension=b";a=b"), coded, length=False), [200, 400, 0], SENT
    yield "chunks with a trailer", raw(chunks(GOOD, 7)[:-2] + b"mcp-name: drop\r\n\r\n", coded, length=False), [200, 400, 0], SENT
    yield "chunks that end in LF", raw(chunks(GOOD, 7, end=b"\n"), coded, length=False), [400, 0], []
    for size in b"-1", b"0x5", b"+5", b"g", b"ffffffffffffffffff", b" 5", b"", b"5 5":
        yield f"a chunk of {size!r}", raw(size + b"\r\n" + GOOD.encode() + b"\r\n0\r\n\r\n", coded, length=False), [400, 0], []
    yield "a length and chunks", raw(chunks(GOOD, 9), coded, "content-length: 4", length=False), [400, 200, 0], SENT
    yield "a length and chunks, the other way", raw(chunks(GOOD, 9), "content-length: 4", coded, length=False), [400, 200, 0], SENT
    for coding in "xchunked", "chunked, identity", "identity", "chunked, chunked", "gzip, chunked", "\x0bchunked", "chunked;q=1", '"chunked"', "chunk\u00e9d":
        yield f"coding {coding!r}", raw(chunks(GOOD, 9), f"transfer-encoding: {coding}", length=False), [400, 415, 501, 200, 0], SENT
    for length in "-1", "+5", "5,5", "0x10", "1e2", " ", "99999999999999999999", "5 5", "٥":
        yield f"length {length!r}", raw(GOOD, "content-length: " + length.encode().decode("latin-1"), length=False), [400, 413, 0], []
    yield "a length that is too small", raw(GOOD, f"content-length: {len(GOOD) - 5}", length=False), [400, 0], []
    yield "a length of nothing", raw(GOOD, "content-length: 0", length=False), [400, 0], []
    yield "an expectation", raw(GOOD, "expect: 100-continue"), [200], SENT
    yield "another expectation", raw(GOOD, "expect: 200-ok"), [200, 400, 417, 0], SENT


def token(header, claims, key=b""):
    def part(of):
        return base64.urlsafe_b64encode(of if isinstance(of, bytes) else json.dumps(of).encode()).decode().rstrip("=")

    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{part(hmac.digest(key, text.encode(), 'sha256')) if header.get('alg') == 'HS256' else ''}"


def handles():
    """State handles that the gateway has not given out."""
    claims = {"aud": "placet-session", "exp": 4_000_000_000, "sub": "default agent", "sid": "placet-1"}
    for what, handle in {
        "empty": "", "a number": 7, "null": None, "a list": ["x"], "an object": {"sid": "placet-1"}, "a session's id": SESSION, "words": "placet-1",
        "dots": "..", "unsigned": token({"alg": "none", "typ": "JWT"}, claims), "unsigned, in capitals": token({"alg": "NONE"}, claims),
        "signed by an empty key": token({"alg": "HS256"}, claims), "signed by zeros": token({"alg": "HS256"}, claims, bytes(32)),
        "signed by a word": token({"alg": "HS256"}, claims, b"secret"), "another algorithm": token({"alg": "RS256"}, claims),
        "a key of its own": token({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}}, claims, b"\0"), "a key's address": token({"alg": "HS256", "jku": "http://127.0.0.1:1/"}, claims, b"x"),
        "a key's file": token({"alg": "HS256", "kid": "/dev/null"}, claims), "very long": "x" * 100_000, "not ASCII": "é.é.é",
    }.items():
        params = {"name": "safe", "arguments": {"q": "x"}, "_meta": {"dev.placet/session": handle}}
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})
        yield f"handle that is {what}", raw(body), [400, 403], []
    body = GOOD.replace('"arguments"', '"_meta":{"dev.placet/session":"x","dev.placet\\/session":"y"},"arguments"')
    yield "two handles", raw(body), [400], []


GROUPS = {"handles": handles, "sessions": sessions, "heads": heads, "targets": targets, "framing": framing}


def cases():
    for group, make in GROUPS.items():
        for name, data, statuses, sent in make():
            yield f"{group}/{name}", data, statuses, sent


PROTOCOL = "io.modelcontextprotocol/protocolVersion"


def stateless(name="safe", method="tools/call", version="2026-07-28", arguments=None):
    params = {"name": name, "arguments": arguments or {"q": "x"}, "_meta": {PROTOCOL: version, "io.modelcontextprotocol/clientCapabilities": {}}}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}, ensure_ascii=False)


def of_2026():
    """MCP 2026-07-28: headers say again what the body says."""
    host, version = "host: 127.0.0.1", "mcp-protocol-version: 2026-07-28"
    method, name = "mcp-method: tools/call", "mcp-name: safe"
    rest = [host, TYPE, ACCEPT]

    def of(*lines, body=None):
        return raw(body or stateless(), head=[*rest, *lines])

    yield "headers and body agree", of(version, method, name), [200], SENT
    yield "the name in Base64", of(version, method, "mcp-name: =?base64?c2FmZQ==?="), [200], SENT
    yield "spaces around", of(version, "mcp-method:   tools/call  ", "mcp-name:\tsafe\t"), [200], SENT
    for what, lines in {
        "no method": [version, name], "no name": [version, method], "no version": [method, name], "another method": [version, "mcp-method: tools/list", name],
        "another name": [version, method, "mcp-name: drop"], "another version": ["mcp-protocol-version: 2025-11-25", method, name],
        "an unknown version": ["mcp-protocol-version: 2026-07-29", method, name], "method twice": [version, method, method, name],
        "name twice": [version, method, name, name], "names that differ": [version, method, name, "mcp-name: drop"], "version twice": [version, version, method, name],
        "method in other case": [version, "mcp-method: Tools/Call", name], "name in other case": [version, method, "mcp-name: SAFE"],
        "two names in one": [version, method, "mcp-name: safe, drop"], "an empty name": [version, method, "mcp-name: "], "a quoted name": [version, method, 'mcp-name: "safe"'],
        "an escaped name": [version, method, "mcp-name: s%61fe"], "Base64 of another": [version, method, "mcp-name: =?base64?ZHJvcA==?="],
        "Base64 that is none": [version, method, "mcp-name: =?base64?c2FmZQ?="], "Base64 in capitals": [version, method, "mcp-name: =?BASE64?c2FmZQ==?="],
        "Base64 of no text": [version, method, "mcp-name: =?base64?/w==?="], "quoted-printable": [version, method, "mcp-name: =?utf-8?q?safe?="],
        "a parameter that is not there": [version, method, name, "mcp-param-x: drop"], "a parameter of another value": [version, method, name, "mcp-param-q: y"],
        "a parameter twice": [version, method, name, "mcp-param-q: x", "mcp-param-q: y"], "name with a NUL": [version, method, "mcp-name: safe\0"],
        "name in Latin-1": [version, method, "mcp-name: s\xe4fe"],
    }.items():
        yield what, of(*lines), [400, 0], []
    yield "a body of another tool", of(version, method, name, body=stateless("drop")), [400], []
    yield "a body of another tool, headers too", of(version, method, "mcp-name: drop", body=stateless("drop")), [200, 403], []
    yield "a body of another method", of(version, method, name, body=stateless(method="ping")), [400], []
    yield "a body of another version", of(version, method, name, body=stateless(version="2025-11-25")), [400], []
    yield "no version in the body", of(version, method, name, body=GOOD), [400], []
    yield "an escaped name in the body, drop", of(version, method, name, body=stateless("drop").replace("drop", "dr\\u006fp")), [400], []
    yield "two names in the body", of(version, method, name, body=stateless().replace('"name": "safe"', '"name": "safe", "name": "drop"')), [400], []
    yield "a larger payment than its header", of(version, method, "mcp-name: pay", "mcp-param-amount: 1", body=stateless("pay", arguments={"amount": 1000})), [400], []
    yield "a payment with its header", of(version, method, "mcp-name: pay", "mcp-param-amount: 1", body=stateless("pay", arguments={"amount": 1})), [200], [[("pay", {"amount": 1})]]
    yield "a payment of another notation", of(version, method, "mcp-name: pay", "mcp-param-amount: 1e3", body=stateless("pay", arguments={"amount": 1})), [400], []
    yield "a batch", of(version, method, name, body=f"[{stateless()}]"), [400], []
    yield "initialize", of(version, "mcp-method: initialize", body='{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"_meta":{"%s":"2026-07-28"}}}' % PROTOCOL), [400, 404], []
    yield "GET", raw("", version, first="GET /mcp HTTP/1.1", head=rest), [405], []
