// What the public conformance suite of MCP wants of a server: tools, resources and prompts of these names.
//
//   node conformance-server.mjs [--unguarded | --stdio]
//
// It takes a free port and says `listening on http://127.0.0.1:PORT/mcp`; it keeps sessions, and its event streams can be
// taken up again. `--unguarded`: without protection against DNS rebinding. `--stdio`: on the standard streams.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as mcp from "@modelcontextprotocol/sdk/types.js";

// One red pixel, and a sound of no length.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const WAV = Buffer.concat([
  Buffer.from("RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0", "latin1"),
  Buffer.from([0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0]),
  Buffer.from("data\0\0\0\0", "latin1"),
]).toString("base64");

const text = (of) => ({ type: "text", text: of });
const image = { type: "image", data: PNG, mimeType: "image/png" };
const embedded = (uri, mimeType, of) => ({ type: "resource", resource: { uri, mimeType, text: of } });
const object = (properties = {}, required = Object.keys(properties)) => ({ type: "object", properties, required });
const titled = (...pairs) => pairs.map(([value, title]) => ({ const: value, title }));

const ADDRESS = { type: "object", properties: { street: { type: "string" }, city: { type: "string" } } };
const DIALECT_2020_12 = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: { address: ADDRESS },
  properties: { name: { type: "string" }, address: { $ref: "#/$defs/address" } },
  additionalProperties: false,
};

const PERSON = object({ username: { type: "string" }, email: { type: "string" } });
const DEFAULTS = object(
  {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  },
  [],
);
const OPTIONS = ["option1", "option2", "option3"];
const TITLED = titled(["value1", "First"], ["value2", "Second"], ["value3", "Third"]);
const CHOICES = object(
  {
    untitledSingle: { type: "string", enum: OPTIONS },
    titledSingle: { type: "string", oneOf: TITLED },
    legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["One", "Two", "Three"] },
    untitledMulti: { type: "array", items: { type: "string", enum: OPTIONS } },
    titledMulti: { type: "array", items: { anyOf: TITLED } },
  },
  [],
);

const asks = (message, requestedSchema) => async (args, { ask }) => {
  const params = { message: args.message ?? message, requestedSchema };
  const said = await ask({ method: "elicitation/create", params }, mcp.ElicitResultSchema);
  return [text(`Elicitation completed: action=${said.action}, content=${JSON.stringify(said.content)}`)];
};

// Name: what it takes, and what it does.
const TOOLS = {
  test_simple_text: [object(), () => [text("This is a simple text response for testing.")]],
  test_image_content: [object(), () => [image]],
  test_audio_content: [object(), () => [{ type: "audio", data: WAV, mimeType: "audio/wav" }]],
  test_embedded_resource: [
    object(),
    () => [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")],
  ],
  test_multiple_content_types: [
    object(),
    () => [
      text("Multiple content types test:"),
      image,
      embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
  ],
  test_tool_with_logging: [
    object(),
    async (_, { tell }) => {
      for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
        await tell("notifications/message", { level: "info", data });
        await sleep(50);
      }
      return [text("three messages were logged")];
    },
  ],
  test_tool_with_progress: [
    object(),
    async (_, { tell, token }) => {
      for (const progress of [0, 50, 100]) {
        if (token !== undefined) {
          await tell("notifications/progress", { progressToken: token, progress, total: 100 });
        }
        await sleep(50);
      }
      return [text("done")];
    },
  ],
  test_error_handling: [
    object(),
    () => {
      throw new Error("This tool intentionally returns an error for testing");
    },
  ],
  test_sampling: [
    object({ prompt: { type: "string" } }),
    async ({ prompt }, { ask }) => {
      const params = { messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 };
      const said = await ask({ method: "sampling/createMessage", params }, mcp.CreateMessageResultSchema);
      return [text(`LLM response: ${said.content.text}`)];
    },
  ],
  test_elicitation: [object({ message: { type: "string" } }), asks("", PERSON)],
  test_elicitation_sep1034_defaults: [object(), asks("Check these.", DEFAULTS)],
  test_elicitation_sep1330_enums: [object(), asks("Choose.", CHOICES)],
  test_reconnection: [
    object(),
    async (_, { hangUp }) => {
      hangUp?.();
      await sleep(100);
      return [text("the result came on the stream that was taken up again")];
    },
  ],
  json_schema_2020_12_tool: [DIALECT_2020_12, (args) => [text(JSON.stringify(args))]],
};

const RESOURCES = {
  "test://static-text": ["text/plain", { text: "This is the content of the static text resource." }],
  "test://static-binary": ["image/png", { blob: PNG }],
  "test://watched-resource": ["text/plain", { text: "watched" }],
};
const TEMPLATE = /^test:\/\/template\/([^/]+)\/data$/;

const says = (...content) => content.map((of) => ({ role: "user", content: of }));
// Name: its arguments, and its messages.
const PROMPTS = {
  test_simple_prompt: [[], () => says(text("This is a simple prompt for testing."))],
  test_prompt_with_arguments: [
    ["arg1", "arg2"],
    ({ arg1, arg2 }) => says(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  ],
  test_prompt_with_embedded_resource: [
    ["resourceUri"],
    ({ resourceUri }) =>
      says(
        embedded(resourceUri, "text/plain", "Embedded resource content for testing."),
        text("Please process the embedded resource above."),
      ),
  ],
  test_prompt_with_image: [[], () => says(image, text("Please analyze the image above."))],
};

const entries = (table, row) => Object.entries(table).map(([name, of]) => row(name, of));

function found(table, name) {
  if (!Object.hasOwn(table, name)) {
    throw new mcp.McpError(mcp.ErrorCode.InvalidParams, `there is no \`${name}\``);
  }
  return table[name];
}

async function call({ name, arguments: args = {}, _meta }, extra) {
  const [, run] = found(TOOLS, name);
  const tell = (method, params) => extra.sendNotification({ method, params });
  const context = { tell, ask: extra.sendRequest, token: _meta?.progressToken, hangUp: extra.closeSSEStream };
  try {
    return { content: await run(args, context) };
  } catch (error) {
    return { isError: true, content: [text(error.message)] };
  }
}

function read(uri) {
  const [, id] = TEMPLATE.exec(uri) ?? [];
  if (id !== undefined) {
    const data = { id, templateTest: true, data: `Data for ID: ${id}` };
    return { contents: [{ uri, mimeType: "application/json", text: JSON.stringify(data) }] };
  }
  const [mimeType, content] = found(RESOURCES, uri);
  return { contents: [{ uri, mimeType, ...content }] };
}

function session() {
  const capabilities = { tools: {}, resources: { subscribe: true }, prompts: {}, completions: {}, logging: {} };
  const server = new Server({ name: "conformance", version: "1.0.0" }, { capabilities });
  const on = (schema, handler) => server.setRequestHandler(schema, handler);
  on(mcp.ListToolsRequestSchema, () => ({
    tools: entries(TOOLS, (name, [inputSchema]) => ({ name, description: `The tool ${name}`, inputSchema })),
  }));
  on(mcp.CallToolRequestSchema, ({ params }, extra) => call(params, extra));
  on(mcp.ListResourcesRequestSchema, () => ({
    resources: entries(RESOURCES, (uri, [mimeType]) => ({ uri, name: uri, description: `The resource ${uri}`, mimeType })),
  }));
  on(mcp.ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" }],
  }));
  on(mcp.ReadResourceRequestSchema, ({ params }) => read(params.uri));
  on(mcp.SubscribeRequestSchema, () => ({}));
  on(mcp.UnsubscribeRequestSchema, () => ({}));
  on(mcp.ListPromptsRequestSchema, () => ({
    prompts: entries(PROMPTS, (name, [args]) => ({
      name,
      description: `The prompt ${name}`,
      arguments: args.map((of) => ({ name: of, description: of, required: true })),
    })),
  }));
  on(mcp.GetPromptRequestSchema, ({ params }) => {
    const [, messages] = found(PROMPTS, params.name);
    return { messages: messages(params.arguments ?? {}) };
  });
  on(mcp.CompleteRequestSchema, ({ params }) => {
    const values = ["test-one", "test-two", "other"].filter((of) => of.startsWith(params.argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
  return server;
}

// Events by their ids, in order: a stream that broke off goes on after the last one that was seen.
class Events {
  #events = [];

  async storeEvent(stream, message) {
    return String(this.#events.push({ stream, message }));
  }

  async getStreamIdForEventId(id) {
    return this.#events[Number(id) - 1]?.stream;
  }

  async replayEventsAfter(id, { send }) {
    const { stream } = this.#events[Number(id) - 1];
    for (const [place, event] of this.#events.entries()) {
      if (place >= Number(id) && event.stream === stream && "jsonrpc" in event.message) {
        await send(String(place + 1), event.message);
      }
    }
    return stream;
  }
}

const sessions = new Map();

async function begin(allowedHosts) {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
    eventStore: new Events(),
    retryInterval: 50,
    enableDnsRebindingProtection: !process.argv.includes("--unguarded"),
    allowedHosts,
  });
  await session().connect(transport);
  return transport;
}

function serve() {
  const http = createServer(async (request, response) => {
    const id = request.headers["mcp-session-id"];
    const { port } = http.address();
    const transport = id ? sessions.get(id) : await begin([`127.0.0.1:${port}`, `localhost:${port}`]);
    if (!transport) {
      response.writeHead(404).end();
      return;
    }
    // The suite says that it speaks 2025-03-26 where it looks for what came with 2025-11-25.
    const version = request.rawHeaders.findIndex((of) => of.toLowerCase() === "mcp-protocol-version");
    if (version >= 0 && request.rawHeaders[version + 1] === "2025-03-26") {
      request.rawHeaders[version + 1] = "2025-11-25";
    }
    await transport.handleRequest(request, response);
  });
  http.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${http.address().port}/mcp`));
}

process.on("SIGTERM", () => process.exit(0));
if (process.argv.includes("--stdio")) {
  await session().connect(new StdioServerTransport());
} else {
  serve();
}
