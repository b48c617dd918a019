"""Messages that a gateway and a server could read differently, from clients and from servers, over HTTP and standard
streams on either side; what reached the server is in the server's own record.

The policy allows `safe`, `pay` up to 100 and a few resources. Whatever is sent: no reader, however lax, finds a call of
`drop` or a larger payment in the record, and every call is answered once, by what was said to be its answer.
"""

import ast
import base64
import contextlib
import json
import re
import socket
import subprocess
import sys
import time
import unicodedata
import urllib.parse

import evasion_between
import evasion_client
import evasion_http
import evasion_server
import stage
from evasion_client import DENIED, REFUSED
from hostile import how
from gateway import HttpClient, HttpServer, StdioClient, StdioServer, gateway, half_open
from recorder import Received, ambiguities, calls, is_named

MINIMUM = 60
HANDSHAKE = ("initialize", "notifications/initialized", "ping")
# What some reader of lines takes for the end of one.
LINE_ENDS = re.compile("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029\0]")


def readings(received):
    """Every call that some server would have read."""
    if len(received.body) > 100_000:
        # The lax readers are slow, and what is so long is refused or plain.
        request = json.loads(received.body)
        return [(request["params"]["name"], request["params"].get("arguments", {}))] if request["method"] == "tools/call" else []
    # A name in a header may be written in Base64.
    headers = [(of, base64.b64decode(value[9:-2]).decode() if value.startswith("=?base64?") else value) for of, value in received.headers]
    found = calls(Received(received.line, headers, received.body, received.connection))
    # What is not ASCII, a reader in another encoding finds, too: as other arguments of the same call.
    others = [] if received.body.isascii() else [one for one in found[1:] if one[0] == found[0][0] and not is_forbidden(one)]
    found = [one for one in found if one not in others]
    # Over HTTP nobody reads lines.
    for piece in [] if received.line else LINE_ENDS.split(received.body.decode("utf-8", "replace")):
        if "{" in piece and piece.encode() != received.body.strip():
            found += [one for one in calls(Received("", [], piece.encode(), 0)) if one not in found]
            try:
                message = ast.literal_eval(piece.strip())
                found.append((message["params"]["name"], message["params"].get("arguments")))
            except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
                pass
    return found


def plain(name):
    """A name as a reader has it who forgives everything."""
    name = unicodedata.normalize("NFKC", urllib.parse.unquote(str(name)))
    return "".join(char for char in name if unicodedata.category(char) not in ("Cf", "Cc", "Mn")).strip(" ./\\").casefold()


def is_forbidden(call):
    name, arguments = call
    if any(is_named(name, tool) or plain(name) == tool for tool in ("drop", "crm__drop", "files__drop")):
        return True
    amounts = [value for of, value in arguments.items() if str(of).casefold() == "amount"] if isinstance(arguments, dict) else []
    try:
        return is_named(name, "pay") and any(float(amount) > 100 for amount in amounts)
    except (TypeError, ValueError):
        return False


def method_of(received):
    try:
        return json.loads(received.body).get("method")
    except (ValueError, AttributeError, RecursionError):
        return None


def reached(server):
    """What has reached the server besides the handshake, after a look for what must never."""
    taken = [one for one in server.taken() if one.method != "DELETE" and one.method != "GET"]
    for one in taken:
        found = [call for call in readings(one) if is_forbidden(call)]
        assert not found, f"some server would have read {found}: {one}"
    return [one for one in taken if method_of(one) not in HANDSHAKE]


def meaning(texts):
    """What the client was told: `refused`, `denied`, or a result; there must be exactly one answer."""
    answers = [json.loads(text) for text in texts]
    for answer in answers:
        assert isinstance(answer, dict), f"the client got {answer}"
    answers = [one for one in answers if "method" not in one]
    assert len(answers) == 1, f"there are {len(answers)} answers: {texts}"
    answer = answers[0]
    decision = (answer.get("result") or answer.get("error", {}).get("data") or {}).get("_meta", answer.get("error", {}).get("data") or {})
    verdict = (decision.get("dev.placet/decision") or {}).get("verdict")
    if verdict in ("deny", "escalate"):
        return DENIED, answer
    if "result" not in answer:
        words = answer.get("error", {}).get("message") or answer.get("detail")
        assert words and len(words) > 10, f"the refusal says too little: {answer}"
        return REFUSED, answer
    return "answered", answer


def client_case(client, server, body, expect):
    server.taken()
    texts = client.send(body)
    found = reached(server)
    said, answer = meaning(texts)
    if isinstance(expect, tuple) and expect[0] not in (REFUSED, DENIED):
        read = [readings(one) for one in found]
        assert read == [[expect]], f"the server read {read}, and {expect} was sent: {answer}"
        assert said == "answered", f"the client was told {answer}"
        assert same_id(answer, body), f"the answer has another id: {answer}"
        return None
    assert not found, f"the server got {found}"
    assert said in expect if isinstance(expect, tuple) else said == expect, f"it was {said}, not {expect}: {answer}"
    return None


def same_id(answer, body):
    id = json.loads(body)["id"]
    return type(answer["id"]) is type(id) and answer["id"] == id


def ended(texts):
    """Whether the client is told to begin again."""
    return len(texts) == 1 and "initialize" in json.loads(texts[0]).get("error", {}).get("message", "")


class Pair:
    """A way to a server: a client of one kind, a server of another. A client that was hung up on is replaced."""

    def __init__(self, name, connect, server):
        self.name, self.connect, self.server, self.client = name, connect, server, None

    def ready(self):
        if self.client is not None and not self.client.alive:
            self.client.close()
            self.client = None
        self.client = self.client or self.connect()
        return self.client

    def run(self, check, run, *args):
        # Afterwards, the way must be open: what was refused has broken nothing.
        def one():
            client = self.ready()
            run(client, self.server, *args)
            # A connection that its server has closed is known to be, before it is used again.
            time.sleep(0.02 if any("wire" in of.get("how", {}) for of in args if isinstance(of, dict)) else 0)
            texts = self.ready().call("safe", {"say": "still there"}, id="after")
            if not texts and REFUSED in args or ended(texts) and evasion_server.ERROR in (args[-1] or ()):
                # On standard streams nobody knows where the next message begins, after bytes that are no text: the client is
                # hung up on, or the server is ended, and clients are told to begin again.
                self.client.alive = False
                texts = self.ready().call("safe", {"say": "still there"}, id="after")
            said, answer = meaning(texts)
            assert said == "answered" and answer["id"] == "after", f"afterwards the client was told {answer}"
            assert answer["result"]["content"][0]["text"] == "still there", answer

        return check, one

    def close(self):
        if self.client is not None:
            self.client.close()


def check_readers():
    """The recorder's readers would see the forbidden call, if it came: what they find, they could have found."""
    for name, body, expect in evasion_client.cases():
        if expect == DENIED and name.startswith(("twice/", "names/name drop, ")):
            assert any(map(is_forbidden, readings(Received("", [], body, 0)))), f"{name}: no reader sees it"
    short = [body for _, body, _ in evasion_client.cases() if len(body) < 100_000]
    seen = sum(any(map(is_forbidden, readings(Received("", [], body, 0)))) for body in short)
    assert seen >= 100, f"of {len(short)} messages, the forbidden call is seen in {seen}"
    return f"the forbidden call is seen in {seen} of {len(short)}"


def nothing_in_front(folder):
    """Without a gateway, the record has the forbidden call."""
    bad = evasion_client.BAD.encode()
    with HttpServer() as http:
        assert stage.ask(http.port, "POST", "/mcp", stage.JSON, bad).status == 200
        assert [call for one in http.taken() for call in readings(one) if is_forbidden(call)]
    stdio = StdioServer(folder, "alone")
    subprocess.run(stdio.command(), input=bad + b"\n", capture_output=True, check=True, timeout=20)
    assert [call for one in stdio.taken() for call in readings(one) if is_forbidden(call)]


def from_clients(check, folder):
    stdio = StdioServer(folder)
    with HttpServer() as http, gateway(folder, http.upstream()) as in_front, gateway(folder, stdio.upstream(), name="front") as front:
        pairs = [
            Pair("http-http", lambda: HttpClient(in_front.port), http),
            Pair("http-stdio", lambda: HttpClient(front.port), stdio),
            Pair("stdio-http", lambda: StdioClient(folder, http.upstream(), name="to-http"), http),
            Pair("stdio-stdio", lambda: StdioClient(folder, stdio.upstream(), name="to-stdio"), stdio),
        ]
        for pair in pairs:
            more = [evasion_client.http_only] if pair.name.startswith("http") else []
            for name, body, expect in evasion_client.cases(*more):
                check(*pair.run(f"{pair.name}/{name}", client_case, body, expect))
            pair.close()


def unique(pairs):
    assert len(dict(pairs)) == len(pairs), f"a name stands there twice: {pairs}"
    return dict(pairs)


def server_case(client, server, tool, how, expect):
    """Calls a tool whose answer is hostile."""
    texts = client.call(tool, how)
    assert "FORGED" not in "".join(texts), f"the client got {texts}"
    for text in texts:
        json.loads(text, object_pairs_hook=unique, parse_constant=lambda of: 1 / 0)
        assert client.kind != "stdio" or len(LINE_ENDS.split(text)) == 1, f"some client reads several lines: {text!r}"
    if ended(texts):
        client.alive = False
        assert evasion_server.ERROR in (expect or evasion_server.ERROR), texts
        return
    said, answer = meaning(texts)
    assert answer.get("id") == 1, f"answered with another id: {answer}"
    others = [message["method"] for message in map(json.loads, texts) if "method" in message]
    assert all(method.startswith("notifications/") for method in others), others
    if expect is None:
        return
    got = evasion_server.ERROR if said != "answered" else answer["result"]["content"][0]["text"]
    assert got in expect if isinstance(expect, tuple) else got == expect, f"the client was told {answer}, not {expect}"
    if client.kind == "http":
        assert "FORGED" not in json.dumps(client.reply.headers), client.reply


def hostile_answers(to_http):
    """Name, tool, what the server is told to do, and what the client gets."""
    fine, error = evasion_server.FINE, evasion_server.ERROR
    sse = {"type": "text/event-stream"}
    for name, data in evasion_server.bad_messages():
        if to_http:
            yield f"message/{name}", "safe", how(data), error
            if b"\n" not in data and b"\r" not in data:
                yield f"event/{name}", "safe", how(b"data: " + data + b"\n\n" + evasion_server.event(evasion_server.GOOD).encode(), **sse), (fine, error)
        elif b"\n" not in data:
            yield f"line/{name}", "safe", how(data + b"\n" + evasion_server.GOOD.encode() + b"\n"), (fine, error)
    for name, text in evasion_server.redacted():
        if to_http:
            yield f"redacted/{name}", "rows", how(text), None
            yield f"redacted event/{name}", "rows", how(evasion_server.event(text), **sse), None
        else:
            yield f"redacted/{name}", "rows", how(text + "\n"), None
    if not to_http:
        for name, data, expect in evasion_server.lines():
            yield f"lines/{name}", "safe", how(data), expect
            yield f"lines, byte by byte/{name}", "safe", how(data, chunk=1), expect
        yield "lines/no end", "safe", how(evasion_server.GOOD, then="die"), error
        yield "lines/too long", "safe", how(evasion_server.FORGED + "\n", long=17), error
        yield "lines/cut", "safe", how(evasion_server.FORGED[:-9] + "\n", then="die"), error
        return
    for name, data, expect in evasion_server.streams():
        yield f"stream/{name}", "safe", how(data, **sse), expect
        if len(data) < 100_000:
            yield f"stream, byte by byte/{name}", "safe", how(data, chunk=1, **sse), expect
            yield f"stream, in threes/{name}", "safe", how(data, chunk=3, **sse), expect
    for name, data, expect in evasion_server.responses():
        yield f"response/{name}", "safe", how(data, wire=True), expect
        if len(data) < 100_000:
            yield f"response, byte by byte/{name}", "safe", how(data, wire=True, chunk=1), expect


def from_servers(check, folder):
    stdio = StdioServer(folder, "hostile")
    large = ["--config", folder / "large.yaml"]
    large[1].write_text("max_request: 50000000\n")
    with HttpServer() as http, gateway(folder, http.upstream(), *large, name="hostile-http") as in_front, gateway(folder, stdio.upstream(), *large, name="hostile-stdio") as front:
        for pair in (
            Pair("http-http", lambda: HttpClient(in_front.port), http),
            Pair("http-stdio", lambda: HttpClient(front.port), stdio),
            Pair("stdio-http", lambda: StdioClient(folder, http.upstream(), *large, name="to-hostile-http"), http),
            Pair("stdio-stdio", lambda: StdioClient(folder, stdio.upstream(), *large, name="to-hostile-stdio"), stdio),
        ):
            for name, *case in hostile_answers(pair.name.endswith("http")):
                check(*pair.run(f"{pair.name}/{name}", server_case, *case))
            pair.close()


def http_case(port, session, server, data, statuses, sent):
    server.taken()
    data = data.replace(b"@SESSION@@UPPER@", session.upper().encode()).replace(b"@SESSION@", session.encode())
    reply = None
    with stage.Connection(port, timeout=3) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(data)
        with contextlib.suppress(ConnectionResetError, ValueError, IndexError):
            reply = connection.reply(data.split(b" ")[0].decode("latin-1"))
    found, got = reached(server), reply.status if reply else 0
    assert got in statuses, f"answered {reply}, not with one of {statuses}"
    read = [readings(one) for one in found]
    assert read == (sent if got == 200 else []), f"the server read {read}: {reply}"
    if got >= 400 and reply.body and reply.headers.get("content-type", "").endswith("json"):
        meaning([reply.body.decode()])
    ambiguous = [ambiguities(one) for one in found]
    assert not any(ambiguous), f"the server got {ambiguous}: {found}"


def over_http(check, folder):
    with HttpServer() as http, gateway(folder, http.upstream(), name="http") as front:
        session = HttpClient(front.port).session
        for name, *case in evasion_http.cases():
            check(f"http/{name}", http_case, front.port, session, http, *case)
        for cut in range(0, len(evasion_client.BAD), 9):
            check(f"http/framing/cut after {cut} bytes", cut_case, front.port, session, http, cut)
        check("http/framing/slowly, byte by byte", slow_case, front.port, session, http)
        check("http/framing/two requests at once", pipelined_case, front.port, session, http)
    with HttpServer() as http, gateway(folder, http.upstream(), name="stateless") as front:
        for name, *case in evasion_http.of_2026():
            check(f"2026-07-28/{name}", http_case, front.port, "none", http, *case)


def request_of(session, body):
    return stage.request("POST", "/mcp", {**stage.JSON, "mcp-session-id": session}, body.encode())


def cut_case(port, session, server, cut):
    """Whatever of a request comes, a part of it is nothing."""
    server.taken()
    data = request_of(session, evasion_client.GOOD)
    with half_open(port, data[: len(data) - len(evasion_client.GOOD) + cut]) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(10_000)
    assert not reached(server)


def slow_case(port, session, server):
    """Nothing reaches the server before the message is whole, and others are served meanwhile."""
    server.taken()
    with stage.Connection(port) as connection:
        for byte in request_of(session, evasion_client.GOOD):
            connection.send(bytes([byte]))
            assert not reached(server)
        assert connection.reply().status == 200
    assert [readings(one) for one in reached(server)] == evasion_http.SENT


def pipelined_case(port, session, server):
    """Each of two requests on one connection is decided alone."""
    server.taken()
    with stage.Connection(port) as connection:
        connection.send(request_of(session, evasion_client.GOOD) + request_of(session, evasion_client.BAD) + request_of(session, evasion_client.GOOD))
        said = [meaning([connection.reply().body.decode()])[0] for _ in range(3)]
    assert said == ["answered", DENIED, "answered"], said
    assert [readings(one) for one in reached(server)] == evasion_http.SENT * 2


def main():
    check = stage.Checks()
    with stage.scratch() as folder:
        check("the readers read", check_readers)
        check("nothing in front", nothing_in_front, folder)
        from_clients(check, folder)
        over_http(check, folder)
        evasion_between.several(check, folder, meaning, reached)
        evasion_between.sessions(check, folder, meaning)
        from_servers(check, folder)
    assert check.passed + check.failed > MINIMUM
    check.close()


if __name__ == "__main__":
    sys.exit(main())
