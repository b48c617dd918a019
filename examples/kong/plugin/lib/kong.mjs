// Kong's values as the enforcement component takes them.

/** Headers of the connection, or of a body that is written anew. */
const NOT_PASSED_ON = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding'])

/** A table of headers, as Kong or the PDK's test harness gives it, as pairs: names in lower case, duplicates kept. */
export function list(table) {
  const pairs = Array.isArray(table) ? table : Object.entries(table ?? {})
  return pairs.flatMap(([name, values]) => {
    const all = Array.isArray(values) ? (values.length ? values : ['']) : [values]
    return all.map((value) => [name.toLowerCase(), String(value)])
  })
}

/** A body: bytes from Kong, text from the PDK's test harness. */
export function bytes(body) {
  if (body instanceof Uint8Array) return new Uint8Array(body)
  if (typeof body === 'string') return new TextEncoder().encode(body)
  throw new Error('Kong gave no body')
}

/** The headers of an answer whose body is written anew. */
export function answerHeaders(headers) {
  return headers.filter(([name]) => !NOT_PASSED_ON.has(name))
}

/**
 * What Kong's authentication plugins have found out, as claims: `consumer`, `credential` and, after the `jwt` plugin,
 * `jwt`, the claims of the token that it verified. Nothing for anonymous consumers.
 */
export async function authenticated(kong) {
  const credential = await kong.client.getCredential()
  if (!credential) return undefined
  const consumer = (await kong.client.getConsumer()) ?? {}
  const { id, username, custom_id, tags } = consumer
  const claims = { consumer: { id, username, custom_id, tags }, credential: { id: credential.id } }
  const token = await kong.ctx.shared.get('authenticated_jwt_token')
  if (typeof token === 'string') claims.jwt = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
  return JSON.stringify(claims)
}
