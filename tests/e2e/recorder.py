"""A server that keeps every byte that reaches it, and reads requests as leniently as any server might.

A proxy is only as good as its agreement with the server behind it. Servers differ: of two equal keys some take the
first and some the last, some find `Name` where `name` is meant, some undo escapes twice. So this one reads what came in
all of these ways, and says every call that any of them would have made.
"""

import gzip
import itertools
import json
import re
import socketserver
import threading
import unicodedata
import urllib.parse
import zlib

ENCODINGS = ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-7", "latin-1"]


class Received:
    """One request as it came."""

    def __init__(self, line, headers, body, connection):
        self.line, self.headers, self.body, self.connection = line, headers, body, connection
        parts = line.split(" ")
        self.method, self.target = parts[0], parts[1] if len(parts) > 1 else ""

    def all(self, name):
        return [value for of, value in self.headers if of.lower() == name]

    def __repr__(self):
        return f"{self.line} {self.headers} {self.body!r}"


class Recorder:
    """Runs in a thread; `taken()` gives what has come since it was asked last."""

    def __init__(self):
        self.lock, self.received = threading.Lock(), []
        recorder, connections = self, itertools.count()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                number = next(connections)
                try:
                    while recorder.serve(self.rfile, self.wfile, number):
                        pass
                except (OSError, ValueError):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def taken(self):
        with self.lock:
            received, self.received = self.received, []
        return received

    def serve(self, stream, out, connection):
        line = stream.readline()
        if not line:
            return False
        headers = []
        while (raw := stream.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = raw.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        received = Received(line.decode("latin-1").strip(), headers, b"", connection)
        with self.lock:
            # Before its body: a head alone has reached the server, too.
            self.received.append(received)
        received.body = self.body(stream, received)
        answer = self.answer(received)
        out.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
            % (len(answer), answer)
        )
        out.flush()
        return True

    @staticmethod
    def body(stream, received):
        if any("chunked" in value for value in received.all("transfer-encoding")):
            parts = []
            while size := int(stream.readline().split(b";")[0], 16):
                parts.append(stream.read(size))
                stream.readline()
            while (line := stream.readline()).strip():
                name, _, value = line.decode("latin-1").partition(":")
                received.headers.append((name, value.strip()))
            return b"".join(parts)
        lengths = received.all("content-length")
        return stream.read(int(lengths[0])) if lengths else b""

    @staticmethod
    def answer(received):
        found = re.search(rb'"id"\s*:\s*("[^"]*"|-?\d+)', received.body)
        id = found.group(1).decode("utf-8", "replace") if found else "null"
        result = '{"content":[{"type":"text","text":"done"}]}'
        return f'{{"jsonrpc":"2.0","id":{id},"result":{result}}}'.encode()


def texts(body):
    """The body in every encoding that it is one in, compressed or not."""
    bodies = [body]
    for undo in (gzip.decompress, zlib.decompress, lambda of: zlib.decompress(of, -15)):
        try:
            bodies.append(undo(body))
        except (OSError, EOFError, zlib.error):
            pass
    # C0 and C1 begin long ways to write ASCII, which old decoders undo.
    bodies.append(re.sub(rb"[\xc0\xc1][\x80-\xbf]", lambda of: bytes([(of[0][0] & 1) << 6 | of[0][1] & 63]), body))
    # Comments, for readers that know them.
    bodies.append(re.sub(rb"/\*.*?\*/", b"", body))
    bodies.append(re.sub(rb"/\*|\*/", b"", body))
    for one in dict.fromkeys(bodies):
        for encoding in ENCODINGS:
            try:
                yield one.decode(encoding)
            except (UnicodeDecodeError, ValueError):
                pass


def first_wins(pairs):
    return dict(reversed(pairs))


def any_case(pairs):
    return {name.casefold(): value for name, value in pairs}


def merged(pairs):
    """As JavaScript does when it copies members one by one."""
    found = dict(pairs)
    found.update(value if isinstance(value := found.get("__proto__"), dict) else {})
    return found


HOOKS = [dict, first_wins, any_case, lambda pairs: any_case(reversed(pairs)), merged]


def documents(text, hook):
    """Every JSON document in a text, one after the other, whatever stands between them."""
    decoder, at = json.JSONDecoder(object_pairs_hook=hook, strict=False), 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
            yield value
        except (ValueError, RecursionError):
            at += 1


def messages(value):
    """Messages in a document: one, or a batch."""
    if isinstance(value, list):
        return [of for of in value if isinstance(of, dict)]
    return [value] if isinstance(value, dict) else []


def calls(received):
    """Every tool call that some server would have read out of a request: names and arguments."""
    found = []
    for text in texts(received.body):
        for hook in HOOKS:
            for message in itertools.chain.from_iterable(map(messages, documents(text, hook))):
                params = message.get("params")
                if isinstance(params, list):
                    params = dict(zip(["name", "arguments"], params))
                method = message.get("method")
                if isinstance(method, str) and method.strip().lower() == "tools/call" and isinstance(params, dict):
                    call = (params.get("name"), params.get("arguments", {}))
                    if call not in found:
                        found.append(call)
    # Servers and balancers of MCP 2026-07-28 may read headers instead.
    for name in received.all("mcp-name"):
        if not any(name == call[0] for call in found):
            found.append((name, {}))
    return found


def is_named(name, tool):
    """Whether some server would take a name for this tool."""
    if isinstance(name, list):
        return any(is_named(one, tool) for one in name)
    name = unicodedata.normalize("NFKC", str(name)).split("\0")[0]
    return name.strip().casefold() == tool.casefold()


def targets(received):
    """Every method and path that some server would have read out of a request."""
    methods = {received.method.upper()}
    for name in ("x-http-method-override", "x-http-method", "x-method-override"):
        methods |= {value.upper() for value in received.all(name)}
    query = urllib.parse.parse_qs(received.target.partition("?")[2])
    methods |= {value.upper() for value in query.get("_method", [])}
    paths = {received.target.partition("?")[0]}
    for name in ("x-original-url", "x-rewrite-url", "x-override-url"):
        paths |= set(received.all(name))
    for _ in range(2):
        for change in (urllib.parse.unquote, str.lower, plain):
            paths |= {change(path) for path in paths}
    return {(method, path) for method in methods for path in paths}


def plain(path):
    """Absolute form, other separators, path parameters, empty and dot segments taken away."""
    path = re.sub(r"^[a-z]+://[^/]*", "", path, flags=re.IGNORECASE)
    out = []
    for segment in re.split(r"[/\\]", path):
        segment = re.split(r"[;?#\x00]", segment)[0].strip()
        if segment == "..":
            out[-1:] = []
        elif segment not in ("", "."):
            out.append(segment)
    return "/" + "/".join(out)


def ambiguities(received):
    """What in a request two servers could take for the ends of different messages, or for different fields."""
    lengths, codings = received.all("content-length"), received.all("transfer-encoding")
    names = [name for name, _ in received.headers]
    found = []
    if lengths and codings:
        found.append("a length and a transfer coding")
    if len(lengths) > 1 or len(codings) > 1 or len(received.all("host")) != 1:
        found.append("a length, a coding or a host twice")
    if codings and codings != ["chunked"]:
        found.append(f"a transfer coding {codings}")
    if any(not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name) for name in names):
        found.append("a name that is no name, or a folded line")
    if any(re.search(r"[\x00\r\n]", value) for _, value in received.headers):
        found.append("a value with a line break")
    if received.all("upgrade"):
        found.append("an upgrade")
    return found
