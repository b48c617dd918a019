"""MCP servers and clients of others on both sides of the gateway: what is allowed is as without it, the rest is refused.

Servers: `server-everything` over HTTP and as a program, `server-filesystem` as a program (both npm), one made with FastMCP
(PyPI), and the quickstart's (rmcp). Clients: the official ones in Python (both modes) and JavaScript, and the inspector's
command line. Each carries out the same operations directly, through a gateway before that server alone, and through one
gateway before all of them; each outcome that is compared is a check.
"""

import asyncio
import contextlib
import functools
import json
import pathlib
import shutil
import sys
import warnings

from mcp.client import Client
from mcp.shared.exceptions import MCPDeprecationWarning

import stage
from peer_clients import inspector, javascript, python
from peer_compare import expected, same
from peer_operations import EVERYTHING, FORBIDDEN, NOTES, QUICKSTART, TASK, files, inspected, numbered
from peer_programs import EVERYTHING as EVERYTHING_SERVER
from peer_programs import FILESYSTEM, SERVERS, decisions, gateway, node, policy

CLIENTS = {"python-legacy": python("legacy"), "python-auto": python("auto"), "javascript": javascript}
# Servers that speak 2026-07-28 themselves: a client that may choose has no session with them.
MODERN = {"notes", "quickstart"}


class Peer:
    """A server behind the gateway: how it is reached, and what is done with it."""

    def __init__(self, name, target, operations, forbidden=(), roots=(), reset=lambda: None):
        self.name, self.target, self.operations = name, target, list(numbered(operations))
        self.forbidden, self.roots, self.reset = list(forbidden), list(roots), reset

    def chosen(self, client, operations):
        """What a client can do with this server."""
        without = {"session"} if client == "python-auto" and self.name in MODERN else set()
        return [of for of in operations if of["only"] not in {*without, *(CLIENTS.keys() - {client})}]

    def compared(self, client):
        return self.chosen(client, self.operations)

    def refused(self, client):
        return self.chosen(client, [of for _, _, of in self.forbidden])

    @functools.cache
    def directly(self, client):
        self.reset()
        return CLIENTS[client](self.target, self.roots, self.compared(client))

    def hidden(self):
        """Tools that nobody may call whatever the arguments."""
        return {tool for tool, args, _ in self.forbidden if args is None}

    def guided(self):
        """Tools that nobody may call with some arguments: their descriptions say so."""
        return {tool for tool, args, _ in self.forbidden if args is not None and not tool.startswith("mcp:")}


def tree(folder):
    """A folder with files, as it is at the beginning of each session."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("first line\nsecond line, größer\n")
    (folder / "sub" / "b.txt").write_text("b" * 3000)
    (folder / "pixel.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (folder.parent / "outside.txt").write_text("nobody reads this")


@contextlib.contextmanager
def peers(folder):
    data = folder / "data"
    here = [{"uri": data.as_uri(), "name": "data"}]
    loopback = ["--import", SERVERS / "loopback.mjs"]
    notes = [sys.executable, pathlib.Path(__file__).parent / "notes_server.py", "--record", folder / "notes.jsonl"]
    url = lambda port: {"url": f"http://127.0.0.1:{port}/mcp"}  # noqa: E731
    program = lambda *command: {"command": [str(part) for part in (node(), *command)]}  # noqa: E731
    reset = functools.partial(tree, data)
    reset()
    with (
        stage.server(node(), *loopback, EVERYTHING_SERVER, "streamableHttp", log=folder / "everything.log") as everything,
        stage.server(*notes, log=folder / "notes.log") as fastmcp,
        stage.mcp_server(folder, "quickstart", "--sessions") as quickstart,
    ):
        yield [
            Peer("everything", url(everything), EVERYTHING, FORBIDDEN["everything"], here),
            Peer("everything-stdio", program(EVERYTHING_SERVER, "stdio"), EVERYTHING, FORBIDDEN["everything"], here),
            Peer("files", program(FILESYSTEM, data), files(data), FORBIDDEN["files"](data), here, reset),
            Peer("notes", url(fastmcp), NOTES, FORBIDDEN["notes"]),
            Peer("quickstart", url(quickstart), QUICKSTART, FORBIDDEN["quickstart"]),
        ]


def session(check, world, client, members, target, named):
    """One session through the gateway: what is allowed is as it is directly, the rest is refused. With several servers
    behind it (`named`), what they have begins with their names."""
    work = []
    for peer in members:
        # Before anything goes through the gateway.
        direct = peer.directly(client)
        peer.reset()
        prefix = peer.name if named else None
        work += [(peer, of, same_as(peer, of, one, prefix)) for of, one in zip(peer.compared(client), direct, strict=True)]
        work += [(peer, {**of, "name": f"forbidden-{of['name']}"}, is_refusal) for of in peer.refused(client)]
        if peer.operations[0] is EVERYTHING[0]:
            work += [(peer, of, is_no_task) for of in peer.chosen(client, [TASK])]
    try:
        plan = [expected(of, peer.name if named else None) for peer, of, _ in work]
        roots = [root for peer in members for root in peer.roots][:1]
        outcomes = CLIENTS[client](target, roots, plan)
    except Exception as error:  # noqa: BLE001: nothing to compare is a failure like any other
        return check(f"{world}/{client}/session", fails, error)
    for (peer, of, holds), outcome in zip(work, outcomes, strict=True):
        check(f"{world}/{client}/{peer.name}/{of['name']}", holds, outcome)


def is_no_task(outcome):
    assert "has no parameter `task`" in outcome.get("error", {}).get("message", ""), outcome


def same_as(peer, operation, direct, prefix):
    return lambda outcome: same(operation, direct, outcome, prefix, peer.hidden(), peer.guided())


def fails(error):
    raise error


def is_refusal(outcome):
    text = json.dumps(outcome)
    assert "asked" not in outcome, f"the client was asked: {outcome['asked']}"
    if "error" in outcome:
        assert "denied" in text or "policy" in text, outcome
        return
    assert outcome["result"].get("isError"), outcome


def alone(check, folder, peers):
    """Each server alone behind a gateway: nothing has another name."""
    for peer in peers:
        name = f"alone-{peer.name}"
        with gateway(folder, policy([peer], named=False), [peer.target], name=name) as url:
            for client in CLIENTS:
                session(check, "alone", client, [peer], {"url": url}, named=False)
            if peer.name == "everything":
                by_inspector(check, "alone", peer, {"url": url})
        check(f"{name}/decision-log", logged, folder, name, [peer], False)


def together(check, folder, peers):
    """All servers behind one gateway, and one session with all of them."""
    upstreams = [{"name": peer.name, **peer.target} for peer in peers]
    with gateway(folder, policy(peers), upstreams, name="together") as url:
        for client in CLIENTS:
            session(check, "together", client, peers, {"url": url}, named=True)
            check(f"together/{client}/catalogue", catalogue, client, peers, {"url": url})
        by_inspector(check, "together", peers[0], {"url": url}, peers[0].name)
    check("together/decision-log", logged, folder, "together", peers)


def catalogue(client, peers, target):
    """Every tool of every server is there once, in pages."""
    listed = CLIENTS[client](target, [], [{"name": "tools", "method": "tools/list"}])[0]
    names = [tool["name"] for tool in listed["result"]["tools"]]
    assert len(names) == len(set(names)), names
    for peer in peers:
        own = [name for name in names if name.startswith(f"{peer.name}__")]
        assert own, f"no tool of {peer.name}: {names}"
        assert not {f"{peer.name}__{tool}" for tool in peer.hidden()} & set(own), own
    strangers = [name for name in names if name.split("__")[0] not in {peer.name for peer in peers}]
    assert not strangers and listed["pages"] > 1, (strangers, listed["pages"])
    return f"{len(names)} tools in {listed['pages']} pages"


@functools.cache
def inspected_directly(peer):
    return inspector(peer.target, [], inspected())


def by_inspector(check, world, peer, target, prefix=None):
    outcomes = inspector(target, [], [expected(of, prefix) for of in inspected()])
    for of, direct, found in zip(inspected(), inspected_directly(peer), outcomes, strict=True):
        name = f"{world}/inspector/{peer.name}/{of['name']}"
        check(name, same, of, direct, found, prefix, peer.hidden(), peer.guided())


def streams(check, folder, peers):
    """A client and a server on standard streams, and the gateway between them."""
    (peer,) = [peer for peer in peers if peer.name == "files"]
    (folder / "streams.yaml").write_text(policy([peer], named=False))
    command = [stage.PLACET, "serve", "--policy", folder / "streams.yaml", "--log", folder / "streams.jsonl", "--"]
    target = {"command": [str(part) for part in (*command, *peer.target["command"])]}
    for client in CLIENTS:
        session(check, "streams", client, [peer], target, named=False)
    check("streams/decision-log", logged, folder, "streams", [peer], False)


def stateless(check, folder, peers):
    """MCP 2026-07-28 from end to end, without sessions."""
    modern = [peer for peer in peers if peer.name in MODERN]
    upstreams = [{"name": peer.name, **peer.target} for peer in modern]
    with gateway(folder, policy(modern), upstreams, name="stateless") as url:
        check("stateless/version", speaks, url, "2026-07-28")
        session(check, "stateless", "python-auto", modern, {"url": url}, named=True)
    check("stateless/decision-log", logged, folder, "stateless", modern)


def speaks(url, version):
    async def agreed():
        async with Client(url) as client:
            return client.protocol_version

    assert (found := asyncio.run(agreed())) == version, found


def nothing_forbidden_reached(folder):
    reached = stage.lines(folder / "notes.jsonl")
    assert {"find", "add", "export", "confirm", "notes://all", "notes://note", "summarize"} <= {of["what"] for of in reached}
    bad = [of for of in reached if of["what"] in ("erase", "forge") or of["args"].get("id") == "secret"]
    assert not bad, bad
    called = {of["tool"] for of in stage.lines(folder / "quickstart.jsonl")}
    assert "crm.search" in called and "admin.drop_database" not in called, called
    assert not list(folder.rglob("*.exe")) and (folder / "data" / "a.txt").is_file(), list(folder.rglob("*"))
    return f"{len(reached)} of the notes server's record"


def logged(folder, name, peers, named=True):
    """Each refusal is in the decision log."""
    made = decisions(folder, name)
    denied = {tool for tool, _, verdict, _ in made if verdict == "deny"}
    wanted = {f"{peer.name}.{tool}" if named else tool for peer in peers for tool, _, _ in peer.forbidden}
    assert denied == wanted, f"denied: {denied}\nforbidden: {wanted}"
    return f"{len(made)} decisions, {sum(verdict == 'deny' for _, _, verdict, _ in made)} denials"


WORLDS = {"alone": alone, "together": together, "streams": streams, "stateless": stateless}


def main():
    check = stage.Checks()
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    with stage.scratch() as folder, peers(folder) as members:
        for name in sys.argv[1:] or WORLDS:
            try:
                WORLDS[name](check, folder, members)
            except Exception as error:  # noqa: BLE001: a gateway that does not start is a failure like any other
                check(f"{name}/world", fails, error)
        if not sys.argv[1:]:
            check("record", nothing_forbidden_reached, folder)
    check.close()


main()
