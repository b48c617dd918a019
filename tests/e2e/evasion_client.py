"""What a hostile client could write so that the gateway reads one call and the server another.

Each case: a name, the bytes, and what must happen. `REFUSED`: an error, and nothing reaches the server. `DENIED`: a
decision that is not `allow`, and nothing reaches it. Or the one call that reaches the server in every reading.
"""

import base64
import json

REFUSED, DENIED = "refused", "denied"
SAFE, DROP = '{"name":"safe","arguments":{"q":"x"}}', '{"name":"drop","arguments":{}}'


def request(params, method='"tools/call"', id="7", more=""):
    return f'{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}{more}}}'


def call(name, arguments="{}", more=""):
    """A call whose name and arguments are JSON texts."""
    return request(f'{{"name":{name},"arguments":{arguments}{more}}}')


def pay(amount, more=""):
    return call('"pay"', f'{{"amount":{amount}{more}}}')


GOOD, BAD = request(SAFE), request(DROP)
IS_SAFE = ("safe", {"q": "x"})
# A message without double quotes, for readers that are lax about them.
INSIDE = "{'jsonrpc':'2.0','id':8,'method':'tools/call','params':{'name':'drop','arguments':{}}}"


def twice():
    """Names that stand there twice: some readers take the first, some the last."""
    for one, other in ("drop", "safe"), ("safe", "drop"):
        yield f"name {one} and {other}", request(f'{{"name":"{one}","name":"{other}","arguments":{{}}}}'), REFUSED
        yield f"escaped name {one} and {other}", request(f'{{"n\\u0061me":"{one}","name":"{other}","arguments":{{}}}}'), REFUSED
    yield "params", request(SAFE, more=f',"params":{DROP}'), REFUSED
    yield "params, the other way", request(DROP, more=f',"params":{SAFE}'), REFUSED
    yield "escaped params", request(SAFE, more=f',"par\\u0061ms":{DROP}'), REFUSED
    yield "method", request(DROP, '"ping"', more=',"method":"tools/call"'), REFUSED
    yield "method, the other way", request(DROP, more=',"method":"ping"'), REFUSED
    yield "escaped method", request(DROP, '"ping"', more=',"m\\u0065thod":"tools/call"'), REFUSED
    yield "id", request(SAFE, more=',"id":8'), REFUSED
    yield "version of JSON-RPC", request(SAFE, more=',"jsonrpc":"1.0"'), REFUSED
    yield "arguments", call('"pay"', '{"amount":1}', ',"arguments":{"amount":1000}'), REFUSED
    yield "an argument", pay("1", ',"amount":1000'), REFUSED
    yield "an argument, the other way", pay("1000", ',"amount":1'), REFUSED
    yield "an escaped argument", pay("1", ',"\\u0061mount":1000'), REFUSED
    yield "an argument by another escape", pay("1", ',"am\\u006fun\\u0074":1000'), REFUSED
    yield "deep in arguments", call('"safe"', '{"a":[{"b":{"c":1,"c":2}}]}'), REFUSED
    yield "in _meta", call('"safe"', "{}", ',"_meta":{"a":1,"a":2}'), REFUSED
    yield "_meta", call('"safe"', "{}", ',"_meta":{},"_meta":{"progressToken":1}'), REFUSED
    yield "by surrogates", call('"safe"', '{"\\ud83d\\ude00":1,"😀":2}'), REFUSED
    yield "in other case", request(f'{{"name":"safe","Name":"drop","arguments":{{}}}}'), REFUSED
    yield "arguments in other case", call('"pay"', '{"amount":1}', ',"Arguments":{"amount":1000}'), REFUSED


def names():
    """Names that one reader takes for `drop` or `safe`, and another does not."""
    for name in (
        "DROP", "Drop", "drop ", " drop", "drop\\t", "drop\\n", "drop\\r", "drop.", "drop/", "./drop", "/drop", "drop\\u0000",
        "drop\\u0000x", "safe\\u0000drop", "dr\\u200bop", "drop\\u200d", "\\ufeffdrop", "drop\\u00ad", "ｄｒｏｐ", "drοp", "dгop",
        "ⅾrop", "d\\u0072op\\u0301", "\\u202edrop", "drop%20", "%64rop", "safe,drop", "safe;drop", "safe\\ndrop", "SAFE", "Safe",
        "safe ", " safe", "safe\\u200b", "ѕafe", "ſafe", "sаfe", "safe\\u0301", "safe.", "mcp:tools/call", "safe__drop", "",
        "*", "saf*", "safe|drop", "tools/call", "__proto__", "constructor", "s", "safesafe", "drop\\u2028", "drop\\\\",
    ):
        yield f"name {name or 'empty'}", call(f'"{name}"'), DENIED
    yield "name drop, escaped", call('"dr\\u006fp"'), DENIED
    yield "name drop, all escaped", call('"\\u0064\\u0072\\u006f\\u0070"'), DENIED
    yield "name safe, escaped", call('"s\\u0061fe"', '{"q":"x"}'), IS_SAFE
    for kind, name in {
        "list": '["safe","drop"]', "object": '{"safe":"drop"}', "number": "1", "null": "null", "boolean": "true",
        "list of one": '["drop"]',
    }.items():
        yield f"name that is a {kind}", call(name), REFUSED
    yield "name with a lone surrogate", call('"drop\\ud800"'), REFUSED
    yield "no name", request('{"arguments":{}}'), REFUSED
    yield "name in arguments", call('"safe"', '{"name":"drop"}'), ("safe", {"name": "drop"})
    yield "message in arguments", call('"safe"', f'{{"m":{BAD}}}'), ("safe", {"m": json.loads(BAD)})
    yield "message as text in arguments", call('"safe"', json.dumps({"m": BAD})), ("safe", {"m": BAD})
    yield "name beside params", request('{"name":"safe","arguments":{}}', more=',"name":"drop"'), REFUSED
    yield "tool beside name", request('{"name":"safe","tool":"drop","arguments":{}}'), REFUSED
    yield "prototype of params", request('{"name":"safe","arguments":{},"__proto__":{"name":"drop"}}'), REFUSED
    yield "prototype of the message", request(SAFE, more=f',"__proto__":{{"params":{DROP}}}'), REFUSED
    yield "task beside", request('{"name":"safe","arguments":{},"task":{"ttl":1,"name":"drop"}}'), REFUSED


def methods():
    """Methods that one reader takes for `tools/call`, and another does not."""
    for method in (
        "Tools/Call", "tools/CALL", "TOOLS/CALL", "tools/call ", " tools/call", "tools/call\\u0000", "tools/call\\n",
        "tооls/call", "tools／call", "tools∕call", "tools\\u2044call", "\\ufefftools/call", "tools/call\\u200b", "tools\\\\call",
        "notifications/../tools/call", "tools/./call", "tools%2Fcall", "tools/ call", "", "Initialize", "PING", "Notifications/Initialized",
    ):
        yield f"method {method or 'empty'}", request(DROP, f'"{method}"'), (REFUSED, DENIED)
    for method in ("tools//call", "/tools/call", "tools/call/", "tools.call", "tools_call", "call", "rpc.tools/call", "tools/call2"):
        yield f"method {method}", request(DROP, f'"{method}"'), DENIED
    for kind, method in {"list": '["tools/call"]', "number": "1", "null": "null", "object": '{"tools":"call"}'}.items():
        yield f"method that is a {kind}", request(DROP, method), REFUSED
    yield "method with an escaped slash, drop", request(DROP, '"tools\\/call"'), DENIED
    yield "method with an escaped slash, safe", request(SAFE, '"tools\\/call"'), IS_SAFE
    yield "method with escaped letters, drop", request(DROP, '"\\u0074ools/c\\u0061ll"'), DENIED
    yield "no method", f'{{"jsonrpc":"2.0","id":7,"params":{DROP}}}', REFUSED
    for method, params in {
        "resources/read": '{"uri":"file:///shut/a"}', "prompts/get": DROP, "completion/complete": '{"ref":{"name":"drop"}}',
        "tasks/cancel": '{"taskId":"1"}', "sampling/createMessage": "{}", "vendor/drop": "{}", "resources/subscribe": '{"uri":"file:///shut/a"}',
    }.items():
        yield f"method {method}", request(params, f'"{method}"'), DENIED
    for uri in (
        "file:///open/../shut/a", "FILE:///open/a", "file:///open%2f..%2fshut", "file:/open/a", "file:///shut/?file:///open/",
        " file:///open/a", "file:///OPEN/a", "ﬁle:///open/a", "file:///open\\u0000/", "x+file:///open/a",
    ):
        # A prefix is compared as it is written: what it means to resolve `..` is the server's.
        if not uri.startswith("file:///open/"):
            yield f"resource {uri}", request(f'{{"uri":"{uri}"}}', '"resources/read"'), (REFUSED, DENIED)
    for method in ("tools/call", "notifications/tools/call", "notifications/message", "ping", "resources/read", "notifications/Cancelled"):
        yield f"notification {method}", f'{{"jsonrpc":"2.0","method":"{method}","params":{DROP}}}', REFUSED


def values():
    """Ids, numbers and kinds."""
    for id in (
        "null", "1.5", "1.0", "1e0", "1E2", "true", "[1]", '{"a":1}', "18446744073709551616", "-9223372036854775809", "9" * 400,
        "01", "+1", "--1", "1-", "0x1", "NaN", "1_0", "-", "", '"\\ud800"', "'7'",
    ):
        yield f"id {id[:24] or 'missing value'}", request(SAFE, id=id), REFUSED
    for id in ("0", "-1", "9007199254740993", "9223372036854775807", '"7"', '""', '"a\\u0000b"', '"\\u2028"', '"' + "x" * 2000 + '"', '"é"'):
        yield f"id {id[:24]}", request(SAFE, id=id), IS_SAFE
    yield "ids differ by kind only", request(DROP, id='"7"'), DENIED
    for amount in ("1e3", "1E3", "1000", "100.5", "1e999", "18446744073709551617e0", "4294967297", "0.1e4"):
        yield f"amount {amount}", pay(amount), (DENIED, REFUSED)
    for amount in (
        "0100", "+100", "100.", ".5", "0x64", "1e", "NaN", "Infinity", "-Infinity", "1_00", "1,0", "１００", "0o7", "1 000",
        "18446744073709551617", "-18446744073709550616",
    ):
        yield f"amount {amount} is no number", pay(amount), REFUSED
    for amount in ('"1000"', '"1"', "null", "[1]", '{"$numberLong":"1000"}', "true", '["1000"]'):
        yield f"amount {amount} of another kind", pay(amount), DENIED
    for amount, value in {"1e2": 100.0, "100.0": 100.0, "-0": 0, "1": 1}.items():
        yield f"amount {amount} is small", pay(amount), ("pay", {"amount": value})
    yield "amount in other case", call('"pay"', '{"Amount":1000,"amount":1}'), (DENIED, REFUSED)
    yield "amount of the prototype", call('"pay"', '{"amount":1,"__proto__":{"amount":1000}}'), (DENIED, REFUSED)
    for kind, arguments in {"text": '"{}"', "list": "[]", "null": "null", "number": "1"}.items():
        yield f"arguments that are a {kind}", call('"safe"', arguments), REFUSED
    for kind, params in {"list": '["drop",{}]', "text": '"drop"', "null": "null", "number": "1"}.items():
        yield f"params that are a {kind}", request(params), REFUSED
    yield "no params", '{"jsonrpc":"2.0","id":7,"method":"tools/call"}', REFUSED
    for version in ('"1.0"', "2.0", "2", "null", '"2.0 "', '["2.0"]', '"２.0"'):
        yield f"jsonrpc {version}", request(SAFE).replace('"2.0"', version, 1), REFUSED
    yield "no jsonrpc", '{"id":7,"method":"tools/call","params":' + SAFE + "}", REFUSED


def documents():
    """More than one document, less than one, or one in another notation."""
    for what, text in {
        "two": GOOD + BAD, "two with a space": f"{GOOD} {BAD}", "two with a comma": f"{GOOD},{BAD}", "a batch": f"[{GOOD},{BAD}]",
        "a batch of one": f"[{GOOD}]", "a batch of a bad one": f"[{BAD}]", "an empty batch": "[]", "batch in a batch": f"[[{BAD}]]",
        "a NUL after": GOOD + "\0", "a message after a NUL": f"{GOOD}\0{BAD}", "junk after": GOOD + "x", "a brace after": GOOD + "}",
        "a brace before": "{" + GOOD, "a record separator": "\x1e" + GOOD, "junk before": ")]}'" + GOOD, "null": "null", "a number": "7",
        "true": "true", "a text": json.dumps(BAD), "cut": BAD[:-1], "cut in a name": BAD[: BAD.index("drop")], "a block comment": f"{GOOD}/*{BAD}*/",
        "a comment inside": GOOD.replace('"safe"', '"safe"/*"drop"*/'), "a line comment": f"{GOOD}//{BAD}", "a hash comment": f"{GOOD}#{BAD}",
        "a trailing comma": GOOD[:-1] + ",}", "a missing comma": GOOD.replace(',"id"', ' "id"'), "single quotes": INSIDE,
        "names without quotes": "{jsonrpc:'2.0',id:7,method:'tools/call',params:{name:'drop'}}", "escapes by x": GOOD.replace("safe", "\\x64rop"),
        "an escaped quote that is none": GOOD.replace('"safe"', '"safe\\'), "octal escapes": GOOD.replace("safe", "\\144rop"),
        "a form feed": "\f" + GOOD, "a no-break space": "\u00a0" + GOOD, "a line separator": "\u2028" + GOOD, "XML": f"<!--{BAD}-->",
        "a form": "jsonrpc=2.0&id=7&method=tools/call", "base64": base64.b64encode(BAD.encode()).decode(),
    }.items():
        yield what, text, REFUSED
    yield "padded with spaces", f"  {GOOD}\t  ", IS_SAFE
    for what, depth, expect in ("deep", 100, "sent"), ("too deep", 200, REFUSED), ("far too deep", 100_000, REFUSED):
        value = "[" * depth + "]" * depth
        yield what, call('"safe"', f'{{"a":{value}}}'), ("safe", {"a": json.loads(value)}) if expect == "sent" else expect
    yield "objects, too deep", call('"safe"', '{"a":' * 300 + "1" + "}" * 300), REFUSED
    yield "open lists only", "[" * 200_000, REFUSED
    yield "open objects only", '{"a":' * 100_000, REFUSED
    for member in ("extra", "Method", "param", "_meta", "headers", "tool", "constructor", ""):
        yield f"another member {member or 'empty'}", request(SAFE, more=f',"{member}":{DROP}'), REFUSED
    yield "a request with a result", request(SAFE, more=',"result":{}'), REFUSED
    yield "a request with an error", request(SAFE, more=',"error":{"code":1,"message":""}'), REFUSED
    for what, id in {"nobody asked": "1", "a made up ask": '"placet-ask-1"', "an ask that is none": '"placet-ask-"', "a null": "null"}.items():
        yield f"an answer to what {what}", f'{{"jsonrpc":"2.0","id":{id},"result":{DROP}}}', REFUSED
    yield "an answer with both", '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}', REFUSED


def encodings():
    """Bytes that decode to different texts."""
    good, bad = GOOD.encode(), BAD.encode()
    yield "a byte order mark", b"\xef\xbb\xbf" + good, REFUSED
    yield "a byte order mark, drop", b"\xef\xbb\xbf" + bad, REFUSED
    for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-7", "cp037"):
        if name != "utf-7":
            yield name, BAD.encode(name).replace(b"\n", b" ").replace(b"\r", b" "), REFUSED
    yield "utf-7 inside", BAD.replace('"drop"', "+ACI-drop+ACI-").encode(), REFUSED
    for what, raw in {
        "overlong d": b"\xc1\xa4rop", "overlong d in three": b"\xe0\x81\xa4rop", "overlong d in four": b"\xf0\x80\x81\xa4rop",
        "overlong NUL": b"drop\xc0\x80", "overlong slash": b"drop\xc0\xaf", "latin-1": b"dr\xf6p", "a surrogate": b"drop\xed\xa0\x80",
        "a pair of surrogates": b"drop\xed\xa0\xbd\xed\xb8\x80", "beyond Unicode": b"drop\xf4\x90\x80\x80", "five bytes": b"drop\xf8\x88\x80\x80\x80",
        "a cut character": b"drop\xe2\x80", "a lone continuation": b"drop\x80", "FE FF": b"\xfe\xffdrop", "a byte that eats the quote": b"drop\xc3",
    }.items():
        yield f"{what} in a name", bad.replace(b"drop", raw), REFUSED
        yield f"{what} in an argument", good.replace(b'"x"', b'"' + raw + b'"'), REFUSED
    for what, text in {"a lone high": "\\ud800", "a lone low": "\\udc00", "a pair turned round": "\\udc00\\ud800", "a high twice": "\\ud800\\ud800"}.items():
        yield f"{what} surrogate, escaped", call('"safe"', f'{{"q":"{text}"}}'), REFUSED
        yield f"{what} surrogate, escaped, as a name", call('"safe"', f'{{"{text}":1}}'), REFUSED
    yield "a pair of surrogates, escaped", call('"safe"', '{"q":"\\ud83d\\ude00"}'), ("safe", {"q": "😀"})
    for what, raw in {"a tab": "\t", "a NUL": "\0", "an escape": "\x1b", "a bell": "\x07"}.items():
        yield f"{what} in a text", call('"safe"', f'{{"q":"a{raw}b"}}'), REFUSED
    yield "DEL in a text", call('"safe"', '{"q":"a\x7fb"}'), ("safe", {"q": "a\x7fb"})
    for what, char in {"no character": "\ufffe", "a replacement": "\ufffd", "a private": "\ue000", "a mark": "\ufeff", "right to left": "\u202e"}.items():
        yield f"{what} in a text", call('"safe"', f'{{"q":"{char}"}}'), ("safe", {"q": char})


def line_ends():
    """What some readers of lines take for the end of one."""
    for what, char in {"NEL": "\u0085", "LS": "\u2028", "PS": "\u2029"}.items():
        text = f"{char}{INSIDE}{char}"
        yield f"{what} in an argument", call('"safe"', json.dumps({"q": text}, ensure_ascii=False)), ("safe", {"q": text})
        yield f"{what} in _meta", call('"safe"', '{"q":"x"}', f',"_meta":{{"a":"{text}"}}'), IS_SAFE
        yield f"{what} in the name of an argument", call('"safe"', f'{{"{text}":1}}'), ("safe", {text: 1})
        yield f"{what} in the id", request(SAFE, id=f'"{text}"'), IS_SAFE
        yield f"{what} between tokens", f"{GOOD}{char}{BAD}", REFUSED
    for what, char in {"VT": "\x0b", "FF": "\x0c", "FS": "\x1c", "RS": "\x1e"}.items():
        yield f"{what} in an argument", call('"safe"', f'{{"q":"{char}{INSIDE}{char}"}}'), REFUSED
        yield f"{what} between messages", f"{GOOD}{char}{BAD}", REFUSED
    yield "CR between messages", f"{GOOD}\r{BAD}", REFUSED
    yield "escaped line ends", call('"safe"', json.dumps({"q": f"\n{BAD}\r\n{BAD}\r"})), ("safe", {"q": f"\n{BAD}\r\n{BAD}\r"})
    yield "CR between tokens", GOOD.replace(",", ",\r").replace(":", ":\r"), IS_SAFE
    yield "CR at the end", GOOD + "\r", IS_SAFE


def http_only():
    """What over HTTP is one body, and on standard streams several lines."""
    pretty = json.dumps(json.loads(GOOD), indent=2)
    for what, end in {"LF": "\n", "CRLF": "\r\n"}.items():
        yield f"pretty with {what}", pretty.replace("\n", end), IS_SAFE
        yield f"two messages with {what}", f"{GOOD}{end}{BAD}", REFUSED
        yield f"{what} in a text", call('"safe"', f'{{"q":"a{end}{BAD}"}}'.replace('\\"', "'")), REFUSED
        yield f"{what} before and after", f"{end}{GOOD}{end}", IS_SAFE
    yield "a message across lines that holds one in a line", GOOD.replace('"x"', '{"a":\n' + BAD + "\n}"), ("safe", {"q": {"a": json.loads(BAD)}})
    yield "blank lines only", "\n\n\n", REFUSED
    yield "nothing", "", REFUSED
    yield "just over the limit", call('"safe"', '{"q":"' + "x" * (2 << 20) + '"}'), REFUSED
    yield "far over the limit", call('"drop"', '{"q":"' + "x" * (9 << 20) + '"}'), REFUSED


GROUPS = {
    "twice": twice, "names": names, "methods": methods, "values": values, "documents": documents, "encodings": encodings,
    "line-ends": line_ends,
}


def cases(*more):
    for group, make in {**GROUPS, **{of.__name__.replace("_", "-"): of for of in more}}.items():
        for name, body, expect in make():
            yield f"{group}/{name}", body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body, expect
