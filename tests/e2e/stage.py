"""What the end-to-end scripts with Envoy share: programs that run, raw requests, and checks that count."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
PLACET = PROGRAMS / "placet"
EXAMPLE = ROOT / "examples" / "envoy"
POLICIES = ROOT / "policies" / "quickstart"
# What the example's files name, and a test puts others in place of.
PORTS = {"gateway": 10400, "mcp": 10401, "api": 10402, "admin": 10409}


def envoy_program():
    """`cargo xtask test` says where Envoy is."""
    path = os.environ.get("PLACET_ENVOY") or shutil.which("envoy")
    assert path, "no Envoy: set PLACET_ENVOY, or run this by `cargo xtask test --only envoy`"
    return path


class Checks:
    """Runs checks in order, goes on after one that fails, and closes as libtest does."""

    def __init__(self):
        self.passed, self.failed, self.start = 0, 0, time.monotonic()

    def __call__(self, name, check, *args):
        try:
            said = check(*args)
        except Exception as error:  # noqa: BLE001: a check may fail in any way
            self.failed += 1
            where = "" if isinstance(error, AssertionError) else traceback.format_exc()
            print(f"test {name} ... FAILED\n  {error or type(error).__name__}\n{where}", flush=True)
        else:
            self.passed += 1
            print(f"test {name} ... ok{f' ({said})' if said else ''}", flush=True)

    def close(self):
        word = "FAILED" if self.failed or not self.passed else "ok"
        seconds = time.monotonic() - self.start
        print(
            f"test result: {word}. {self.passed} passed; {self.failed} failed; 0 ignored; "
            f"finished in {seconds:.1f}s"
        )
        sys.exit(word != "ok")


@contextlib.contextmanager
def scratch():
    """A folder that goes away, unless PLACET_KEEP is set."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="placet-e2e-"))
    try:
        yield folder
    finally:
        if os.environ.get("PLACET_KEEP"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(what, ready, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}, in vain")


@contextlib.contextmanager
def server(*command, log):
    """A server that says where it listens on its first line; yields its port."""
    with open(log, "w") as errors:
        program = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            line = program.stdout.readline()
            assert line.startswith("listening on http://"), f"{command} said {line!r}: {log.read_text()}"
            yield int(line.split(":")[2].split("/")[0])
        finally:
            program.send_signal(signal.SIGTERM)
            try:
                program.wait(timeout=20)
            except subprocess.TimeoutExpired:
                program.kill()


def mcp_server(folder, name="mcp", *flags):
    """The quickstart's server; what reaches it is in `NAME.jsonl`."""
    program = [PROGRAMS / "quickstart-server", "--listen", "127.0.0.1:0", "--record", folder / f"{name}.jsonl"]
    return server(*program, *flags, log=folder / f"{name}.log")


def api_server(folder):
    """The example's HTTP interface; what reaches it is in `api.jsonl`."""
    program = [sys.executable, EXAMPLE / "api.py", "--record", folder / "api.jsonl"]
    return server(*program, log=folder / "api.log")


def lines(path):
    """The JSON lines of a record; one that does not exist yet is empty."""
    # Not `splitlines`: JSON texts may have U+2028 in them as it is.
    return [json.loads(line) for line in path.read_text().split("\n") if line] if path.exists() else []


def build(policies, out, *flags):
    """`placet build`."""
    command = [PLACET, "build", policies, "-o", out, *flags]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr}{done.stdout}"
    return out


def bundle(policies, folder, name="policy"):
    """A bundle, as it stands in the filter's configuration."""
    out = build(policies, folder / name, "--only", "bundle")
    return base64.b64encode((out / "policy.bundle").read_bytes()).decode()



MODULE = "dist/policy.filter.wasm"
GUARD = '"guard": {\n'


# A filter without a policy, to be tested in place of the one that `placet build` makes.
OTHER_MODULE = os.environ.get("PLACET_FILTER")


def policy(folder, policies=POLICIES, module=OTHER_MODULE):
    """What puts a policy into the example's configuration: as a binary, or beside a filter without one."""
    if module:
        own = f'"policy": {{"bundle": "{bundle(policies, folder)}"}}, {GUARD}'
        return {f"filename: {MODULE}": f"filename: {module}", GUARD: own}
    build(policies, folder / "dist", "--only", "filter")
    return {}


def put(text, places):
    """Puts texts in place of others, each of which must be there."""
    for old, new in places.items():
        assert old in text, f"the configuration does not say `{old}` any more"
        text = text.replace(old, str(new))
    return text


def configuration(name, ports, places=()):
    """One of the example's configurations with other ports, and other texts in place of some."""
    text = (EXAMPLE / name).read_text()
    ports = {f"port_value: {PORTS[of]}": f"port_value: {port}" for of, port in ports.items()}
    return put(text, {**ports, **dict(places)})


class Envoy:
    """An Envoy that runs."""

    def __init__(self, process, admin, log):
        self.process, self.admin, self.log = process, admin, log

    def stats(self, part=""):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/stats?format=json&filter={part}") as found:
            counted = json.load(found)["stats"]
        return {of["name"]: of["value"] for of in counted if "value" in of}

    def ready(self):
        assert self.process.poll() is None, f"Envoy ended with {self.process.returncode}:\n{self.said()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def said(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def rss(self):
        """Resident memory in KiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


@contextlib.contextmanager
def envoy(config, folder, admin, workers=2, name="envoy"):
    """Envoy with a configuration, in a folder that relative paths start from. It must end in order."""
    file, log = folder / f"{name}.yaml", folder / f"{name}.log"
    file.write_text(config)
    command = [envoy_program(), "-c", str(file), "--concurrency", str(workers), "--log-level", "warning", "--component-log-level", "wasm:info"]
    command += ["--use-dynamic-base-id", "--log-path", str(log), "--drain-time-s", "1"]
    log.touch()
    with open(folder / f"{name}.out", "w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
    running = Envoy(process, admin, log)
    try:
        try:
            wait_for("Envoy to be ready", running.ready)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{running.said()}\n{(folder / f'{name}.out').read_text()}") from None
        yield running
        assert process.poll() is None, f"Envoy ended with {process.returncode}:\n{running.said()}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            code = "a kill: it did not end when asked"
    assert code == 0, f"Envoy ended with {code}:\n{running.said()}"


class Reply:
    """An HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:600]!r}"


class Connection:
    """An HTTP/1.1 connection on which exactly the bytes go out that are given."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self, method="POST"):
        """The next answer, interim ones left out; `None` when the connection is closed."""
        while True:
            line = self.stream.readline()
            if not line:
                return None
            status = int(line.split()[1])
            headers = self.head()
            if status >= 200 or status == 101:
                return Reply(status, headers, b"" if method == "HEAD" else self.body(status, headers))

    def head(self):
        headers = {}
        while (line := self.stream.readline().strip()):
            name, _, value = line.decode("latin-1").partition(":")
            headers.setdefault(name.lower(), value.strip())
        return headers

    def body(self, status, headers):
        if status in (101, 204, 304):
            return b""
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(self.chunks())
        if "content-length" in headers:
            return self.stream.read(int(headers["content-length"]))
        return self.stream.read()

    def chunks(self):
        while size := int(self.stream.readline().split(b";")[0] or b"0", 16):
            yield self.stream.read(size)
            self.stream.readline()
        self.head()

    def ask(self, method, path, headers=(), body=b""):
        """One request with a content length, and its answer."""
        self.send(request(method, path, headers, body))
        return self.reply(method)


def request(method, path, headers=(), body=b""):
    """The bytes of a plain request."""
    head = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    head += [f"{name}: {value}" for name, value in dict(headers).items()]
    if body or method in ("POST", "PUT", "PATCH"):
        head.append(f"content-length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


AGENT = {"x-agent": "support-bot", "x-agent-roles": "finance"}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def tools_call(tool, args, id=1):
    """The body of a call."""
    params = {"name": tool, "arguments": args}
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).encode()


def ask(port, method, path, headers=AGENT, body=b""):
    """One request on a connection of its own."""
    with Connection(port) as connection:
        return connection.ask(method, path, headers, body)


def call(port, tool, args, headers=AGENT, path="/mcp"):
    """A tool call over MCP on a connection of its own; its decision, and the answer."""
    return decided(ask(port, "POST", path, {**JSON, **headers}, tools_call(tool, args)))


def decided(reply):
    """The decision in an answer (empty when there is none), and the answer."""
    assert reply is not None, "the connection was closed without an answer"
    try:
        body = reply.json()
    except ValueError:
        return {}, reply
    found = body.get("result", {}).get("_meta", {}).get("dev.placet/decision") if isinstance(body, dict) else None
    return found or body.get("decision") or {}, reply
