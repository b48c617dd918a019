"""Ends that nobody wants: the gateway is killed in mid-call; servers hang, die, say too much or never stop; clients do not
read, or go and come back. No forbidden call, nothing lost from the log, nothing twice, bounded memory, clear errors.
"""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import stage
from gateway import INITIALIZE, Gateway, HttpClient, HttpServer, StdioClient, StdioServer, command, events, gateway, half_open, message
from hostile import how

MB = 1024
# What a gateway may need more, in KiB, whatever comes: buffers of 16 MiB for the longest message, and copies of them.
ROOM = 160 * MB
FINE = '{"jsonrpc":"2.0","id":@ID@,"result":{"content":[{"type":"text","text":"fine"}]}}'
NOTE = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"@N@"}}'


def only(texts):
    answers = [json.loads(text) for text in texts]
    answers = [one for one in answers if "method" not in one]
    assert len(answers) == 1, texts
    return answers[0]


def failed(texts, *words, id=1):
    """An error with the request's id, in plain words."""
    answer = only(texts)
    said = answer.get("error", {}).get("message", "")
    assert len(said) > 10 and "result" not in answer, f"answered {answer}"
    assert not words or any(word in said for word in words), f"`{said}` says none of {words}"
    return said


def fine(client, text="still there"):
    answer = only(client.call("safe", {"say": text}))
    assert answer.get("result", {}).get("content", [{}])[0].get("text") == text, answer


def children(pid):
    found = []
    for task in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parts = task.read_text().rpartition(")")[2].split()
            if int(parts[1]) == pid and parts[0] != "Z":
                found.append(int(task.parent.name))
    return found


class Peak:
    """The most memory that the gateway has needed meanwhile, in KiB."""

    def __init__(self, of):
        self.of, self.most, self.done = of, 0, threading.Event()

    def __enter__(self):
        self.before = self.of.rss()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self):
        while not self.done.wait(0.02):
            with contextlib.suppress(OSError, StopIteration):
                self.most = max(self.most, self.of.rss())

    def __exit__(self, *failure):
        self.done.set()
        self.thread.join()
        if failure[0] is None:
            assert self.most - self.before < ROOM, f"memory went from {self.before} to {self.most} KiB"

    def __str__(self):
        return f"{self.before >> 10} to at most {self.most >> 10} MiB"


# --- The gateway is killed.


def forwarded(server):
    calls = []
    for one in server.taken():
        with contextlib.suppress(ValueError):
            request = json.loads(one.body)
            if request.get("method") == "tools/call":
                calls.append((request["params"]["name"], request["params"]["arguments"].get("say")))
    return calls


def allowed(decisions):
    """The calls that the decision log allows; its last line may be torn."""
    lines, found = decisions.read_bytes().split(b"\n"), []
    for number, line in enumerate(lines):
        try:
            record = json.loads(line)
        except ValueError:
            assert number >= len(lines) - 1 or not line or line == b"TORN", f"line {number} is torn: {line[:200]}"
            continue
        if record["call"].get("stage") == "call" and record["decision"]["verdict"] == "allow":
            found.append((record["call"]["tool"], record["call"]["args"].get("say")))
    return found


def clients_that_call(port, stop, number):
    with contextlib.suppress(Exception):
        client = HttpClient(port)
        for turn in range(10_000):
            if stop.is_set():
                return
            tool = ("safe", "drop", "safe", "other")[turn % 4]
            client.call(tool, {"say": f"{number}-{turn}", **(how(FINE + "\n", chunk=40, pause=0.02) if turn % 4 == 2 else {})})


def killed(folder, kind, turn):
    name = f"killed-{kind}-{turn}"
    server = HttpServer() if kind == "http" else StdioServer(folder, name)
    with server:
        stop = threading.Event()
        with gateway(folder, server.upstream(), name=name, code=-9) as running:
            threads = [threading.Thread(target=clients_that_call, args=[running.port, stop, n], daemon=True) for n in range(8)]
            client = HttpClient(running.port)
            [thread.start() for thread in threads]
            time.sleep((1 if kind == "http" else 2) + turn * 0.11)
            programs = children(running.process.pid)
            running.process.kill()
            running.process.wait()
            stop.set()
            [thread.join(5) for thread in threads]
        calls = forwarded(server)
        assert len(calls) > 20, f"only {len(calls)} calls were under way"
        assert {tool for tool, _ in calls} == {"safe"}, f"the server got {set(calls)}"
        logged = allowed(running.decisions)
        missing = set(calls) - set(logged)
        assert not missing, f"forwarded, and not in the log: {missing}"
        assert len(set(calls)) == len(calls), "a call reached the server twice"
        stage.wait_for("the programs to end", lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in programs), 10)
        # A crash of the machine may tear a line; the next start goes on below it.
        with open(running.decisions, "ab") as log:
            log.write(b"TORN")
        with gateway(folder, server.upstream(), name=name) as again:
            stale = HttpClient(again.port, begin=False)
            stale.session = client.session
            failed(stale.call("safe", {"say": "stale"}), "initialize")
            assert stale.reply.status == 404, stale.reply
            stale.begin()
            fine(stale, "after the kill")
        assert ("safe", "after the kill") in allowed(again.decisions), "the first record after a torn line cannot be read"
        return f"{len(calls)} calls forwarded, all in the log"


# --- Servers.


def no_server(folder):
    port = stage.free_port()
    with gateway(folder, ["--upstream", f"http://127.0.0.1:{port}/mcp"], name="nobody") as running:
        client = HttpClient(running.port, begin=False)
        failed(client.send(message("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}}, id=1)), "the server")
        assert client.reply.status >= 500
        time.sleep(0.3)
    for command in ["/nonexistent/program"], ["true"], ["sh", "-c", "exit 1"]:
        with gateway(folder, ["--", *command], name="no-program") as running:
            client = HttpClient(running.port, begin=False)
            failed(client.send(message("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}}, id=1)), "server")
            time.sleep(0.3)


def hangs(running, server, begin):
    """Calls that never end hold nothing else up."""
    with Peak(running) as peak:
        client = begin()
        held = [half_open(running.port, stage.request("POST", "/mcp", client.headers(), message("tools/call", {"name": "safe", "arguments": how(then="hang")}, id=f"h-{n}"))) for n in range(60)]
        for turn in range(20):
            fine(client, f"turn {turn}")
        fine(begin())
        [one.close() for one in held]
        fine(client)
    return peak


def dies(running, kind, begin):
    """In mid-answer: the client hears of it, and can go on."""
    client = begin()
    for data in ("", FINE[:20], NOTE + "\n" + FINE[:-9]):
        if kind == "stdio":
            failed(client.call("safe", how(data, then="die")), "server")
            failed(client.call("safe", {}), "initialize")
            client = begin()
        else:
            failed(client.call("safe", how(data, then="die")), "server")
            failed(client.call("safe", how(f"data: {NOTE}\n\ndata: {data}", type="text/event-stream", then="die")), "server")
        fine(client)


def garbage(running, begin):
    """A thousand answers that are none."""
    client = begin()
    fine(client)
    with Peak(running) as peak:
        for turn in range(300):
            raw = os.urandom(50).replace(b"\n", b"x") + b"x" * (turn * 50) + b"\n"
            failed(client.call("safe", how(raw)))
        fine(client)
    return peak


def chatters(running, client):
    """Garbage lines, and then the answer."""
    with Peak(running) as peak:
        for _ in range(20):
            answer = only(client.call("safe", how(b"junk \xc3\xa9 {\n" * 5000 + FINE.encode() + b"\n")))
            assert answer["result"]["content"][0]["text"] == "fine", answer
        fine(client)
    return peak


def floods_errors(running, client):
    """Standard error is not what anybody waits for."""
    with Peak(running) as peak:
        answer = only(client.call("safe", how(FINE + "\n", errors=10)))
        assert answer["result"]["content"][0]["text"] == "fine", answer
    return peak


def endless_line(running, begin):
    """A line of 100 MB is cut off, and its server."""
    client = begin()
    with Peak(running) as peak:
        failed(client.call("safe", how(FINE + "\n", long=100)), "server")
        failed(client.call("safe", {}), "initialize")
        fine(begin())
    return peak


def forever(kind):
    data = f"data: {NOTE}\n\n" if kind == "http" else NOTE + "\n"
    data = data.replace("@N@", "@N@ " + "x" * 1000)
    return how(data, forever=True, type="text/event-stream")


def never_ends(running, kind, begin, reads):
    """A stream without an end: bounded memory, and it ends with its session."""
    client = begin()
    before = children(running.process.pid)
    with Peak(running) as peak:
        body = message("tools/call", {"name": "safe", "arguments": forever(kind)}, id=1)
        with half_open(running.port, stage.request("POST", "/mcp", client.headers(), body)) as connection:
            got, end = 0, time.monotonic() + 3
            while reads and time.monotonic() < end:
                got += len(connection.recv(1 << 16))
            time.sleep(0 if reads else 3)
            # Others are served meanwhile.
            fine(begin())
        time.sleep(1)
    ended = stage.ask(running.port, "DELETE", "/mcp", client.headers())
    assert ended.status == 200, ended
    assert not reads or got > 100_000, f"the client got {got} bytes"
    stage.wait_for("the server's stream to end with the session", lambda: quiet(running, kind, before), 10)
    return f"{peak}, {got >> 20} MiB read"


def quiet(running, kind, before):
    """Whether the gateway has nothing to do any more."""
    def used():
        return sum(map(int, pathlib.Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))

    start = used()
    time.sleep(0.5)
    return used() - start <= 5


def ends_programs(folder, server):
    """A program ends with its session, even one that hangs; all of them with the gateway."""
    with gateway(folder, server.upstream(), name="programs") as running:
        clients = [HttpClient(running.port) for _ in range(5)]
        assert len(children(running.process.pid)) == 5
        half_open(running.port, stage.request("POST", "/mcp", clients[0].headers(), message("tools/call", {"name": "safe", "arguments": how(then="hang")}, id=1)))
        for left, client in zip((4, 3), clients):
            assert stage.ask(running.port, "DELETE", "/mcp", client.headers()).status == 200
            stage.wait_for("a program to end", lambda left=left: len(children(running.process.pid)) == left, 8)
        programs = children(running.process.pid)
    stage.wait_for("the programs to end", lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in programs), 8)


# --- Clients.


def numbered(kind, count, size=10, pause=0.01):
    """Notifications with numbers, and then the answer."""
    def written(text):
        return f"data: {text}\n\n" if kind == "http" else f"{text}\n"

    note = NOTE.replace("@N@", f"@N@ {'x' * size}")
    return how(written(note), written(FINE), times=count, pause=pause, type="text/event-stream")


def read_events(connection, most=None):
    """Events as they come, until the end or a number of them: (id, message)."""
    found, rest = [], b""
    with contextlib.suppress(ConnectionError):
        for chunk in connection.chunks():
            rest += chunk
            whole, _, rest = rest.rpartition(b"\n\n")
            found += [(at, json.loads(data)) for at, data in events(whole + b"\n\n")] if whole else []
            if most and len(found) >= most:
                break
    return found[:most] if most else found


def comes_back(port, kind, count, size, pause, steps):
    """Goes after some events, comes back for the rest: each message once, in order."""
    client = HttpClient(port)
    request = stage.request("POST", "/mcp", client.headers(), message("tools/call", {"name": "safe", "arguments": numbered(kind, count, size, pause)}, id=1))
    found, step = [], 0
    while True:
        with stage.Connection(port) as connection:
            connection.send(request)
            status = int(connection.stream.readline().split()[1])
            connection.head()
            if status == 404 and found and size > 100:
                return "what was gone was said to be gone"
            assert status == 200, f"answered {status} after {len(found)} events"
            new = read_events(connection, steps[step] if step < len(steps) else None)
        found += new
        if step >= len(steps) or any("id" in one for _, one in new):
            break
        step += 1
        at = found[-1][0]
        request = stage.request("GET", "/mcp", {**client.headers(), "last-event-id": at})
        time.sleep(0.05)
    ids = [at for at, _ in found]
    assert len(set(ids)) == len(ids), f"an event came twice: {ids}"
    numbers = [int(one["params"]["data"].split()[0]) for _, one in found if "method" in one]
    assert numbers == list(range(count)), f"{len(numbers)} of {count} messages, from {numbers[:3]} to {numbers[-3:]}; missing {sorted(set(range(count)) - set(numbers))[:5]}"
    assert found[-1][1].get("id") == 1 and sum("id" in one for _, one in found) == 1, found[-1]
    # Whoever has everything gets nothing more.
    with stage.Connection(port) as connection:
        connection.send(stage.request("GET", "/mcp", {**client.headers(), "last-event-id": ids[-1]}))
        assert connection.reply("GET").body == b""
    return f"{step + 1} connections"


def listens_and_never_reads(running, begin):
    """A client that opens the stream of what servers say, and does not read it."""
    client = begin()
    with Peak(running) as peak:
        with half_open(running.port, stage.request("GET", "/mcp", client.headers())) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            call = message("tools/call", {"name": "safe", "arguments": forever("stdio")}, id=1)
            half_open(running.port, stage.request("POST", "/mcp", client.headers(), call)).close()
            time.sleep(2)
            fine(begin())
    assert stage.ask(running.port, "DELETE", "/mcp", client.headers()).status == 200
    return peak


def many_go_away(running, begin):
    """Clients that send a call and are gone."""
    client = begin()
    fine(client)
    with Peak(running) as peak:
        for turn in range(300):
            call = message("tools/call", {"name": "safe", "arguments": {"say": "x" * 10_000}}, id=turn)
            half_open(running.port, stage.request("POST", "/mcp", client.headers(), call)).close()
        fine(client)
    return peak


def client_of_stdio_goes(folder, server):
    """The client's end of the standard streams closes: requests under way end, and so do gateway and server."""
    client = StdioClient(folder, server.upstream(), name="goes")
    programs = children(client.process.pid)
    client.write(message("tools/call", {"name": "safe", "arguments": {"say": "last"}}, id=9) + b"\n")
    client.process.stdin.close()
    assert json.loads(client.line())["result"]["content"][0]["text"] == "last"
    assert client.line() is None
    client.close()
    stage.wait_for("the program to end", lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in programs), 8)


def client_of_stdio_never_reads(folder, kind):
    """Bounded memory; and when the client is gone, so is its gateway, whatever the server still says."""
    with HttpServer() if kind == "http" else StdioServer(folder, "unread") as server:
        program, _ = command(folder, server.upstream(), f"unread-{kind}", "--stdio")
        with open(folder / f"unread-{kind}.log", "a") as errors:
            process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        try:
            process.stdin.write(message("initialize", INITIALIZE, id="begin") + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == "begin"
            with Peak(Gateway(process, None, None)) as peak:
                process.stdin.write(message("tools/call", {"name": "safe", "arguments": forever(kind)}, id=1) + b"\n")
                process.stdin.flush()
                time.sleep(3)
            programs = children(process.pid)
            process.stdin.close()
            process.stdout.close()
            stage.wait_for("the gateway to end after its client", lambda: process.poll() is not None, 15)
            stage.wait_for("the program to end", lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in programs), 8)
        finally:
            process.kill()
            process.wait()
    return peak


def main():
    check = stage.Checks()
    with stage.scratch() as folder:
        for kind in "http", "stdio":
            for turn in range(3):
                check(f"kill -9/{kind}, {turn}", killed, folder, kind, turn)
        check("servers/none", no_server, folder)
        check("servers/programs end", ends_programs, folder, StdioServer(folder, "programs"))
        check("clients/the client of standard streams goes", client_of_stdio_goes, folder, StdioServer(folder, "goes"))
        for kind in "http", "stdio":
            check(f"clients/the client of standard streams never reads, {kind}", client_of_stdio_never_reads, folder, kind)
        for kind, server in {"http": HttpServer(), "stdio": StdioServer(folder, "chaos")}.items():
            with server, gateway(folder, server.upstream(), name=f"chaos-{kind}") as running:
                def begin(running=running):
                    return HttpClient(running.port)

                for step in [1], [3, 1, 10], [1] * 8, []:
                    check(f"{kind}/comes back after {step}", comes_back, running.port, kind, 40, 10, 0.01, step)
                check(f"{kind}/comes back late to much", comes_back, running.port, kind, 400, 5000, 0, [1])
                check(f"{kind}/dies", dies, running, kind, begin)
                if kind == "http":
                    check("http/garbage", garbage, running, begin)
                else:
                    check("stdio/chatter", chatters, running, begin())
                    check("stdio/much on standard error", floods_errors, running, begin())
                    check("stdio/a line of 100 MB", endless_line, running, begin)
                    check("stdio/listens and never reads", listens_and_never_reads, running, begin)
                check(f"{kind}/never ends, read", never_ends, running, kind, begin, True)
                check(f"{kind}/never ends, not read", never_ends, running, kind, begin, False)
                check(f"{kind}/clients go away", many_go_away, running, begin)
                check(f"{kind}/hangs", hangs, running, server, begin)
    check.close()


if __name__ == "__main__":
    sys.exit(main())
