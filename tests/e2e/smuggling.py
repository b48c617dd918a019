"""Requests that a proxy and a server could read differently, through Envoy, and what reached the server.

The cases are `smuggling/*.toml`; each says why it matters and what must happen:

* `refused`: nothing reaches the server, and the answer has one of the statuses in `status` (0: the connection closes).
* `denied`: nothing reaches the server, and the answer carries a decision that is not `allow`.
* `decided`: the server gets one request, and every reading of it is the call (or the method and path) that was allowed.
* `untouched`: the request is not guarded, and goes on.

Every case runs against Envoy as the example has it, and against one that normalizes nothing (`lax` says what differs).
"""

import gzip
import json
import pathlib
import re
import sys
import tomllib
import urllib.parse
import zlib

import stage
from recorder import Received, Recorder, ambiguities, calls, is_named, targets
from smuggling_h2 import exchange_h2

TABLES = sorted((pathlib.Path(__file__).parent / "smuggling").glob("*.toml"))
# Requests through a plain interface that must not reach it, as a server would read them.
FORBIDDEN_TOOL = "admin.drop_database"
FORBIDDEN_PATH = ("DELETE", "/api/databases/crm")
GOOD_TOOL = ("crm.search", {"query": "ada"})
GOOD = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm.search","arguments":{"query":"ada"}}}'
BAD = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"admin.drop_database","arguments":{"name":"crm"}}}'
MINIMUM = 80
MINIMUM_REFUSED = 40
FIELDS = {
    "name", "why", "expect", "status", "lax", "lax_status", "method", "target", "version", "set", "add", "without",
    "body", "encode", "framing", "wire", "tool", "args", "reads", "mentions", "then", "half", "h2", "data", "trailers",
    "repeat", "plain", "carries", "query", "add_many",
}
ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "bom": lambda body: b"\xef\xbb\xbf" + body,
    "utf-16": lambda body: body.decode().encode("utf-16"),
    "utf-16-le": lambda body: body.decode().encode("utf-16-le"),
    "utf-16-be": lambda body: body.decode().encode("utf-16-be"),
    "utf-32": lambda body: body.decode().encode("utf-32"),
    "utf-7": lambda body: body.decode().encode("utf-7"),
    "latin-1": lambda body: body.decode().encode("latin-1"),
}


def table():
    cases, names = [], set()
    for file in TABLES:
        for case in tomllib.loads(file.read_text()).get("case", []):
            of = f"{file.stem}/{case.get('name')}"
            assert case.get("why") and case.get("expect"), f"{of}: `why` and `expect` are needed"
            assert not (unknown := case.keys() - FIELDS), f"{of}: unknown fields {unknown}"
            assert of not in names, f"{of} stands there twice"
            names.add(of)
            cases.append({**case, "id": of})
    refused = [case for case in cases if case["expect"] in ("refused", "denied")]
    assert len(cases) >= MINIMUM, f"{len(cases)} cases, and there were {MINIMUM}"
    assert len(refused) >= MINIMUM_REFUSED, f"{len(refused)} cases are refused, and at least {MINIMUM_REFUSED} must be"
    return cases


def body_of(case):
    text = case.get("body", "@good" if case.get("method", "POST") == "POST" and "wire" not in case else "")
    text = text.replace("@good", GOOD).replace("@bad", BAD)
    if "repeat" in case:
        text = text.replace("@repeat", case["repeat"]["text"] * case["repeat"]["times"])
    body = case["wire"].encode("latin-1") if "wire" in case else text.encode("utf-8", "surrogateescape")
    return ENCODERS[case["encode"]](body) if "encode" in case else body


def chunked(body, size=40):
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def bytes_of(case):
    """What goes over the wire."""
    headers = {"host": "gateway.example", **stage.AGENT}
    if not case.get("plain"):
        headers |= stage.JSON
    headers |= case.get("set", {})
    for name in case.get("without", []):
        del headers[name]
    body, framing = body_of(case), case.get("framing", "length")
    if framing == "chunked":
        headers["transfer-encoding"], body = "chunked", chunked(body)
    elif framing == "length" and (body or case.get("method", "POST") == "POST"):
        headers["content-length"] = str(len(body))
    lines = [f"{case.get('method', 'POST')} {case.get('target', '/mcp')} {case.get('version', 'HTTP/1.1')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"x-{number}: 1" for number in range(case.get("add_many", 0))]
    added = [line.replace("@repeat", "x" * case.get("repeat", {}).get("times", 0)) for line in case.get("add", [])]
    head = "\r\n".join([*lines, *added]).encode("latin-1") + b"\r\n\r\n"
    if framing == "none" and "wire" in case:
        body = case["wire"].replace("@good", GOOD).replace("@bad", BAD).encode("latin-1")
    return head + body


def exchange(port, case):
    """Sends everything at once, and reads as many answers as requests were meant."""
    wanted = 1 + len(case.get("then", []))
    data = bytes_of(case) + b"".join(bytes_of(one) for one in case.get("then", []))
    replies = []
    with stage.Connection(port, timeout=1.5 if case.get("half") else 20) as connection:
        try:
            connection.send(data)
            while len(replies) < wanted and (reply := connection.reply(case.get("method", "POST"))):
                replies.append(reply)
        except TimeoutError:
            assert case.get("half"), f"no answer in time; so far {replies}"
        except (ConnectionError, ValueError):
            pass
    return replies


def expected(case, lax):
    expect = case.get("lax", case["expect"]) if lax else case["expect"]
    status = case.get("lax_status", case.get("status")) if lax else case.get("status")
    return expect, status


def check_reply(expect, status, reply):
    if expect == "refused":
        got = reply.status if reply else 0
        assert got in (status or [400]), f"answered {reply}, not with one of {status or [400]}"
        assert got != 200 or "error" in reply.json(), f"answered {reply}, which is no refusal"
    elif expect == "denied":
        decision, _ = stage.decided(reply)
        assert decision.get("verdict") in ("deny", "escalate"), f"answered {reply}, not with a denial"
    else:
        assert reply and 200 <= reply.status < 300, f"answered {reply}"


def check_request(case, expect, received):
    """Every reading of what came is what was decided."""
    assert not (found := ambiguities(received)), f"the server got {found}: {received}"
    if expect == "untouched":
        return
    if case.get("reads"):
        assert targets(received) == {tuple(case["reads"])}, f"read as {targets(received)}: {received}"
        if "query" in case:
            for separators in "&", "&;":
                pairs = re.split(f"[{separators}]", received.target.partition("?")[2])
                found = dict(urllib.parse.unquote_plus(pair).split("=", 1) for pair in pairs)
                assert found == case["query"], f"read as {found}: {received}"
        if "body" in case:
            assert json.loads(received.body) == case["args"], received
        return
    assert case.get("carries", "").encode() in received.body, received
    wanted = (case.get("tool", GOOD_TOOL[0]), case.get("args", GOOD_TOOL[1]))
    assert calls(received) == [wanted], f"read as {calls(received)}, and {wanted} was decided: {received}"


def check_nothing_forbidden(case, received):
    """Whatever was expected: no reader sees the forbidden call."""
    for one in received:
        seen = [call for call in calls(one) if is_named(call[0], FORBIDDEN_TOOL)]
        assert not seen, f"some server would have read {seen}: {one}"
        assert FORBIDDEN_PATH not in targets(one), f"some server would have read {FORBIDDEN_PATH}: {one}"
        if not case.get("mentions"):
            text = json.dumps([one.line, one.headers]).lower() + one.body.decode("latin-1").replace("\0", "").lower()
            assert FORBIDDEN_TOOL not in text, f"the forbidden name reached the server: {one}"


# Bodies that name the forbidden tool where none of the recorder's readers looks.
UNSEEN = {"body/another-member"}


def check_readers(cases):
    """With nothing in front, the recorder's readers would see the forbidden call: what it finds, it could have found."""
    unseen = set()
    for case in cases:
        body = case.get("wire", "").encode("latin-1") or body_of(case)
        named = b"drop_database" in body.replace(b"\0", b"").lower() or case.get("body") == "@bad"
        if case["id"].startswith("body/") and case["expect"] in ("refused", "denied") and named:
            received = Received("POST /mcp HTTP/1.1", [("host", "a")], body, 0)
            if not any(is_named(call[0], FORBIDDEN_TOOL) for call in calls(received)):
                unseen.add(case["id"])
    assert unseen <= UNSEEN, f"no reader sees the call in {sorted(unseen - UNSEEN)}"


def run(case, port, recorder, lax):
    recorder.taken()
    replies = exchange_h2(port, case, body_of) if "h2" in case else exchange(port, case)
    received = recorder.taken()
    check_nothing_forbidden(case, received)
    expect, status = expected(case, lax)
    check_reply(expect, status, replies[0] if replies else None)
    wanted = [(case, expect)] if expect in ("decided", "untouched") else []
    for number, one in enumerate(case.get("then", []), 1):
        expect, status = expected(one, lax)
        check_reply(expect, status, replies[number] if number < len(replies) else None)
        wanted += [(one, expect)] if expect in ("decided", "untouched") else []
    assert len(received) == len(wanted), f"the server got {len(received)} requests, not {len(wanted)}: {received}"
    for (one, expect), request in zip(wanted, received):
        check_request(one, expect, request)
    return ", ".join(str(reply.status) if reply else "reset" for reply in replies) or "closed"


# What an Envoy without precautions would say instead.
LAX = {
    "normalize_path: true": "normalize_path: false",
    "merge_slashes: true": "merge_slashes: false",
    "path_with_escaped_slashes_action: REJECT_REQUEST": "path_with_escaped_slashes_action: KEEP_UNCHANGED",
    "headers_with_underscores_action: REJECT_REQUEST": "headers_with_underscores_action: ALLOW",
    "codec_type: AUTO # HTTP/1.1 and HTTP/2": "codec_type: AUTO\n"
    "                http_protocol_options: {accept_http_10: true, allow_absolute_url: true, enable_trailers: true}\n"
    "                http2_protocol_options: {override_stream_error_on_invalid_http_message: true}\n"
    "                max_request_headers_kb: 96",
}


def main():
    only = sys.argv[1:]
    cases = [case for case in table() if not only or any(word in case["id"] for word in only)]
    check = stage.Checks()
    check("readers", check_readers, cases)
    with stage.scratch() as folder, Recorder() as recorder:
        policy = stage.policy(folder)
        for name, places in (("example", {}), ("lax", LAX)):
            ports = {"gateway": stage.free_port(), "admin": stage.free_port()}
            config = stage.configuration("envoy.yaml", {**ports, "mcp": recorder.port, "api": recorder.port}, {**places, **policy})
            with stage.envoy(config, folder, ports["admin"], name=name):
                for case in cases:
                    check(f"{name}/{case['id']}", run, case, ports["gateway"], recorder, name == "lax")
    check.close()


main()
