"""Between servers and between sessions: names that lead to another server, forged cursors, answers to what another was
asked, ids that are under way."""

import base64
import json
import threading
import time

import evasion_server
import hostile
import stage
from evasion_client import REFUSED
from gateway import HttpClient, HttpServer, StdioClient, StdioServer, events, gateway, message

ASK = b'data: {"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object"}}}\n\n'


def cursor(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# A message, and what reaches which server; nothing: refused or denied.
NAMES = {
    "crm__safe": ("crm", "safe"), "files__safe": ("files", "safe"), "crm__a__b": ("crm", "a__b"),
    **dict.fromkeys((
        "safe", "drop", "crm__drop", "files__drop", "crm__", "files__", "__safe", "crm_safe", "crm.safe", "crm/safe", "CRM__safe", "Crm__safe",
        "crm__crm__safe", "crm__files__safe", "files__crm__safe", "crm__files__drop", "x__crm__safe", "crm__ safe", "crm__safe ", " crm__safe",
        "crm__SAFE", "crm__DROP", "crm__safe\0", "crm\0__safe", "crm__drop__safe", "crm____safe", "crm___safe", "crm\u200b__safe", "ｃrm__safe", "crm＿＿safe",
        "crm-__safe", "crm__safe__", "crm+safe", "crm:safe", "files+drop", "crm__mcp:resources/read", "crm__*", "*__safe", "crm,files__safe", "",
    )),
}
RESOURCES = {
    "crm+file:///open/a": ("crm", "file:///open/a"),
    **dict.fromkeys((
        "file:///open/a", "crm+file:///shut/a", "files+file:///open/a", "crm__file:///open/a", "CRM+file:///open/a", "crm+crm+file:///open/a",
        "files+crm+file:///open/a", "crm+files+file:///open/a", "crm +file:///open/a", "crm%2Bfile:///open/a", "+file:///open/a", "crm+", "crm",
        "crm+FILE:///open/a", "crm+file:/open/a", " crm+file:///open/a", "crm+\0file:///open/a", "x+crm+file:///open/a", "crm++file:///open/a",
    )),
}
CURSORS = {
    cursor('{"crm":"x"}'): ["crm"], cursor('{"files":null}'): ["files"],
    **dict.fromkeys((
        "x", "", "====", cursor("{}"), cursor("[]"), cursor("null"), cursor('{"nobody":"x"}'), cursor('{"crm":"x","nobody":"y"}'), cursor('{"crm":1}'),
        cursor('{"crm":["x"]}'), cursor('{"CRM":"x"}'), cursor('{"crm ":"x"}'), cursor('{"crm":"x"}') + "=", cursor('{"crm":"x"}') + "A", cursor('{"crm":"x"}{"files":"y"}'),
        base64.b64encode(b'{"crm":"\xff"}').decode(), cursor('{"crm":"' + "\\ud800" + '"}'), "crm", '{"crm":"x"}',
    ), []),
}


def several(check, folder, meaning, reached):
    files = StdioServer(folder, "files")
    with HttpServer() as crm:
        config = folder / "several.yaml"
        servers = [{"name": "crm", "url": f"http://127.0.0.1:{crm.port}/mcp"}, {"name": "files", "command": files.command()}]
        config.write_text(json.dumps({"upstreams": servers}))
        servers = {"crm": crm, "files": files}

        def case(client, method, params, wanted):
            [server.taken() for server in servers.values()]
            texts = client.send(message(method, params, id=7))
            found = {name: [json.loads(one.body) for one in reached(server)] for name, server in servers.items()}
            said, answer = meaning(texts)
            assert answer["id"] == 7, answer
            found = {name: of for name, of in found.items() if of}
            if isinstance(wanted, list):
                assert sorted(found) == wanted and (said == "answered") == bool(wanted), f"{found} was reached, and {wanted} meant: {answer}"
                return
            member = "uri" if method == "resources/read" else "name"
            found = [(name, one["params"][member]) for name, of in found.items() for one in of]
            assert found == ([wanted] if wanted else []), f"{found} was reached, and {wanted} meant: {answer}"
            assert (said == "answered") == bool(wanted), answer

        def refused_notification(client):
            [server.taken() for server in servers.values()]
            reply = client.post(message("notifications/tools/call", {"name": "crm__drop"}))
            assert not any(reached(server) for server in servers.values())
            assert reply.status == 400, reply

        with gateway(folder, [], "--config", config, name="several") as front:
            clients = {"http": HttpClient(front.port), "stdio": StdioClient(folder, [], "--config", config, name="several-stdio")}
            for kind, client in clients.items():
                for name, wanted in NAMES.items():
                    check(f"several-{kind}/tool {name!r}", case, client, "tools/call", {"name": name, "arguments": {}}, wanted)
                for uri, wanted in RESOURCES.items():
                    check(f"several-{kind}/resource {uri!r}", case, client, "resources/read", {"uri": uri}, wanted)
                for of, wanted in CURSORS.items():
                    check(f"several-{kind}/cursor {of!r}", case, client, "tools/list", {"cursor": of}, wanted)
            check("several-http/a notification that is none", refused_notification, clients["http"])
            clients["stdio"].close()


def open_call(client, how, id):
    """A call whose answer is a stream that stays open: its connection, after the head."""
    connection = stage.Connection(client.port)
    body = message("tools/call", {"name": "safe", "arguments": how}, id=id)
    connection.send(stage.request("POST", "/mcp", client.headers(), body))
    assert b"200" in connection.stream.readline()
    connection.head()
    return connection


def asks(port, server):
    """What a server asks is answered once, by the session that was asked, under the id that it was asked by."""
    asked, other = HttpClient(port), HttpClient(port)
    server.taken()
    with open_call(asked, hostile.how(ASK, type="text/event-stream", then="hang", **{"for": 2}), id=1) as connection:
        chunks, text = connection.chunks(), b""
        while b"\n\n" not in text:
            text += next(chunks)
        question = json.loads(text.split(b"data: ")[1])
        assert question["method"] == "elicitation/create" and question["id"] != "q", question
        server.taken()
        right = question["id"]
        number = right.removeprefix("placet-ask-")
        refused = [(other, right), *((asked, id) for id in ("q", 1, int(number), right + " ", " " + right, right.upper(), number, f"placet-ask-0{number}", f"placet-ask-+{number}", right + "\0", "placet-ask-", "placet-ask-99"))]
        for client, id in refused:
            reply = client.post(json.dumps({"jsonrpc": "2.0", "id": id, "result": {"action": "accept"}}).encode())
            assert reply.status == 400, f"the answer to {id!r} was taken: {reply}"
            assert not server.taken(), f"the answer to {id!r} reached the server"
        for body in f'{{"jsonrpc":"2.0","id":"{right}","result":{{}},"id":"x"}}', f'[{{"jsonrpc":"2.0","id":"{right}","result":{{}}}}]':
            assert asked.post(body.encode()).status == 400
        answer = {"jsonrpc": "2.0", "id": right, "result": {"action": "accept"}}
        assert asked.post(json.dumps(answer).encode()).status == 202
        assert [json.loads(one.body) for one in server.taken()] == [{**answer, "id": "q"}]
        assert asked.post(json.dumps(answer).encode()).status == 400, "it was answered twice"
        assert not server.taken()


def cancelled_by_another(port, server):
    """A cancellation and progress of one session go to the server in that session's name."""
    one, other = HttpClient(port), HttpClient(port)
    begun = [of for of in server.taken()]
    with open_call(one, hostile.how(b": \n\n", type="text/event-stream", then="hang", **{"for": 1}), id="mine"):
        mine = {value for of in server.taken() for value in of.all("mcp-session-id")}
        for method, params in (("notifications/cancelled", {"requestId": "mine"}), ("notifications/progress", {"progressToken": "mine", "progress": 1})):
            assert other.post(message(method, params)).status in (200, 202)
            others = {value for of in server.taken() for value in of.all("mcp-session-id")}
            assert len(mine) == len(others) == 1 and mine != others, f"{mine} and {others}, of {begun}"


def same_id(client, meaning, alone):
    """Two requests of one id at once: each gets its own answer, or one is refused in plain words."""
    texts, slow = {}, hostile.how('{"jsonrpc":"2.0","id":@ID@,"result":{"content":[{"type":"text","text":"slow"}]}}\n', chunk=60, pause=0.4)

    def ask(name, arguments):
        connection = HttpClient(client.port, begin=False)
        connection.session = client.session
        texts[name] = connection.call("safe", arguments, id="same")

    first = threading.Thread(target=ask, args=["slow", slow])
    first.start()
    time.sleep(0.2)
    ask("fast", {"say": "fast"})
    first.join()
    said = {name: meaning(of) for name, of in texts.items()}
    assert said["slow"][0] == "answered" and said["slow"][1]["result"]["content"][0]["text"] == "slow", said
    if alone:
        assert said["fast"][0] == REFUSED and "id" in said["fast"][1]["error"]["message"], said
    else:
        assert said["fast"][1]["result"]["content"][0]["text"] == "fast", said


def says_of_itself(port, server):
    """The stream that a server has for what it says of itself brings no answers, and no asks that policy refuses."""
    note = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"%s"}}'
    server.stream = "".join(map(evasion_server.event, (
        note % "first", evasion_server.answer(evasion_server.FORGED_RESULT, '"held"'), evasion_server.answer(evasion_server.FORGED_RESULT, "1"),
        '{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"messages":"FORGED"}}',
        '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"FORGED"}}', f"[{note % 'FORGED'}]", note % "last",
    ))).encode()
    client, server.open = HttpClient(port), 3
    try:
        held = hostile.how("", '{"jsonrpc":"2.0","id":@ID@,"result":{"content":[{"type":"text","text":"fine"}]}}', pause=1)
        with open_call(client, {"how": {**held["how"], "type": "text/event-stream"}}, id="held"):
            with stage.Connection(port) as connection:
                connection.send(stage.request("GET", "/mcp", client.headers()))
                connection.stream.readline()
                connection.head()
                chunks, text = connection.chunks(), b""
                while b'"last"' not in text:
                    text += next(chunks)
        assert b"FORGED" not in text and b'"result"' not in text, text
        said = [json.loads(data) for _, data in events(text.rpartition(b"\n\n")[0] + b"\n\n")]
        assert [one["method"] for one in said] == ["notifications/message"] * len(said), said
        refusals = [json.loads(one.body) for one in server.taken() if b'"error"' in one.body]
        assert [one["id"] for one in refusals] == ["q"], f"the server was told {refusals}"
    finally:
        server.stream = None


def taken_up_again(port, server, meaning):
    """A stream that broke off is taken up again where it ended, and brings the answer to its own request only."""
    server.stream = (evasion_server.event(evasion_server.answer(evasion_server.FORGED_RESULT, '"other"'), "id: 8") + evasion_server.event(evasion_server.GOOD.replace("@ID@", "1"), "id: 9")).encode()
    try:
        client = HttpClient(port)
        server.taken()
        texts = client.call("safe", hostile.how("retry: 10\nid: 7\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":\"x\"}}\n\n", type="text/event-stream"))
        said, answer = meaning(texts)
        assert said == "answered" and answer["result"]["content"][0]["text"] == "fine" and "FORGED" not in str(texts), texts
        again = [one for one in server.taken() if one.method == "GET"]
        assert [one.all("last-event-id") for one in again] == [["7"]], again
    finally:
        server.stream = None


def answers_a_notification(port, server, meaning):
    """An answer inside the answer to a notification is none."""
    client, results = HttpClient(port), []
    slow = hostile.how(evasion_server.GOOD, chunk=30, pause=0.2)
    thread = threading.Thread(target=lambda: results.append(client.call("safe", slow, id="held")))
    thread.start()
    other = HttpClient(port, begin=False)
    other.session = client.session
    for kind in "text/event-stream", "application/json":
        forged = evasion_server.answer(evasion_server.FORGED_RESULT, '"held"')
        forged = forged if kind == "application/json" else evasion_server.event(forged)
        reply = other.post(message("notifications/progress", {"progressToken": 1, "progress": 1, "_meta": hostile.how(forged, type=kind)}))
        assert reply.body == b"", reply
    thread.join()
    said, answer = meaning(results[0])
    assert said == "answered" and answer["result"]["content"][0]["text"] == "fine", answer


def sessions(check, folder, meaning):
    stdio = StdioServer(folder, "between")
    with HttpServer() as http, gateway(folder, http.upstream(), name="between") as in_front, gateway(folder, stdio.upstream(), name="between-stdio") as front:
        check("between/what is asked", asks, in_front.port, http)
        check("between/cancelled by another", cancelled_by_another, in_front.port, http)
        check("between/what a server says of itself", says_of_itself, in_front.port, http)
        check("between/a stream that is taken up again", taken_up_again, in_front.port, http, meaning)
        check("between/an answer in a notification's", answers_a_notification, in_front.port, http, meaning)
        check("between/an id twice, http", same_id, HttpClient(in_front.port), meaning, False)
        check("between/an id twice, stdio", same_id, HttpClient(front.port), meaning, True)
