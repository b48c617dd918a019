"""The public conformance suite of MCP, against a server directly and with the gateway before it: the same checks pass.

The server speaks HTTP once and is a program on standard streams once. Against DNS rebinding the gateway has to protect
a server that does not protect itself.
"""

import json
import re

import stage
from peer_programs import SERVERS, SUITE, decisions, gateway, node, run

OPEN = "policy: open\nrules:\n  - {id: everything, tools: ['*'], outcome: allow}\n"
SERVER = SERVERS / "conformance-server.mjs"
# What the suite writes down of its own doing.
NOTES = "INFO"


def server(folder, name, *flags):
    return stage.server(node(), SERVER, *flags, log=folder / f"{name}.log")


def suite(url, out, *flags):
    """Checks by scenario: each with its status, and what is said of it."""
    _, stdout, stderr = run(node(), SUITE, "server", "--url", url, "--output-dir", out, *flags)
    scenarios = {}
    for file in sorted(out.glob("server-*/checks.json")):
        scenario = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.*", file.parent.name)
        assert scenario, f"no scenario: {file}"
        scenarios[scenario[1]] = json.loads(file.read_text())
    assert scenarios, f"the suite says nothing of {url}:\n{stdout}{stderr}"
    return scenarios


def statuses(checks):
    """Of every check but the suite's own notes. One that is made more than once counts more than once."""
    return sorted((of["id"], of["status"]) for of in checks if of["status"] != NOTES)


def passes(checks):
    bad = [of for of in checks if of["status"] not in ("SUCCESS", NOTES)]
    assert not bad, "\n  ".join(f"{of['id']}: {of['status']}: {of.get('errorMessage')}" for of in bad)
    assert statuses(checks), "nothing was checked"
    return f"{len(statuses(checks))} checks"


def same(direct, checks):
    assert checks is not None, "it did not run"
    assert statuses(checks) == statuses(direct), "\n  ".join(
        [f"directly: {statuses(direct)}", f"through the gateway: {statuses(checks)}"]
        + [f"{of['id']}: {of['errorMessage']}" for of in checks if of.get("errorMessage")]
    )
    return f"{len(statuses(checks))} checks"


def goes_on(checks):
    """A server may hang up and have its client come back. The gateway comes back itself: its client gets the result on
    the stream that it has, and has nothing to resume."""
    failed = [of for of in checks if of["status"] == "FAILURE"]
    assert not failed, failed
    ended = [of for of in checks if of["id"] == "server-sse-disconnect-resume"]
    assert ended, [(of["id"], of["status"], of.get("errorMessage")) for of in checks]
    assert ended[0]["details"].get("receivedToolResponse"), ended


def same_scenarios(direct, found):
    assert set(found) == set(direct), set(found) ^ set(direct)
    return f"{len(found)} scenarios"


def through(check, name, direct, found):
    check(f"{name}/scenarios", same_scenarios, direct, found)
    for scenario, checks in direct.items():
        if scenario == "server-sse-polling":
            check(f"{name}/{scenario}", goes_on, found.get(scenario, []))
        else:
            check(f"{name}/{scenario}", same, checks, found.get(scenario))


def all_allowed(folder):
    made = decisions(folder)
    tools = {tool for tool, _, _, _ in made}
    assert {"test_simple_text", "mcp:sampling/createMessage", "mcp:elicitation/create"} <= tools, tools
    assert all(verdict == "allow" for _, _, verdict, _ in made), [of for of in made if of[2] != "allow"]
    return f"{len(made)} decisions"


def rebinding(check):
    """A server that does not look who asks, and the gateway before it."""
    only = ["--scenario", "dns-rebinding-protection"]
    with stage.scratch() as folder, server(folder, "server", "--unguarded") as port:
        url = f"http://127.0.0.1:{port}/mcp"
        (direct,) = suite(url, folder / "direct", *only).values()
        with gateway(folder, OPEN, [{"url": url}]) as before:
            (guarded,) = suite(before, folder / "guarded", *only).values()
    check("rebinding/the-server-alone-is-open", lambda: passes_not(direct))
    check("rebinding/the-gateway-protects-it", passes, guarded)


def passes_not(checks):
    assert ("localhost-host-rebinding-rejected", "FAILURE") in statuses(checks), statuses(checks)


def main():
    check = stage.Checks()
    with stage.scratch() as folder, server(folder, "server") as port:
        url = f"http://127.0.0.1:{port}/mcp"
        direct = suite(url, folder / "direct", "--suite", "all")
        for scenario, checks in direct.items():
            check(f"directly/{scenario}", passes, checks)
        with gateway(folder, OPEN, [{"url": url}]) as before:
            found = suite(before, folder / "http", "--suite", "all")
        through(check, "http", direct, found)
        check("http/decisions", all_allowed, folder)
        with stage.scratch() as other:
            with gateway(other, OPEN, [{"command": [node(), str(SERVER), "--stdio"]}]) as before:
                found = suite(before, other / "stdio", "--suite", "all")
            through(check, "stdio", direct, found)
            check("stdio/decisions", all_allowed, other)
    rebinding(check)
    check.close()


main()
