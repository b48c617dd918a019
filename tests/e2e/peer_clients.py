"""Clients that carry out the same operations: the official ones in Python and JavaScript, and the MCP inspector.

An operation is a method with parameters; its outcome is the result or error, and what the server said and asked
meanwhile: `progress`, `logged`, `updated` (resources), `asked` (sampling and elicitation).
"""

import asyncio
import concurrent.futures
import json
import os

import mcp_types as types
from mcp import MCPError
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from peer_programs import INSPECTOR, SERVERS, node, run

PATIENCE = 10
# What programs on standard streams say besides.
QUIET = open(os.devnull, "w")
ANSWERS = {
    "sampling/createMessage": {"role": "assistant", "content": {"type": "text", "text": "forty-two"}, "model": "m-1", "stopReason": "endTurn"},
    "elicitation/create": {"action": "accept", "content": {"name": "Ada", "integer": 7, "value": "yes"}},
}  # fmt: skip
LISTS = {
    "tools/list": ("list_tools", "tools"),
    "resources/list": ("list_resources", "resources"),
    "resources/templates/list": ("list_resource_templates", "resourceTemplates"),
    "prompts/list": ("list_prompts", "prompts"),
}


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Python:
    """One session of the official client."""

    def __init__(self, target, mode, roots):
        self.seen = {}
        if "command" in target:
            command, *args = target["command"]
            server = stdio_client(StdioServerParameters(command=command, args=args), errlog=QUIET)
        else:
            server = target["url"]
        self.client = Client(
            server,
            mode=mode,
            sampling_callback=self.asked("sampling/createMessage", types.CreateMessageResult),
            elicitation_callback=self.asked("elicitation/create", types.ElicitResult),
            list_roots_callback=self.lists_roots,
            logging_callback=self.logged,
            message_handler=self.told,
            log_level="debug",
            read_timeout_seconds=30,
        )
        self.roots = roots

    def note(self, kind, of):
        self.seen.setdefault(kind, []).append(of)

    def asked(self, method, answer):
        async def asked(context, params):
            self.note("asked", [method, plain(params)])
            url = getattr(params, "mode", None) == "url"
            return answer.model_validate({"action": "accept"} if url else ANSWERS[method])

        return asked

    async def lists_roots(self, context):
        return types.ListRootsResult.model_validate({"roots": self.roots})

    async def logged(self, params):
        self.note("logged", params.data)

    async def told(self, message):
        if isinstance(message, types.ResourceUpdatedNotification):
            self.note("updated", message.params.uri)

    async def progress(self, progress, total, message):
        self.note("progress", [progress, total, message])

    async def ask(self, method, params):
        client = self.client
        match method:
            case "tools/call":
                return await client.call_tool(params["name"], params.get("arguments"), progress_callback=self.progress)
            case "resources/read":
                return await client.read_resource(params["uri"])
            case "resources/subscribe":
                return await client.subscribe_resource(params["uri"])
            case "resources/unsubscribe":
                return await client.unsubscribe_resource(params["uri"])
            case "prompts/get":
                return await client.get_prompt(params["name"], params.get("arguments"))
            case "completion/complete":
                kinds = {"ref/prompt": types.PromptReference, "ref/resource": types.ResourceTemplateReference}
                reference = kinds[params["ref"]["type"]].model_validate(params["ref"])
                context = params.get("context", {}).get("arguments")
                return await client.complete(reference, params["argument"], context)
            case "logging/setLevel":
                return await client.set_logging_level(params["level"])
            case "ping":
                return await client.send_ping()
        raise AssertionError(f"no such method: {method}")

    async def list(self, method):
        of, member = LISTS[method]
        items, pages, cursor = [], 0, None
        while pages == 0 or cursor is not None:
            page = await getattr(self.client, of)(cursor=cursor)
            items += plain(page)[member]
            cursor, pages = page.next_cursor, pages + 1
        return {"pages": pages, "result": {member: items}}

    async def perform(self, operation):
        self.seen = {}
        method, params = operation["method"], operation.get("params", {})
        try:
            if method in LISTS:
                outcome = await self.list(method)
            else:
                outcome = {"result": plain(await self.ask(method, params))}
        except MCPError as error:
            outcome = {"error": {"code": error.error.code, "message": error.error.message}}
        for _ in range(PATIENCE * 50):
            if all(len(self.seen.get(kind, [])) >= count for kind, count in operation.get("awaits", {}).items()):
                break
            await asyncio.sleep(0.02)
        return {**outcome, **self.seen}


async def in_python(target, mode, roots, operations):
    session = Python(target, mode, roots)
    async with session.client:
        return [await session.perform(operation) for operation in operations]


def python(mode):
    return lambda target, roots, operations: asyncio.run(in_python(target, mode, roots, operations))


def javascript(target, roots, operations):
    plan = {**target, "roots": roots, "answers": ANSWERS, "operations": operations}
    done, stdout, stderr = run(node(), SERVERS / "client.mjs", input=json.dumps(plan))
    assert done, f"the client ended: {stderr[-3000:]}"
    return json.loads(stdout)["outcomes"]


def inspector(target, roots, operations):
    """The inspector's command line: a session for each operation. It offers no roots, and answers no questions."""
    ask = lambda of: inspect(target["url"], of["method"], of.get("params", {}))  # noqa: E731
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(ask, operations))


def inspect(url, method, params):
    command = [node(), INSPECTOR, "--cli", "--server-url", url, "--transport", "http", "--method", method]
    match method:
        case "tools/call":
            command += ["--tool-name", params["name"], "--tool-args-json", json.dumps(params.get("arguments", {}))]
        case "resources/read":
            command += ["--uri", params["uri"]]
        case "prompts/get":
            command += ["--prompt-name", params["name"]]
            command += [f for pair in params.get("arguments", {}).items() for f in ("--prompt-args", "=".join(pair))]
    done, stdout, stderr = run(*command, "--format", "json", "--quiet", "--stored-auth-only")
    # What it says of an error names what was called.
    return json.loads(stdout) if done else {"error": json.loads(stderr)["error"]["code"]}
