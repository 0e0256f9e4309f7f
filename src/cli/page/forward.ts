/**
 * @packageDocumentation
 * The page of a daemon that runs, for a browser: browsers cannot open a unix socket, so a port of the loopback
 * interface hands every request on to the control socket, behind the same gate as any page. The daemon opens nothing,
 * and who may not open its socket sees nothing.
 *
 *   browser ─ token ─► port of `xbbd view` ─► run.dir/control ─► the daemon's page
 */
import { request as ask } from 'node:http'
import { sentenceOf } from '../../protocol/errors.js'
import { admit } from './gate.js'
import type { Handler } from './http.js'

/** Hands requests on to the socket at `path`. */
export function forwarding(path: string, token: string): Handler {
  return (request, response) => {
    const refuse = (status: number, sentence: string) =>
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${sentence}\n`)
    const admission = admit(request, token)
    if (admission.kind === 'closed') return void refuse(admission.status, admission.sentence)
    if (admission.kind === 'enter')
      return void response.writeHead(303, { 'Set-Cookie': admission.cookie, Location: admission.location }).end()
    const { url, method } = request
    const there = { socketPath: path, path: url, method, headers: { host: 'xbbd' }, agent: false }
    const asked = ask(there, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    asked.on('error', (error) => {
      if (response.headersSent) response.destroy()
      else refuse(502, `the daemon does not answer: ${sentenceOf(error)}; \`xbbd list\` shows whether it runs`)
    })
    asked.end()
  }
}
