"""The servers behind the gateway, what is done with each, and what nobody may do there."""

import base64

def numbered(operations):
    """Each with a name of its own: the second `echo` is `echo-2`."""
    seen = {}
    for of in operations:
        seen[of["name"]] = count = seen.get(of["name"], 0) + 1
        yield of if count == 1 else {**of, "name": f"{of['name']}-{count}"}


LISTS = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"]
DOCUMENT = "demo://resource/static/document/features.md"
PACKED = "data:text/plain;base64," + base64.b64encode(b"a text that is packed").decode()


def op(called, method, awaits=None, /, only=None, **params):
    """An operation; `only` some can do it: `session` (where there are sessions), `javascript`."""
    return {"name": called, "method": method, "params": params, "awaits": awaits or {}, "only": only}


def call(tool, /, only=None, **arguments):
    return op(tool, "tools/call", only=only, name=tool, arguments=arguments)


def lists():
    return [op(method, method) for method in LISTS]


EVERYTHING = [
    *lists(),
    op("ping", "ping", only="session"),
    call("echo", message="hello"),
    call("echo", message="Größe 🦀 \u2028 \"quoted\" \\ end"),
    call("echo"),
    call("get-sum", a=2, b=40.5),
    call("get-sum", a="two", b=3),
    call("get-tiny-image"),
    call("get-annotated-message", messageType="error", includeImage=True),
    call("get-annotated-message", messageType="debug"),
    call("get-resource-links", count=4),
    call("get-resource-reference", resourceType="Text", resourceId=7),
    call("get-resource-reference", resourceType="Blob", resourceId=8),
    call("get-structured-content", location="Chicago"),
    call("get-roots-list"),
    call("gzip-file-as-resource", name="a.gz", data=PACKED, outputType="resource"),
    call("gzip-file-as-resource", name="b.gz", data=PACKED, outputType="resourceLink"),
    op("read-session-resource", "resources/read", uri="demo://resource/session/b.gz"),
    call("trigger-long-running-operation", duration=0.2, steps=4),
    call("trigger-sampling-request", prompt="what is it?", maxTokens=50),
    call("trigger-elicitation-request"),
    call("trigger-url-elicitation", url="https://example.com/a", message="go", elicitationId="e-1"),
    op("read-document", "resources/read", uri=DOCUMENT),
    op("read-text", "resources/read", uri="demo://resource/dynamic/text/3"),
    op("read-blob", "resources/read", uri="demo://resource/dynamic/blob/3"),
    op("read-nothing", "resources/read", uri="demo://resource/dynamic/text/-1"),
    op("read-unknown", "resources/read", uri="other://x"),
    op("prompt", "prompts/get", name="simple-prompt"),
    op("prompt-arguments", "prompts/get", name="args-prompt", arguments={"city": "Chicago", "state": "IL"}),
    op("prompt-with-resource", "prompts/get", name="resource-prompt", arguments={"resourceType": "Text", "resourceId": "5"}),
    op("prompt-wrong", "prompts/get", name="args-prompt", arguments={}),
    op("prompt-unknown", "prompts/get", name="no-such-prompt"),
    op(
        "complete-prompt",
        "completion/complete",
        ref={"type": "ref/prompt", "name": "completable-prompt"},
        argument={"name": "department", "value": "S"},
    ),
    op(
        "complete-in-context",
        "completion/complete",
        ref={"type": "ref/prompt", "name": "completable-prompt"},
        argument={"name": "name", "value": ""},
        context={"arguments": {"department": "Engineering"}},
    ),
    op(
        "complete-template",
        "completion/complete",
        ref={"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"},
        argument={"name": "resourceId", "value": "4"},
    ),
    op("level", "logging/setLevel", only="session", level="info"),
    op("subscribe", "resources/subscribe", {"logged": 1}, only="session", uri=DOCUMENT),
    {**call("toggle-subscriber-updates", only="session"), "awaits": {"updated": 1}},
    op("unsubscribe", "resources/unsubscribe", {"logged": 1}, only="session", uri=DOCUMENT),
    op("level-high", "logging/setLevel", only="session", level="emergency"),
    op("subscribe-silently", "resources/subscribe", only="session", uri=DOCUMENT),
]

NOTES = [
    *lists(),
    op("ping", "ping", only="session"),
    call("find", word="milk"),
    call("find", word="nothing"),
    call("find"),
    call("add", id="9", text="a\nb", tags=["x", "y"], weight=1e-3),
    call("add", id="9", text="large", weight=12345678901234567890),
    call("export", steps=3),
    call("confirm", only="session", question="really?"),
    call("picture"),
    call("fail", why="because"),
    op("read", "resources/read", uri="notes://all"),
    op("read-pixel", "resources/read", uri="notes://pixel"),
    op("read-template", "resources/read", uri="notes://note/2"),
    op("prompt", "prompts/get", name="summarize", arguments={"id": "1"}),
    op("prompt-plain", "prompts/get", name="greet"),
]

QUICKSTART = [
    op("tools/list", "tools/list"),
    op("ping", "ping", only="session"),
    call("crm.search", query="ada"),
    call("crm.read_customer", id="c-1"),
    call("crm.read_customer", id="nobody"),
    call("crm.read_customer", nobody="c-1"),
    call("payees.verify", payee="northwind-energy"),
    call("payments.refund", amount=50, currency="USD", customer="c-1", reason="late"),
    call("payments.refund", amount=1e6, currency="USD", customer="c-1", reason="late"),
    call("payments.pay", payee="northwind-energy", amount=12.5, currency="EUR"),
    call("email.send", to=["a@acme.com"], subject="s", body="b"),
]


def files(folder):
    """What is done with files below a folder, in this order; at the end they are as they were."""
    path = lambda name: str(folder / name)  # noqa: E731
    return [
        op("tools/list", "tools/list"),
        op("ping", "ping", only="session"),
        call("list_allowed_directories"),
        call("list_directory", path=str(folder)),
        call("list_directory_with_sizes", path=str(folder), sortBy="size"),
        call("directory_tree", path=str(folder)),
        call("read_text_file", path=path("a.txt")),
        call("read_text_file", path=path("a.txt"), head=1),
        call("read_text_file", path=path("missing.txt")),
        call("read_text_file", path="/etc/passwd"),
        call("read_text_file", path=path("../outside.txt")),
        call("read_media_file", path=path("pixel.png")),
        call("read_multiple_files", paths=[path("a.txt"), path("sub/b.txt"), path("missing.txt")]),
        call("search_files", path=str(folder), pattern="**/*.txt"),
        call("get_file_info", path=path("sub/b.txt")),
        call("create_directory", path=path("new")),
        call("write_file", path=path("new/c.txt"), content="one\ntwo\n"),
        call("edit_file", path=path("new/c.txt"), edits=[{"oldText": "two", "newText": "three"}]),
        call("read_text_file", path=path("new/c.txt")),
        call("write_file", path=path("new/c.txt"), content=""),
    ]


# A call that the server would make a task of. Its outcome would come by another request, past the call's obligations: the
# gateway refuses it whatever the policy says.
TASK = op(
    "task",
    "tools/call",
    only="javascript",
    name="simulate-research-query",
    arguments={"topic": "owls", "ambiguous": False},
    task={"ttl": 60000},
)

# What nobody may do: the rule's tool (of server and tool), its arguments, and an operation that does it.
FORBIDDEN = {
    "everything": [
        ("get-env", None, call("get-env")),
        # What is in no catalogue is refused as what was never accepted, whatever the policy says.
        ("no-such-tool", None, call("no-such-tool")),
        ("echo", {"message": {"prefix": "forbidden"}}, call("echo", message="forbidden words")),
        ("mcp:sampling/createMessage", {"maxTokens": {"min": 1000}}, call("trigger-sampling-request", prompt="much", maxTokens=5000)),
    ],
    "notes": [
        ("erase", None, call("erase", id="1")),
        ("mcp:resources/read", {"uri": {"prefix": "notes://note/secret"}}, op("read-secret", "resources/read", uri="notes://note/secret")),
        ("mcp:prompts/get", {"name": {"one_of": ["forge"]}}, op("forge", "prompts/get", name="forge", arguments={"signature": "Ada"})),
    ],
    "quickstart": [("admin.drop_database", None, call("admin.drop_database", name="crm"))],
    "files": lambda folder: [
        ("move_file", None, call("move_file", source=str(folder / "a.txt"), destination=str(folder / "z.txt"))),
        ("write_file", {"path": {"suffix": ".exe"}}, call("write_file", path=str(folder / "run.exe"), content="x")),
    ],
}  # fmt: skip


def inspected():
    """What the inspector's command line can do, once each: it takes a second for every one."""
    named = {of["name"]: of for of in numbered(EVERYTHING)}
    chosen = ["tools/list", "prompts/list", "echo", "get-structured-content", "read-document", "prompt-arguments"]
    return [named[name] for name in chosen]
