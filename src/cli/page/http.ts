/**
 * @packageDocumentation
 * The page over HTTP: files and answers, to GET and HEAD alone. Every answer carries a policy under which the browser
 * runs our script and no other, loads nothing from anywhere else, and shows us in nobody's frame.
 *
 *   request ─ gate ─► /api/…  JSON, never stored     else a file of the page     24 connections · 5 s for a request
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { codeOf, sentenceOf, XbbdError } from '../../protocol/errors.js'
import type { Answers } from './answers.js'
import { assetOf } from './assets.js'
import { admit } from './gate.js'

export { newToken } from './gate.js'

const CONNECTIONS_MAX = 24
const PATIENCE_MS = 5000
const HEADER_BYTES_MAX = 8192

const POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
].join('; ')

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Answers requests. `token` undefined: whoever is connected is trusted. */
export function pageHandler(answers: Answers, token: string | undefined): Handler {
  return (request, response) => {
    const fail = (error: unknown) => {
      const status = error instanceof XbbdError && error.exitCode === 64 ? 400 : 500
      say(response, status, `${sentenceOf(error)}\n`)
    }
    try {
      const admission = admit(request, token)
      if (admission.kind === 'closed') return say(response, admission.status, `${admission.sentence}\n`)
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('Allow', 'GET, HEAD')
        return say(response, 405, 'only GET is answered here\n')
      }
      if (admission.kind === 'enter') {
        response.setHeader('Set-Cookie', admission.cookie)
        response.setHeader('Location', admission.location)
        return say(response, 303, 'this way\n')
      }
      answer(answers, request, response).catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}

async function answer(answers: Answers, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://xbbd')
  const question = /^\/api\/([a-z]+)$/.exec(pathname)?.[1]
  if (question !== undefined) {
    const document = await answers(question, searchParams)
    if (document === undefined) return say(response, 404, 'there is no such question\n')
    return send(response, 200, document, 'application/json', 'no-store')
  }
  const asset = assetOf(pathname)
  if (asset === undefined) return say(response, 404, 'there is no such file\n')
  return send(response, 200, asset.body, asset.type, 'no-cache')
}

function say(response: ServerResponse, status: number, text: string): void {
  send(response, status, Buffer.from(text), 'text/plain; charset=utf-8', 'no-store')
}

function send(response: ServerResponse, status: number, body: Uint8Array, type: string, caching: string): void {
  const own = { 'Content-Type': type, 'Content-Length': body.length, 'Cache-Control': caching }
  response.writeHead(status, { ...HEADERS, ...own }).end(body)
}

export interface Listening {
  /** The address with the token, to be opened in a browser. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Listens on `address` (`127.0.0.1:0` takes any free port). Rejects with XbbdError 73, which says to change `setting`.
 */
export async function listenForPage(
  address: string, token: string, handler: Handler, setting: string,
): Promise<Listening> {
  const timeouts = { headersTimeout: PATIENCE_MS, requestTimeout: PATIENCE_MS, keepAliveTimeout: PATIENCE_MS }
  const server = createServer({ ...timeouts, maxHeaderSize: HEADER_BYTES_MAX }, handler)
  server.maxConnections = CONNECTIONS_MAX
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(cannotListen(address, setting, cause)))
    server.listen({ host: host.replace(/[[\]]/g, ''), port: Number(address.slice(colon + 1)) }, resolve)
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://${host}:${port}/?token=${token}`, close: () => closed(server) }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function cannotListen(address: string, setting: string, cause: unknown): XbbdError {
  const cures: Readonly<Record<string, string>> = {
    EADDRINUSE: `another process listens there: give ${setting} another port`,
    EAFNOSUPPORT: 'the service may not use the network: xbbd(8), METRICS, has the drop-in that allows it',
    EADDRNOTAVAIL: 'this machine has no such address: try 127.0.0.1',
    EACCES: 'this user may not listen there: choose a port above 1023',
  }
  const cure = cures[codeOf(cause) ?? ''] ?? `choose another address with ${setting}`
  const sentence = `cannot listen on ${address} for the page: ${sentenceOf(cause)}; ${cure}`
  return new XbbdError('XBBD_PAGE_LISTEN', sentence, { cause, exitCode: 73 })
}
