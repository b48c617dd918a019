// Stands in for Kong, which cannot be had here: reads a declarative configuration, authenticates by key, runs the plugin
// in the real plugin server, and proxies to the upstream that was set. It does what the sources of Kong 3.9 say Kong does,
// as far as the example needs it, and proves nothing else about Kong.

import http from 'node:http'
import { parse } from 'yaml'
import { Exchange } from './exchange.mjs'
import { Remote } from './remote.mjs'

/** Serves a configuration on a port of its own, which it returns with a function that stops it. */
export async function serve(text, server) {
  const kong = parse(text)
  const routes = []
  for (const service of kong.services)
    for (const { paths } of service.routes) {
      const plugin = service.plugins.find((plugin) => plugin.name === 'placet')
      routes.push({ paths, service, instance: await server.instance(plugin.config) })
    }
  const listener = http.createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const { status, headers, body } = await answer(kong, routes, server, request, Buffer.concat(chunks))
    response.writeHead(status, headers)
    response.end(typeof body === 'string' ? body : Buffer.from(body))
  })
  await new Promise((ready) => listener.listen(0, '127.0.0.1', ready))
  return { url: `http://127.0.0.1:${listener.address().port}`, stop: () => listener.close() }
}

async function answer(kong, routes, server, request, body) {
  const path = new URL(request.url, 'http://kong').pathname
  const matches = (pattern) => (pattern.startsWith('~') ? new RegExp(`^${pattern.slice(1)}`).test(path) : path.startsWith(pattern))
  const route = routes.find((route) => route.paths.some(matches))
  if (!route) return { status: 404, headers: {}, body: '{"message":"no Route matched with those values"}' }
  const consumer = kong.consumers.find((of) => of.keyauth_credentials.some(({ key }) => key === request.headers.apikey))
  if (!consumer) return { status: 401, headers: {}, body: '{"message":"Unauthorized"}' }

  const headers = {}
  for (let at = 0; at < request.rawHeaders.length; at += 2)
    (headers[request.rawHeaders[at].toLowerCase()] ??= []).push(request.rawHeaders[at + 1])
  delete headers.apikey
  const exchange = Remote.of(new Exchange({ method: request.method, path: request.url, headers, body, consumer }))
  exchange.upstreams = kong.upstreams.map((upstream) => upstream.name)
  exchange.proxied = async () => {
    const target = kong.upstreams.find((upstream) => upstream.name === exchange.host)?.targets[0].target
    exchange.proxiedAnswer = target
      ? await send(target, exchange.outgoing)
      : { status: 503, headers: {}, body: `{"message":"name resolution failed: ${route.service.url}"}` }
  }
  return exchange.through(server, route.instance)
}

/** Sends a request to a target, and reads its answer whole. */
function send(target, { method, path, headers, body }) {
  const { host: _, connection: __, 'content-length': ___, 'transfer-encoding': ____, ...others } = headers
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...others, 'content-length': body.length } }
    const request = http.request(`http://${target}${path}`, options, async (answer) => {
      const chunks = []
      for await (const chunk of answer) chunks.push(chunk)
      resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) })
    })
    request.on('error', reject)
    request.end(body)
  })
}
