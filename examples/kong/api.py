#!/usr/bin/env python3
"""The plain HTTP interface behind Kong: it answers whatever it is asked, and records it."""

import http.server
import json
import sys

PORT, RECORD = int(sys.argv[1]), sys.argv[2]


class Api(http.server.BaseHTTPRequestHandler):
    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with open(RECORD, "a") as record:
            asked = {"method": self.command, "path": self.path, "body": body.decode("utf-8", "backslashreplace")}
            record.write(json.dumps(asked) + "\n")
        answer = json.dumps({"done": f"{self.command} {self.path}"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Api)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    pass
