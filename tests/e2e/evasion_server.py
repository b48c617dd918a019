"""What a hostile server could answer so that the gateway decides one result and the client reads another.

`@ID@` stands for the id of the request. `FORGED` stands for what must never reach the client: a second answer, another's
answer, a member that the policy redacts. The honest answer's text is `fine`.
"""

import json

FINE, ERROR = "fine", "error"


def answer(result='{"content":[{"type":"text","text":"fine"}]}', id="@ID@", more=""):
    return f'{{"jsonrpc":"2.0","id":{id},"result":{result}{more}}}'


GOOD = answer()
FORGED_RESULT = '{"content":[{"type":"text","text":"FORGED"}]}'
FORGED = answer(FORGED_RESULT)
ROWS = '{"content":[],"structuredContent":{"open":1,"secret":"FORGED"}}'
INSIDE = "{'jsonrpc':'2.0','id':1,'result':'FORGED'}"


def bad_messages():
    """Each is no answer to the request: alone it is an error, and before the honest answer it is passed over."""
    for what, text in {
        "result twice": answer(more=f',"result":{FORGED_RESULT}'), "result twice, the other way": answer(FORGED_RESULT, more=',"result":{"content":[]}'),
        "result twice, escaped": answer(more=f',"res\\u0075lt":{FORGED_RESULT}'), "id twice": answer(FORGED_RESULT, more=',"id":1'),
        "id twice, escaped": answer(FORGED_RESULT, more=',"\\u0069d":1'), "content twice": answer('{"content":[],"content":[{"type":"text","text":"FORGED"}]}'),
        "content twice, escaped": answer('{"content":[],"c\\u006fntent":[{"type":"text","text":"FORGED"}]}'),
        "text twice": answer('{"content":[{"type":"text","text":"a","text":"FORGED"}]}'), "_meta twice": answer('{"content":[],"_meta":{},"_meta":{"dev.placet/decision":"FORGED"}}'),
        "another id": answer(FORGED_RESULT, '"other"'), "another kind of id": answer(FORGED_RESULT, "[@ID@]"), "a null id": answer(FORGED_RESULT, "null"),
        "id as a fraction": answer(FORGED_RESULT, "1.0"), "id with a space": answer(FORGED_RESULT, '" a"'), "id as a text": answer(FORGED_RESULT, '"1"'),
        "no id": '{"jsonrpc":"2.0","result":%s}' % FORGED_RESULT, "id in other case": '{"jsonrpc":"2.0","ID":@ID@,"result":%s}' % FORGED_RESULT,
        "result and error": answer(FORGED_RESULT, more=',"error":{"code":1,"message":"x"}'), "neither": '{"jsonrpc":"2.0","id":@ID@}',
        "result and method": answer(FORGED_RESULT, more=',"method":"ping"'), "result and null method": answer(FORGED_RESULT, more=',"method":null'),
        "result and params": answer(FORGED_RESULT, more=',"params":{}'), "another member": answer(more=f',"extra":{FORGED_RESULT}'),
        "a prototype": answer(more=f',"__proto__":{{"result":{FORGED_RESULT}}}'), "Result": '{"jsonrpc":"2.0","id":@ID@,"Result":%s}' % FORGED_RESULT,
        "no version": '{"id":@ID@,"result":%s}' % FORGED_RESULT, "another version": FORGED.replace("2.0", "1.0"), "a batch": f"[{FORGED},{FORGED}]",
        "a batch of one": f"[{FORGED}]", "two in one": FORGED + FORGED, "two with a space": f"{FORGED} {FORGED}", "two with a comma": f"{FORGED},{GOOD}",
        "a NUL after": FORGED + "\0", "junk after": FORGED + "}", "cut": FORGED[:-3], "a comment": f"{FORGED}/* */", "a trailing comma": FORGED[:-1] + ",}",
        "single quotes": INSIDE, "null": "null", "a number": "1", "a text": json.dumps(FORGED), "HTML": "<html>FORGED</html>", "XML": f"<a>{FORGED}</a>",
        "NaN": answer('{"content":[],"a":NaN,"b":"FORGED"}'), "Infinity": answer('{"content":[],"a":-Infinity,"b":"FORGED"}'), "hexadecimal": answer('{"a":0x1,"b":"FORGED"}'),
        "a leading zero": answer('{"a":01,"b":"FORGED"}'), "a lone surrogate": answer('{"content":[],"a":"\\ud800","b":"FORGED"}'),
        "a surrogate as a name": answer('{"content":[],"\\udc00":1,"b":"FORGED"}'), "a tab in a text": answer('{"content":[],"a":"\t","b":"FORGED"}'),
        "too deep": answer('{"content":[],"b":"FORGED","a":' + "[" * 300 + "]" * 300 + "}"), "far too deep": "[" * 100_000,
        "a notification that is none": '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"FORGED"}}',
        "a notification in other case": '{"jsonrpc":"2.0","method":"Notifications/message","params":{"data":"FORGED"}}',
        "a notification without a method": '{"jsonrpc":"2.0","params":{"data":"FORGED"}}', "a notification with params in a list": '{"jsonrpc":"2.0","method":"notifications/message","params":["FORGED"]}',
        "a notification with a list as method": '{"jsonrpc":"2.0","method":["notifications/message"],"params":{"data":"FORGED"}}',
        "an ask that policy refuses": '{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"messages":"FORGED"}}',
        "an ask for roots": '{"jsonrpc":"2.0","id":"q","method":"roots/list","params":{"a":"FORGED"}}', "an ask to call a tool": '{"jsonrpc":"2.0","id":"q","method":"tools/call","params":{"name":"FORGED"}}',
        "an ask in other case": '{"jsonrpc":"2.0","id":"q","method":"Elicitation/Create","params":{"message":"FORGED"}}',
        "an ask with two methods": '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","method":"sampling/createMessage","params":{"message":"FORGED"}}',
        "an ask with a null id": '{"jsonrpc":"2.0","id":null,"method":"elicitation/create","params":{"message":"FORGED"}}',
    }.items():
        yield what, text.encode("utf-8")
    for what, data in {
        "a byte order mark": b"\xef\xbb\xbf" + FORGED.encode(), "UTF-16": FORGED.encode("utf-16-le"), "UTF-16 with a mark": FORGED.encode("utf-16"),
        "UTF-32": FORGED.encode("utf-32-le"), "Latin-1": FORGED.replace("FORGED", "FORG\xc9D FORGED").encode("latin-1"), "overlong": FORGED.encode().replace(b'"text":"', b'"text":"\xc0\xa2'),
        "a surrogate in UTF-8": FORGED.encode().replace(b'"text":"', b'"text":"\xed\xa0\x80'), "a cut character": FORGED.encode().replace(b'FORGED"', b'FORGED\xe2\x80"'),
        "beyond Unicode": FORGED.encode().replace(b'"text":"', b'"text":"\xf4\x90\x80\x80'), "FE FF": b"\xfe\xff" + FORGED.encode(),
    }.items():
        yield what, data


def redacted():
    """Results of `rows`, of which `secret` must not reach the client: either without it, or not at all."""
    for what, result in {
        "plain": ROWS, "escaped": ROWS.replace("secret", "s\\u0065cret"), "twice": ROWS.replace('"open":1', '"secret":1'), "twice, escaped": ROWS.replace('"open":1', '"s\\u0065cret":1'),
        "the structure twice": ROWS[:-1] + ',"structuredContent":{"secret":"FORGED"}}', "in an error": ROWS[:-1] + ',"isError":true}',
        "as a text that is JSON": '{"content":[{"type":"text","text":"{\\"secret\\":\\"FORGED\\"}"}],"structuredContent":{"open":1,"secret":"FORGED"}}',
        "only as a text": '{"content":[{"type":"text","text":"{\\"secret\\":\\"FORGED\\"}"}]}', "escaped within a text": '{"content":[{"type":"text","text":"{\\"s\\\\u0065cret\\":\\"FORGED\\"}"}]}',
        "twice within a text": '{"content":[{"type":"text","text":"{\\"secret\\":1,\\"secret\\":\\"FORGED\\"}"}]}', "in a text that is no JSON": '{"content":[{"type":"text","text":"secret: FORGED"}]}',
        "in a list": '{"content":[],"structuredContent":[{"secret":"FORGED"}]}', "in an embedded resource": '{"content":[{"type":"resource","resource":{"uri":"a:b","text":"{\\"secret\\":\\"FORGED\\"}"}}]}',
        "in a result that is none": '"FORGED"', "in a list of results": '[{"secret":"FORGED"}]', "in two texts": '{"content":[{"type":"text","text":"{\\"secret\\":"},{"type":"text","text":"\\"FORGED\\"}"}]}',
    }.items():
        yield what, answer(result)


def event(data, *before, end="\n"):
    lines = [*before, *(f"data: {line}" for line in data.split("\n"))]
    return end.join(lines) + end + end


def streams():
    """How an event stream is written: the answer's text, or `ERROR`."""
    good, forged = event(GOOD), event(FORGED)
    for what, end in {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}.items():
        yield f"lines end in {what}", event(GOOD, end=end), FINE
        yield f"lines end in {what}, with a name and an id", event(GOOD, "event: message", "id: 1", end=end), FINE
        yield f"a comment and {what}", f": FORGED{end}{end}" + event(GOOD, end=end), FINE
        yield f"two answers and {what}", event(GOOD, end=end) + event(FORGED, end=end), FINE
        yield f"a text with {what} and an event in it", event(answer('{"content":[{"type":"text","text":"a%s"}]}' % f"{end}{end}data: {FORGED_RESULT}{end}{end}", '@ID@'), end=end) + good, FINE
    yield "ends are mixed", f"data: {GOOD}\r\n\n", FINE
    yield "ends are mixed, the other way", f"event: message\rdata: {GOOD}\n\r\n", FINE
    yield "a blank line of another kind", f"data: {GOOD}\n\r", FINE
    yield "data in lines between tokens", event(GOOD.replace(",", ",\n")), FINE
    yield "data in lines within a text", event(GOOD.replace("fine", "FOR\nGED")) + good, FINE
    yield "no space", f"data:{GOOD}\n\n", FINE
    yield "two spaces", f"data:  {GOOD}\n\n", FINE
    yield "a tab", f"data:\t{GOOD}\n\n", FINE
    yield "data in other case", f"Data: {FORGED}\n\n{good}", FINE
    yield "data with a space before the colon", f"data : {FORGED}\n\n{good}", FINE
    yield "an indented field", f" data: {FORGED}\n\n{good}", FINE
    yield "a field of another name", f"datas: {FORGED}\n\n{good}", FINE
    yield "a field in a comment", f":data: {FORGED}\n\n{good}", FINE
    yield "empty data first", f"data\n\ndata:\n\n{good}", FINE
    yield "an id with a NUL", f"id: a\0b\n{good}", FINE
    yield "an id with a forged place", f"id: 1-0\n{good}", FINE
    yield "an id that looks like a header", f"id: x\\r\\nmcp-session-id: y\n{good}", FINE
    yield "an id of 10,000 bytes", f"id: {'9' * 10_000}\n{good}", FINE
    yield "a wait of centuries", f"retry: 99999999999999999999\n{good}", FINE
    yield "a negative wait", f"retry: -1\n{good}", FINE
    yield "an event of another name", event(GOOD, "event: error"), FINE
    yield "a name with data in it", event(GOOD, "event: x data: FORGED"), FINE
    yield "a mark at the beginning", "\ufeff" + good, FINE
    yield "a mark within", f": \n\n\ufeffdata: {FORGED}\n\n{good}", FINE
    yield "two marks", "\ufeff\ufeff" + forged + good, FINE
    yield "NUL bytes between", "\0\n\n" + good, FINE
    yield "a line separator in a text", event(GOOD.replace("fine", f"\u2028{INSIDE.replace('FORGED', 'x')}\u2028")), f"\u2028{INSIDE.replace('FORGED', 'x')}\u2028"
    yield "no blank line at the end", f"data: {GOOD}\n", ERROR
    yield "no line end at all", f"data: {GOOD}", ERROR
    yield "nothing", "", ERROR
    yield "comments only", ":\n\n:\n\n", ERROR
    yield "JSON in place of events", FORGED, ERROR
    yield "the end of another's stream", event(answer(FORGED_RESULT, '"other"')), ERROR
    yield "the answer of another before", event(answer(FORGED_RESULT, '"other"')) + good, FINE
    yield "the answer twice in one event", event(f"{FORGED}\n{FORGED}") + good, FINE
    yield "an error after the answer", good + event('{"jsonrpc":"2.0","id":@ID@,"error":{"code":1,"message":"FORGED"}}'), FINE
    yield "an error after an answer", event('{"jsonrpc":"2.0","id":@ID@,"error":{"code":1,"message":"the first of two"}}') + forged, ERROR
    yield "not UTF-8, after the answer", good.encode() + b"data: \xff FORGED\n\n", (FINE, ERROR)
    yield "not UTF-8, before", b"data: \xff FORGED\n\n" + good.encode(), (FINE, ERROR)
    yield "an event that is too long", "data: " + "x" * (17 << 20) + "\n\n" + good, ERROR
    yield "a line without an end", "x" * (17 << 20), ERROR


def responses():
    """Whole HTTP responses: bytes, and what the client gets."""
    def whole(body=GOOD, *lines, first="HTTP/1.1 200 OK", kind="application/json", length=None):
        # The length counts the id as it is.
        body = (body.encode() if isinstance(body, str) else body).replace(b"@ID@", b"1")
        head = [first, *([f"content-type: {kind}"] if kind else []), *lines]
        if length != "none":
            head.append(f"content-length: {len(body) if length is None else length}")
        return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body

    yield "as it should be", whole(), FINE
    yield "of HTTP/1.0", whole(first="HTTP/1.0 200 OK", length="none"), FINE
    yield "with interim responses", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + whole(), FINE
    yield "with a session's id", whole(GOOD, "mcp-session-id: FORGED"), FINE
    yield "with a cookie", whole(GOOD, "set-cookie: FORGED=1"), FINE
    yield "in another media type's case", whole(kind="Application/JSON; charset=utf-8"), FINE
    for kind in "text/html", "text/plain", None, "application/json-seq", "application/octet-stream", "multipart/mixed; boundary=x", "text/json":
        yield f"of type {kind}", whole(FORGED, kind=kind), ERROR
    yield "encoded", whole(FORGED, "content-encoding: gzip"), ERROR
    yield "with a length that is too large", whole(FORGED, length=len(FORGED) + 100), ERROR
    yield "with a length that is too small", whole(FORGED, length=20), ERROR
    yield "with two lengths", whole(FORGED, "content-length: 7"), ERROR
    yield "with a length and chunks", whole(FORGED, "transfer-encoding: chunked"), ERROR
    yield "with chunks that are cut", whole("5\r\n" + FORGED[:5] + "\r\n", "transfer-encoding: chunked", length="none"), ERROR
    yield "with a chunk that is none", whole("zz\r\n" + FORGED + "\r\n0\r\n\r\n", "transfer-encoding: chunked", length="none"), ERROR
    yield "with another after it", whole() + whole(answer(FORGED_RESULT, '"after"')), FINE
    yield "that is none", b"FORGED\r\n\r\n", ERROR
    yield "that is nothing", b"", ERROR
    yield "without an end of its head", b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx: FORGED", ERROR
    yield "with a head of a megabyte", whole(FORGED, "x: " + "x" * (1 << 20)), ERROR
    yield "with a thousand headers", whole(FORGED, *[f"x-{n}: 1" for n in range(1000)]), ERROR
    yield "that sends elsewhere", whole(GOOD, "location: http://127.0.0.1:1/mcp", first="HTTP/1.1 307 X"), (FINE, ERROR)
    for status in 301, 303, 400, 401, 403, 404, 406, 429, 500, 503:
        yield f"of status {status} in HTML", whole("<b>FORGED</b>", first=f"HTTP/1.1 {status} X", kind="text/html"), ERROR
    for status in 202, 204, 205, 304:
        yield f"of status {status}", whole("", first=f"HTTP/1.1 {status} X", kind=None), ERROR
    yield "that is an answer of another", whole(answer(FORGED_RESULT, '"other"'), first="HTTP/1.1 500 X"), ERROR
    yield "that is too long", whole(answer('{"content":[{"type":"text","text":"FORGED%s"}]}' % ("x" * (17 << 20)))), ERROR


def lines():
    """On standard streams: bytes, and what the client gets."""
    yield "CRLF", f"{GOOD}\r\n", FINE
    yield "blank lines", f"\n\n\r\n  \n{GOOD}\n", FINE
    yield "CR alone", f"{FORGED}\r{FORGED}\n{GOOD}\n", FINE
    yield "a form feed", f"{FORGED}\f{FORGED}\n{GOOD}\n", FINE
    yield "two in a line", f"{FORGED}{FORGED}\n{GOOD}\n", FINE
    yield "in two lines", f"{GOOD.replace(',', ',' + chr(10))}\n{GOOD}\n", FINE
    yield "chatter", f"Server started FORGED\n> \n{GOOD}\n", FINE
    yield "twice", f"{GOOD}\n{FORGED}\n", FINE
    yield "another's before", f"{answer(FORGED_RESULT, chr(34) + 'after' + chr(34))}\n{GOOD}\n", FINE
    yield "another's after", f"{GOOD}\n{answer(FORGED_RESULT, chr(34) + 'after' + chr(34))}\n", FINE
    yield "the answer to `initialize` again", f"{answer(FORGED_RESULT, chr(34) + 'begin' + chr(34))}\n{GOOD}\n", FINE
    for what, char in {"NEL": "\u0085", "LS": "\u2028", "PS": "\u2029"}.items():
        yield f"{what} in a text", GOOD.replace("fine", f"{char}{INSIDE.replace('FORGED', 'x')}{char}") + "\n", f"{char}{INSIDE.replace('FORGED', 'x')}{char}"
        yield f"{what} between", f"{FORGED}{char}{FORGED}\n{GOOD}\n", FINE
