#!/usr/bin/env python3
"""Sends the example's requests through Kong, and prints what came of each, and then what reached the servers."""

import json
import sys
import time
import urllib.error
import urllib.request

BASE, MCP_RECORD, API_RECORD = sys.argv[1:4]
REFUND = '{"amount": %s, "currency": "USD", "customer": "c-1", "reason": "late"}'


def send(method, path, body=None, attempts=1):
    headers = {"apikey": "change-me", "content-type": "application/json", "mcp-protocol-version": "2025-11-25",
               "accept": "application/json, text/event-stream"}
    data = body.encode() if body else None
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        if attempts == 1:
            raise
        time.sleep(0.5)
        return send(method, path, body, attempts - 1)


def decision(text):
    try:
        reply = json.loads(text)
    except ValueError:
        return {}
    meta = reply.get("result", {}).get("_meta", {})
    return meta.get("dev.placet/decision") or reply.get("decision") or {}


def show(status, what, text):
    made = decision(text)
    line = f"{status} {made.get('verdict', '-'):<8} {what:<28}"
    return (line + " " + " ".join(made.get("rules", []))).rstrip()


def rpc(method, params):
    return f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}'


def call(tool, args):
    return rpc("tools/call", f'{{"name":"{tool}","arguments":{args}}}')


def main():
    # Kong may still be starting.
    print(show(*with_name("payments.refund 50", "POST", "/mcp", call("payments.refund", REFUND % 50), 20)))
    for name, tool, args in [
        ("payments.refund 900", "payments.refund", REFUND % 900),
        ("payments.refund 20000", "payments.refund", REFUND % 20000),
        ("admin.drop_database", "admin.drop_database", '{"name": "crm"}'),
        ("payments.refund, amount twice", "payments.refund", REFUND % '20000, "amount": 50'),
    ]:
        print(show(*with_name(name, "POST", "/mcp", call(tool, args))))
    status, text = send("POST", "/mcp", rpc("tools/list", "{}"))
    tools = sorted(tool["name"] for tool in json.loads(text)["result"]["tools"])
    print(f"{status} {'-':<8} tools/list: {' '.join(tools)}")
    for method, path, body, name in [
        ("GET", "/api/customers/c-1", None, ""),
        ("POST", "/api/customers/c-1/refunds", '{"amount": 20000, "currency": "USD", "reason": "all"}', " 20000"),
        ("DELETE", "/api/databases/crm", None, ""),
    ]:
        print(show(*with_name(f"{method:<6} {path}{name}", method, path, body)))
    print("what the servers were asked for:")
    for record in lines(MCP_RECORD):
        print("mcp", record["tool"])
    for record in lines(API_RECORD):
        print("api", record["method"], record["path"])


def with_name(name, method, path, body, attempts=1):
    status, text = send(method, path, body, attempts)
    return status, name, text


def lines(path):
    try:
        with open(path) as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []


if __name__ == "__main__":
    main()
