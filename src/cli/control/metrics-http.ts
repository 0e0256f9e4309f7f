/**
 * @packageDocumentation
 * `GET /metrics`, on the control socket (curl --unix-socket) and, when it is asked for, on a port of the loopback
 * interface, which is what Prometheus itself can reach. The port is open to every process of this machine, so it says
 * what is in metrics.ts and nothing else, takes no method but GET and HEAD, and no request that a web page of somewhere
 * else has made under a name of its own (Host must be an address of the loopback).
 *
 * On the control socket, everything else is the page's (cli/page/).
 *
 *   8 connections · 5 s for a request · 8 KiB of headers
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { EXPOSITION_TYPE } from '../../observe/exposition.js'
import { codeOf, sentenceOf, XbbdError } from '../../protocol/errors.js'

const CONNECTIONS_MAX = 8
const PATIENCE_MS = 5000
const HEADER_BYTES_MAX = 8192
const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/

/** A server that answers whoever is connected, and listens nowhere by itself. `others` has all but metrics. */
export function metricsHttp(
  text: () => string, isOpen: (request: IncomingMessage) => boolean = () => true, others?: RequestListener,
): Server {
  const timeouts = { headersTimeout: PATIENCE_MS, requestTimeout: PATIENCE_MS, keepAliveTimeout: PATIENCE_MS }
  const server = createServer({ ...timeouts, maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
    const isOurs = request.url?.split('?')[0] === '/metrics'
    if (!isOurs && others !== undefined) return others(request, response)
    if (!isOpen(request)) return say(response, 403, 'this port answers under the name of a loopback address only\n')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD')
      return say(response, 405, 'only GET is answered here\n')
    }
    if (!isOurs) return say(response, 404, 'there is /metrics, and nothing else\n')
    return say(response, 200, text(), EXPOSITION_TYPE)
  })
  server.maxConnections = CONNECTIONS_MAX
  return server
}

function say(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  const length = Buffer.byteLength(body)
  const headers = { 'Content-Type': type, 'Content-Length': length, 'X-Content-Type-Options': 'nosniff' }
  response.writeHead(status, headers).end(body)
}

/**
 * Listens on `address` (`127.0.0.1:9808`, `[::1]:9808`; the setting allows no other). Rejects with XbbdError 73.
 * @returns what ends it.
 */
export async function listenForMetrics(address: string, text: () => string): Promise<() => Promise<void>> {
  const server = metricsHttp(text, ({ headers }) => LOOPBACK.test(headers.host ?? ''))
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/[[\]]/g, '')
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(cannotListen(address, cause)))
    server.listen({ host, port: Number(address.slice(colon + 1)) }, resolve)
  })
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
}

function cannotListen(address: string, cause: unknown): XbbdError {
  const cures: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another process listens there: give metrics.listen another port',
    EAFNOSUPPORT: 'the service may not use the network: xbbd(8), METRICS, has the drop-in that allows it',
    EADDRNOTAVAIL: 'this machine has no such address: try 127.0.0.1',
    EACCES: 'this user may not listen there: choose a port above 1023',
  }
  const cure = cures[codeOf(cause) ?? ''] ?? 'choose another address, or leave metrics.listen empty'
  const sentence = `cannot listen on ${address} for metrics: ${sentenceOf(cause)}; ${cure}`
  return new XbbdError('XBBD_METRICS_LISTEN', sentence, { cause, exitCode: 73 })
}
