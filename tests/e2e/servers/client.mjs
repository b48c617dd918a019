// The official client in JavaScript, driven by data.
//
//   node client.mjs < PLAN > OUTCOMES
//
// The plan is `{url | command, roots, answers, operations}`; what is written is one outcome for each operation: its
// result or error, and what the server said and asked meanwhile. See ../peer_clients.py, which does the same in Python.

import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import * as mcp from "@modelcontextprotocol/sdk/types.js";

const PATIENCE = 10_000;
const LISTS = {
  "tools/list": "tools",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates",
  "prompts/list": "prompts",
};

const plan = JSON.parse(await text(process.stdin));
let seen = {};
const note = (kind, of) => (seen[kind] ??= []).push(of);

function connect() {
  const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };
  const client = new Client({ name: "peers", version: "1.0.0" }, { capabilities });
  const asked = (schema, method) =>
    client.setRequestHandler(schema, ({ params }) => {
      note("asked", [method, params]);
      return params.mode === "url" ? { action: "accept" } : plan.answers[method];
    });
  asked(mcp.CreateMessageRequestSchema, "sampling/createMessage");
  asked(mcp.ElicitRequestSchema, "elicitation/create");
  client.setRequestHandler(mcp.ListRootsRequestSchema, () => ({ roots: plan.roots }));
  client.setNotificationHandler(mcp.LoggingMessageNotificationSchema, ({ params }) => note("logged", params.data));
  client.setNotificationHandler(mcp.ProgressNotificationSchema, ({ params: { progress, total, message } }) =>
    note("progress", [progress, total ?? null, message ?? null]),
  );
  client.setNotificationHandler(mcp.ResourceUpdatedNotificationSchema, ({ params }) => note("updated", params.uri));
  return client;
}

let token = 0;

// The client's own `onprogress` forgets what comes in the same breath as the result.
const ask = (client, method, params) =>
  client.request({ method, params: { ...params, _meta: { progressToken: `p-${token++}` } } }, mcp.ResultSchema);

async function list(client, method) {
  const items = [];
  let pages = 0;
  let cursor;
  do {
    const page = await ask(client, method, cursor === undefined ? {} : { cursor });
    items.push(...page[LISTS[method]]);
    cursor = page.nextCursor;
    pages += 1;
  } while (cursor !== undefined);
  return { pages, result: { [LISTS[method]]: items } };
}

async function perform(client, { method, params = {}, awaits = {} }) {
  seen = {};
  let outcome;
  try {
    if (method in LISTS) {
      outcome = await list(client, method);
    } else {
      outcome = { result: await ask(client, method, params) };
    }
  } catch (error) {
    outcome = { error: { code: error.code ?? null, message: error.message.replace(/^MCP error -?\d+: /, "") } };
  }
  const end = Date.now() + PATIENCE;
  const waits = () => Object.entries(awaits).some(([kind, count]) => (seen[kind] ?? []).length < count);
  while (waits() && Date.now() < end) {
    await sleep(20);
  }
  return { ...outcome, ...seen };
}

const [command, ...args] = plan.command ?? [];
const transport = command
  ? new StdioClientTransport({ command, args, stderr: "ignore" })
  : new StreamableHTTPClientTransport(new URL(plan.url));
const client = connect();
await client.connect(transport);
const outcomes = [];
for (const operation of plan.operations) {
  outcomes.push(await perform(client, operation));
}
await transport.terminateSession?.();
await client.close();
process.stdout.write(JSON.stringify({ server: client.getServerVersion(), outcomes }), () => process.exit(0));
