"""MCP servers and clients of others on both sides of the gateway: what is allowed is as without it, the rest is refused.

Servers: `server-everything` over HTTP and as a program, `server-filesystem` as a program (both npm), one made with FastMCP
(PyPI), and the quickstart's (rmcp). Clients: the official ones in Python (both modes) and JavaScript, and the inspector's
command line. Each carries out the same operations directly, through a gateway before that server alone, and through one
gateway before all of them; each outcome that is compared is a check.
"""

import contextlib
import functools
import json
import pathlib
import shutil
import sys

import stage
from peer_clients import inspector, javascript, python
from peer_compare import expected, same
from peer_operations import EVERYTHING, FORBIDDEN, NOTES, QUICKSTART, files, inspected, numbered
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
        def possible(operation):
            match operation["only"]:
                case "task":
                    return client == "javascript"
                case "session":
                    return not (client == "python-auto" and self.name in MODERN)
            return True

        return [operation for operation in operations if possible(operation)]

    def drive(self, client, target, operations):
        """The outcomes of operations, by their names."""
        self.reset()
        outcomes = CLIENTS[client](target, self.roots, operations)
        return dict(zip([of["name"] for of in operations], outcomes, strict=True))

    @functools.cache
    def directly(self, client):
        return self.drive(client, self.target, self.chosen(client, self.operations))

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


def compare(check, world, client, peer, target, prefix=None):
    """The same operations directly and through the gateway. Behind one gateway with others, names begin with `prefix`."""
    where = f"{world}/{client}/{peer.name}"
    operations = peer.chosen(client, peer.operations)
    try:
        direct = peer.directly(client)
        found = peer.drive(client, target, [expected(of, prefix) for of in operations])
    except Exception as error:  # noqa: BLE001: nothing to compare is a failure like any other
        check(f"{where}/session", lambda error=error: (_ for _ in ()).throw(error))
        return
    for operation in operations:
        name = operation["name"]
        check(f"{where}/{name}", same, operation, direct[name], found[name], prefix, peer.hidden(), peer.guided())


def refused(check, world, client, peer, target, prefix=None):
    """What nobody may do is refused, in a session of its own."""
    operations = peer.chosen(client, [of for _, _, of in peer.forbidden])
    outcomes = peer.drive(client, target, [expected(of, prefix) for of in operations])
    for operation in operations:
        check(f"{world}/{client}/{peer.name}/forbidden-{operation['name']}", is_refusal, outcomes[operation["name"]])


def is_refusal(outcome):
    text = json.dumps(outcome)
    assert "asked" not in outcome, f"the client was asked: {outcome['asked']}"
    if "error" in outcome:
        assert "denied" in text or "policy" in text, outcome
        return
    assert outcome["result"].get("isError"), outcome


def alone(check, folder, peer):
    with gateway(folder, policy([peer], named=False), [peer.target], name=f"alone-{peer.name}") as url:
        for client in CLIENTS:
            compare(check, "alone", client, peer, {"url": url})
            refused(check, "alone", client, peer, {"url": url})


def together(check, folder, all_peers):
    upstreams = [{"name": peer.name, **peer.target} for peer in all_peers]
    with gateway(folder, policy(all_peers), upstreams, name="together") as url:
        for client in CLIENTS:
            for peer in all_peers:
                compare(check, "together", client, peer, {"url": url}, peer.name)
                refused(check, "together", client, peer, {"url": url}, peer.name)
            check(f"together/{client}/catalogue", catalogue, client, all_peers, {"url": url})
        by_inspector(check, "together", all_peers[0], {"url": url}, all_peers[0].name)


def catalogue(client, all_peers, target):
    """Every tool of every server is there once, in pages."""
    listed = CLIENTS[client](target, [], [{"name": "tools", "method": "tools/list"}])[0]
    names = [tool["name"] for tool in listed["result"]["tools"]]
    assert len(names) == len(set(names)), names
    for peer in all_peers:
        own = [name for name in names if name.startswith(f"{peer.name}__")]
        assert own, f"no tool of {peer.name}: {names}"
        assert not {f"{peer.name}__{tool}" for tool in peer.hidden()} & set(own), own
    strangers = [name for name in names if name.split("__")[0] not in {peer.name for peer in all_peers}]
    assert not strangers and listed["pages"] > 1, (strangers, listed["pages"])
    return f"{len(names)} tools in {listed['pages']} pages"


@functools.cache
def inspected_directly(peer):
    return inspector(peer.target, [], inspected())


def by_inspector(check, world, peer, target, prefix=None):
    found = inspector(target, [], [expected(of, prefix) for of in inspected()])
    for operation, direct, found in zip(inspected(), inspected_directly(peer), found, strict=True):
        check(f"{world}/inspector/{peer.name}/{operation['name']}", same, operation, direct, found, prefix, peer.hidden(), peer.guided())


def streams(check, folder, peer):
    """A client and a server on standard streams, and the gateway between them."""
    (folder / "streams.yaml").write_text(policy([peer], named=False))
    command = [stage.PLACET, "serve", "--policy", folder / "streams.yaml", "--log", folder / "streams.jsonl", "--"]
    target = {"command": [str(part) for part in (*command, *peer.target["command"])]}
    for client in CLIENTS:
        compare(check, "streams", client, peer, target)
        refused(check, "streams", client, peer, target)


def stateless(check, folder, all_peers):
    """MCP 2026-07-28 from end to end, without sessions."""
    modern = [peer for peer in all_peers if peer.name in MODERN]
    upstreams = [{"name": peer.name, **peer.target} for peer in modern]
    with gateway(folder, policy(modern), upstreams, "--stateless", name="stateless") as url:
        for peer in modern:
            compare(check, "stateless", "python-auto", peer, {"url": url}, peer.name)
            refused(check, "stateless", "python-auto", peer, {"url": url}, peer.name)


def nothing_forbidden_reached(folder):
    reached = stage.lines(folder / "notes.jsonl")
    assert {"find", "add", "export", "confirm", "notes://all", "notes://note", "summarize"} <= {of["what"] for of in reached}
    bad = [of for of in reached if of["what"] in ("erase", "forge") or of["args"].get("id") == "secret"]
    assert not bad, bad
    called = {of["tool"] for of in stage.lines(folder / "quickstart.jsonl")}
    assert "crm.search" in called and "admin.drop_database" not in called, called
    assert not list(folder.rglob("*.exe")) and (folder / "data" / "a.txt").is_file(), list(folder.rglob("*"))
    return f"{len(reached)} of the notes server's record"


def logged(folder, name, all_peers, named=True):
    """Each refusal is in the decision log."""
    made = decisions(folder, name)
    denied = {tool for tool, _, verdict, _ in made if verdict == "deny"}
    wanted = {f"{peer.name}.{tool}" if named else tool for peer in all_peers for tool, _, _ in peer.forbidden}
    assert denied == wanted, f"denied: {denied}\nforbidden: {wanted}"
    return f"{len(made)} decisions, {sum(verdict == 'deny' for _, _, verdict, _ in made)} denials"


def main():
    check = stage.Checks()
    with stage.scratch() as folder, peers(folder) as all_peers:
        chosen = sys.argv[1:] or ["alone", "together", "streams", "stateless"]
        if "alone" in chosen:
            for peer in all_peers:
                alone(check, folder, peer)
                check(f"alone/{peer.name}/logged", logged, folder, f"alone-{peer.name}", [peer], False)
        if "together" in chosen:
            together(check, folder, all_peers)
            check("together/logged", logged, folder, "together", all_peers)
        if "streams" in chosen:
            streams(check, folder, all_peers[2])
            check("streams/logged", logged, folder, "streams", [all_peers[2]], False)
        if "stateless" in chosen:
            stateless(check, folder, all_peers)
        if not sys.argv[1:]:
            check("record", nothing_forbidden_reached, folder)
    check.close()


main()
