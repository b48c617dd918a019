"""Hundreds of sessions at once for minutes: every call is answered, every stream is in order, no message reaches another
session, and the gateway's memory stays flat.

PLACET_SECONDS says how long (120), PLACET_SESSIONS how many (500).
"""

import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time

import stage
from gateway import INITIALIZE, gateway, message
from hostile import VERSION

SECONDS = int(os.environ.get("PLACET_SECONDS", "120"))
SESSIONS = int(os.environ.get("PLACET_SESSIONS", "500"))
# A session waits between two calls: what is tested is many at once, not speed. Two cores serve clients, gateway and server.
PAUSE = 1.5
GROWTH = 1.05
# KiB: the program itself, and what each session may keep.
MOST = 65_536 + 256 * SESSIONS
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


# --- The server: `python3 sessions.py serve`.


async def answer(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            await respond(writer, head[0].split()[0], headers.get("mcp-session-id"), body)
            await writer.drain()
    writer.close()


async def respond(writer, method, session, body):
    request = json.loads(body) if method == "POST" else {}
    if method != "POST" or "id" not in request:
        writer.write(b"HTTP/1.1 %s X\r\ncontent-length: 0\r\n\r\n" % (b"202" if method == "POST" else b"405" if method == "GET" else b"200"))
        return
    params = request.get("params", {})
    if request["method"] == "initialize":
        result = {"protocolVersion": VERSION, "capabilities": {"tools": {}}, "serverInfo": {"name": "many", "version": "1"}}
        session = f"s-{random.getrandbits(64):x}"
    elif request["method"] == "tools/list":
        result = {"tools": [{"name": "safe", "inputSchema": {"type": "object"}}]}
    else:
        arguments = params["arguments"]
        # The server's own name of the session goes with the answer: one line of the gateway's is one session's.
        result = {"content": [{"type": "text", "text": json.dumps({**arguments, "session": session})}]}
    text = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result})
    if request["method"] != "tools/call" or not arguments["notes"]:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: %s\r\ncontent-length: %d\r\n\r\n%s" % (session.encode(), len(text), text.encode()))
        return
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    token = params["_meta"]["progressToken"]
    for number in range(arguments["notes"]):
        note = {"progressToken": token, "progress": number, "total": arguments["notes"], "message": f"{arguments['token']} {session}"}
        await event(writer, {"jsonrpc": "2.0", "method": "notifications/progress", "params": note})
    await event(writer, json.loads(text))
    writer.write(b"0\r\n\r\n")


async def event(writer, of):
    data = f"data: {json.dumps(of)}\n\n".encode()
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()
    await asyncio.sleep(random.random() * 0.01)


async def serve():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp", flush=True)
    await server.serve_forever()


# --- A client, on a connection of its own.


class Client:
    def __init__(self, port, number):
        self.port, self.number, self.token = port, number, f"token-{number}-{random.getrandbits(64):x}"
        self.session, self.server, self.calls, self.notes, self.slowest = None, None, 0, 0, 0.0

    async def run(self, begin, end):
        await asyncio.sleep(self.number / SESSIONS * begin)
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        headers, messages = await self.post(message("initialize", INITIALIZE, id="begin"))
        assert messages[0]["id"] == "begin" and "result" in messages[0], messages
        self.session = headers["mcp-session-id"]
        await self.post(message("notifications/initialized"))
        while time.monotonic() < end:
            await self.call()
            await asyncio.sleep(random.random() * 2 * PAUSE)
        self.writer.write(stage.request("DELETE", "/mcp", {"mcp-session-id": self.session}))
        status, _ = await self.head()
        assert status == 200, f"the end of the session was answered {status}"
        self.writer.close()

    async def call(self):
        # Every session counts from the same number: ids and progress tokens are the same everywhere.
        id, notes = self.calls, random.choice([0, 0, 5, 20])
        arguments = {"token": self.token, "turn": id, "notes": notes, "text": "ä\u2028\n" * random.randrange(200)}
        params = {"name": "safe", "arguments": arguments, "_meta": {"progressToken": id}}
        began = time.monotonic()
        _, messages = await self.post(message("tools/call", params, id=id))
        self.slowest = max(self.slowest, time.monotonic() - began)
        *progress, last = messages
        assert last["id"] == id, f"session {self.number} asked {id} and was answered {last}"
        said = json.loads(last["result"]["content"][0]["text"])
        server = said.pop("session")
        assert said == arguments, f"session {self.number} said {arguments} and was answered {said}"
        assert last["result"]["_meta"]["dev.placet/decision"]["verdict"] == "allow", last
        self.server = self.server or server
        assert server == self.server, f"session {self.number} was {self.server} to the server, and now is {server}"
        assert [note["params"]["progress"] for note in progress] == list(range(notes)), f"out of order: {progress}"
        for note in progress:
            assert note["params"]["message"] == f"{self.token} {server}", f"session {self.number} got {note}"
            assert note["params"]["progressToken"] == id, note
        self.calls, self.notes = self.calls + 1, self.notes + notes

    async def post(self, body):
        headers = {**JSON, **({"mcp-session-id": self.session} if self.session else {})}
        self.writer.write(stage.request("POST", "/mcp", headers, body))
        status, headers = await self.head()
        assert status in (200, 202), f"session {self.number} was answered {status}"
        if headers.get("transfer-encoding") != "chunked":
            text = await self.reader.readexactly(int(headers.get("content-length", 0)))
            return headers, [json.loads(text)] if text else []
        data = b""
        while size := int(await self.reader.readline(), 16):
            data += await self.reader.readexactly(size)
            await self.reader.readline()
        await self.reader.readline()
        found = [event.split("\n") for event in data.decode().split("\n\n") if event and event != ":"]
        places = [line.removeprefix("id: ") for lines in found for line in lines if line.startswith("id: ")]
        assert places == [f"{places[0].split('-')[0]}-{n}" for n in range(len(found))], f"the places are {places}"
        return headers, [json.loads(lines[-1].removeprefix("data: ")) for lines in found]

    async def head(self):
        lines = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1").split("\r\n")
        return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:] if line)


async def watch(running, end):
    memory = []
    while time.monotonic() < end:
        memory.append(running.rss())
        await asyncio.sleep(0.5)
    return memory


async def many(running):
    begin = min(10, SECONDS / 6)
    end = time.monotonic() + SECONDS
    clients = [Client(running.port, number) for number in range(SESSIONS)]
    watcher = asyncio.create_task(watch(running, end))
    results = await asyncio.gather(*[client.run(begin, end) for client in clients], return_exceptions=True)
    failures = [f"session {number}: {type(one).__name__} {one}" for number, one in enumerate(results) if one is not None]
    assert not failures, f"{len(failures)} of {SESSIONS} sessions failed: {failures[:3]}"
    servers = {client.server for client in clients}
    assert len(servers) == SESSIONS, f"{SESSIONS} sessions were {len(servers)} to the server"
    return clients, await watcher


def flat(memory):
    """The last sixth against the one before it. Until then, sessions are opened, caches fill, and streams that have ended
    are kept for a minute, for clients that come back."""
    sixth = len(memory) // 6
    print(f"  memory, every sixth of the time: {', '.join(str(memory[n * sixth] >> 10) for n in range(6))} MiB; at most {max(memory) >> 10}")
    if SECONDS < 100:
        return "too short to say"
    before, after = statistics.mean(memory[4 * sixth : 5 * sixth]), statistics.mean(memory[5 * sixth :])
    assert after <= before * GROWTH, f"memory grew from {before:.0f} to {after:.0f} KiB: {memory[::10]}"
    assert max(memory) <= MOST, f"memory went up to {max(memory)} KiB, and {MOST} would be plenty"
    return f"{after / before - 1:+.1%}"


def main():
    check = stage.Checks()
    clients, memory = [], []

    def run(running):
        found = asyncio.run(many(running))
        clients.extend(found[0])
        memory.extend(found[1])
        calls, notes = sum(one.calls for one in clients), sum(one.notes for one in clients)
        return f"{calls} calls, {notes} notes, the slowest call {max(one.slowest for one in clients):.2f} s"

    def logged(running):
        # One record of each call, one of each result.
        lines = running.decisions.read_text().splitlines()
        records = [json.loads(line)["call"]["stage"] for line in lines]
        assert records.count("call") == records.count("result") == sum(one.calls for one in clients), len(records)

    with stage.scratch() as folder:
        with open(folder / "server.log", "w") as errors:
            server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            url = server.stdout.readline().removeprefix("listening on ").strip()
            with gateway(folder, ["--upstream", url]) as running:
                check(f"{SESSIONS} sessions for {SECONDS} s", run, running)
                check("memory is flat", flat, memory)
                check("the log has them all", logged, running)
        finally:
            server.kill()
    check.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main()
