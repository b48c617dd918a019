#!/usr/bin/env python3
"""A small plain HTTP interface over customers, for the example. It does what it is asked, and records every request."""

import argparse
import http.server
import json
import threading

CUSTOMERS = {
    "c-1": {"id": "c-1", "name": "Ada Moreau"},
    "c-2": {"id": "c-2", "name": "Bela Kovacs"},
}
LOCK = threading.Lock()


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    record = None

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def serve(self):
        body = self.body().decode("utf-8", "backslashreplace")
        if self.record:
            with LOCK, open(self.record, "a") as record:
                record.write(json.dumps({"method": self.command, "path": self.path, "body": body}) + "\n")
        parts = self.path.partition("?")[0].strip("/").split("/")
        match self.command, parts:
            case "GET", ["health"]:
                self.answer(200, {"status": "ok"})
            case "GET", ["api", "customers"]:
                self.answer(200, {"customers": list(CUSTOMERS.values())})
            case "GET", ["api", "customers", customer] if customer in CUSTOMERS:
                self.answer(200, CUSTOMERS[customer])
            case "POST", ["api", "customers", customer, "refunds"] if customer in CUSTOMERS:
                self.answer(201, {"refunded": json.loads(body)["amount"], "customer": customer})
            case "DELETE", ["api", "databases", name]:
                self.answer(200, {"dropped": name})
            case _:
                self.answer(404, {"error": "there is nothing here"})

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = serve

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--record", help="append a JSON line for every request that arrives")
    args = parser.parse_args()
    Api.record = args.record
    server = Server(("127.0.0.1", args.port), Api)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
