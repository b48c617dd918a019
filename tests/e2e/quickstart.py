"""The official Python MCP client drives the quickstart's server through Placet.

The catalogue is filtered, calls are allowed, denied and escalated, the policy is broken and mended on disk while the
gateway serves, and the server's own record shows that nothing else reached it.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from mcp.client import Client

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
QUICKSTART = ROOT / "examples" / "quickstart"
DECISION = "dev.placet/decision"


@contextlib.contextmanager
def running(*command, log):
    """A program that says where it listens on its first line."""
    with open(log, "w") as errors:
        program = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            line = program.stdout.readline()
            assert line.startswith("listening on "), f"{command[0]} said {line!r}: {log.read_text()}"
            yield line.removeprefix("listening on ").strip()
        finally:
            program.send_signal(signal.SIGTERM)
            code = program.wait(timeout=20)
        assert code == 0, f"{command[0]} ended with {code}"


def decision(result):
    return (result.meta or {}).get(DECISION, {})


def check(result, verdict, rules, tool):
    found = decision(result)
    assert found.get("verdict") == verdict, f"{tool}: {found}"
    assert found.get("rules") == rules, f"{tool}: {found}"
    assert bool(result.is_error) == (verdict != "allow"), f"{tool}: {result}"
    if verdict != "allow":
        assert found["reason"] in result.content[0].text, result


REFUND = {"currency": "USD", "customer": "c-1", "reason": "late"}

# Tool, arguments, verdict, rules; in one session.
CALLS = [
    ("payments.refund", {"amount": 50, **REFUND}, "allow", ["org/finance-moves-money", "team/small-refunds"]),
    ("payments.refund", {"amount": 5000, **REFUND}, "escalate", ["team/big-refunds"]),
    ("admin.drop_database", {"name": "crm"}, "deny", ["org/no-administration"]),
    ("payments.pay", {"payee": "acme-supplies", "amount": 10, "currency": "USD"}, "deny", ["team/pay-verified-payees-only"]),
    ("email.send", {"to": ["a@evil.example"], "subject": "s", "body": "b"}, "allow", ["org/send-mail", "team/customers-and-mail"]),
    ("crm.read_customer", {"id": "c-1"}, "allow", ["org/read-customers", "team/customers-and-mail"]),
    ("email.send", {"to": ["a@evil.example"], "subject": "s", "body": "b"}, "deny", ["org/no-customer-data-outside"]),
    ("email.send", {"to": ["a@acme.com"], "subject": "s", "body": "b"}, "allow", ["org/send-mail", "team/customers-and-mail"]),
]


async def sends_calls(url, mode):
    async with Client(url, mode=mode) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert "admin.drop_database" not in listed and "payments.refund" in listed, listed
        for tool, args, verdict, rules in CALLS:
            check(await client.call_tool(tool, args), verdict, rules, tool)
    return [(tool, args) for tool, args, verdict, _ in CALLS if verdict == "allow"]


async def breaks_and_mends(url, policy, log):
    """Says which calls were allowed."""
    text = policy.read_text()
    refund = ("payments.refund", {"amount": 60, **REFUND})
    async with Client(url, mode="legacy") as client:
        policy.write_text(text.replace("max: 500", "maxx: 500"))
        await said(log, "POLICY NOT RELOADED")
        assert "did you mean `max`?" in log.read_text(), log.read_text()
        # The old policy goes on.
        check(await client.call_tool(*refund), "allow", ["org/finance-moves-money", "team/small-refunds"], "broken")
        policy.write_text(text.replace("max: 500", "max: 20"))
        await said(log, "policy reloaded")
        result = await client.call_tool(*refund)
        assert decision(result)["verdict"] == "deny", decision(result)
    return [refund]


async def said(log, words):
    for _ in range(100):
        if words in log.read_text():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the gateway never said {words!r}:\n{log.read_text()}")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="placet-e2e-"))
    try:
        policies = shutil.copytree(ROOT / "policies" / "quickstart", folder / "policies")
        record, decisions, log = folder / "record.jsonl", folder / "decisions.jsonl", folder / "gateway.log"
        server = [PROGRAMS / "quickstart-server", "--listen", "127.0.0.1:0", "--record", record]
        allowed = []
        with running(*server, log=folder / "server.log") as upstream:
            gateway = [PROGRAMS / "placet", "serve", "--policy", policies, "--upstream", upstream]
            gateway += ["--identity", QUICKSTART / "identity.json", "--listen", "127.0.0.1:0", "--log", decisions]
            with running(*gateway, log=log) as url:
                for mode in ["legacy", "auto"]:
                    allowed += asyncio.run(sends_calls(url, mode))
                allowed += asyncio.run(breaks_and_mends(url, policies / "finance.yaml", log))
        reached = [json.loads(line) for line in record.read_text().splitlines()]
        reached = [(call["tool"], call["args"]) for call in reached]
        assert reached == allowed, f"what reached the server: {reached}\nwhat was allowed: {allowed}"
        records = [json.loads(line) for line in decisions.read_text().splitlines()]
        calls = [r for r in records if r["call"]["stage"] == "call"]
        assert len(calls) == 2 * len(CALLS) + 2, len(calls)
        assert [r["call"]["tool"] for r in calls if r["decision"]["verdict"] == "allow"] == [tool for tool, _ in allowed]
        print(f"{len(calls)} calls decided, {len(allowed)} reached the server, every one of them allowed")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
