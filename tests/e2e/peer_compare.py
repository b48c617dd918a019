"""Outcomes as they have to be: in the names of the gateway's clients, and without what differs each time."""

import base64
import copy
import difflib
import json
import re

# What is never the same twice: ids, times, and the time in a language's own writing.
CHANGING = [
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "(an id)"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "(an id)"),
    (re.compile(r"\b[pm]-\d+: (?=refunded|paid|sent)"), "(a number) "),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"), "(a time)"),
    (re.compile(r"\b(\w{3} \w{3} \d\d \d{4} )?\d{1,2}:\d\d:\d\d( [AP]M)?( GMT[+-]\d{4})?( \([^)]*\))?"), "(a time)"),
]
# What the gateway says of a decision, and what 2026-07-28 demands of each result.
ADDED = ("dev.placet/", "io.modelcontextprotocol/serverInfo")
DEMANDED = ("resultType", "ttlMs", "cacheScope")
# What a list's elements are known by.
KNOWN_BY = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}


def text(of):
    for pattern, instead in CHANGING:
        of = pattern.sub(instead, of)
    return of


def blob(of):
    try:
        return text(base64.b64decode(of).decode())
    except ValueError:
        return of


def normal(value, key=None):
    """Without what differs each time."""
    match value:
        case dict():
            value = {name: normal(of, name) for name, of in value.items() if not name.startswith(ADDED)}
            return {name: of for name, of in value.items() if not (name == "_meta" and not of)}
        case list():
            return [normal(of) for of in value]
        case str():
            return blob(value) if key == "blob" else text(value)
        case bool() | None:
            return value
        case int() | float():
            return float(value)
    return value


def outcome(of):
    of = copy.deepcopy(of)
    if isinstance(of.get("result"), dict):
        of["result"] = {name: value for name, value in of["result"].items() if name not in DEMANDED}
    of["asked"] = [
        [method, {name: value for name, value in params.items() if name != "_meta"}]
        for method, params in of.get("asked", [])
    ]
    return normal(of)


class Names:
    """A server's names as the gateway's clients know them."""

    def __init__(self, prefix):
        self.prefix = prefix

    def name(self, of):
        return of if self.prefix is None else f"{self.prefix}__{of}"

    def uri(self, of):
        return of if self.prefix is None else f"{self.prefix}+{of}"

    def known(self, of, by):
        return {**of, by: (self.name if by == "name" else self.uri)(of[by])}

    def block(self, of):
        if of["type"] == "resource":
            return {**of, "resource": self.known(of["resource"], "uri")}
        return self.known(of, "uri") if of["type"] == "resource_link" else of

    def result(self, of):
        of = dict(of)
        for member, by in KNOWN_BY.items():
            if member in of:
                of[member] = [self.known(one, by) for one in of[member]]
        if "contents" in of:
            of["contents"] = [self.known(one, "uri") for one in of["contents"]]
        if "content" in of:
            of["content"] = [self.block(one) for one in of["content"]]
        if "messages" in of:
            of["messages"] = [{**one, "content": self.block(one["content"])} for one in of["messages"]]
        # Of a task: its result is a call's.
        if isinstance(of.get("result"), dict):
            of["result"] = self.result(of["result"])
        return of


def expected(operation, prefix):
    """The operation in the names of the gateway's clients."""
    names, params = Names(prefix), dict(operation["params"])
    if operation["method"] in ("tools/call", "prompts/get"):
        params = names.known(params, "name")
    if "uri" in params:
        params = names.known(params, "uri")
    if "ref" in params:
        params["ref"] = names.known(params["ref"], "name" if "name" in params["ref"] else "uri")
    return {**operation, "params": params}


def outward(of, prefix):
    names, of = Names(prefix), dict(of)
    if "result" in of:
        of["result"] = names.result(of["result"])
    if "updated" in of:
        of["updated"] = [names.uri(uri) for uri in of["updated"]]
    return of


def without_guidance(of, prefix, guided):
    """Of a list of tools, without what the gateway says of the policy. Tools that are allowed with any arguments have
    nothing said of them."""
    of = dict(of)
    names = {Names(prefix).name(tool) for tool in guided}
    tools = of.get("result", {}).get("tools", [])
    for tool in tools:
        description, _, policy = tool.get("description", "").partition("\n\nPolicy: ")
        assert bool(policy) == (tool["name"] in names), f"{tool['name']}: {tool.get('description')}"
        tool["description"] = description
    return of


def filtered(of, prefix, hidden):
    """Of a list, what is this server's, without what nobody may call; how many pages it has is one gateway's own."""
    of = dict(of)
    for member, by in KNOWN_BY.items():
        if member in of.get("result", {}):
            seen = [one for one in of["result"][member] if member != "tools" or one["name"] not in hidden]
            if prefix is not None:
                seen = [one for one in seen if one[by].startswith((f"{prefix}__", f"{prefix}+"))]
                of.pop("pages", None)
            of["result"] = {**of["result"], member: seen}
    return of


def same(operation, direct, found, prefix, hidden, guided):
    """The outcome through the gateway is what it is directly."""
    found = without_guidance(filtered(copy.deepcopy(found), prefix, set()), prefix, guided)
    for kind, count in operation["awaits"].items():
        assert len(direct.get(kind, [])) >= count, f"the server alone said no `{kind}`: {direct}"
    kept = filtered(direct, None, hidden)
    kept = filtered(outward(kept, prefix), prefix, set())
    wanted, got = outcome(kept), outcome(found)
    if "logged" not in operation["awaits"]:
        # Logged at its own time: nobody knows during which operation.
        wanted.pop("logged", None), got.pop("logged", None)
    if wanted != got:
        lines = [json.dumps(of, indent=1, sort_keys=True, ensure_ascii=False).splitlines() for of in (wanted, got)]
        different = [line[:300] for line in difflib.unified_diff(*lines, "directly", "through the gateway", n=2, lineterm="")]
        raise AssertionError("\n  ".join(different[:40]))
