/**
 * @packageDocumentation
 * How the page is reached at a daemon: on the control socket always, on a port of the loopback interface when
 * `page.listen` names one. The page's own code is loaded at the first request, not when a daemon starts: a killed
 * daemon's guests wait for every file that is read before it serves.
 *
 *   run.dir/page    the address with its token, mode 0600, while the port is open
 */
import { rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { sentenceOf } from '../../protocol/errors.js'
import type { Settings } from '../config/schema.js'
import type { World } from './world.js'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface PageDoor {
  /** For the control socket: whoever is connected is trusted. */
  readonly handle: Handler
  /** Opens the port, where one is wanted. @returns what closes it. Rejects with XbbdError 73. */
  listen(): Promise<() => Promise<void>>
}

/** The doors of one daemon. */
export function pageDoor(world: World, settings: Settings, version: string): PageDoor {
  const runDir = settings['run.dir']
  const make = async () => {
    const [{ daemonPage }, { pageHandler }] = await Promise.all([
      import('../page/daemon-page.js'),
      import('../page/http.js'),
    ])
    const title = `process ${process.pid}, ${runDir}`
    const { api, segmentSequences } = world
    const answers = daemonPage({ api, segmentSequences, version, title, journalDir: join(runDir, 'journal') })
    return (token: string | undefined) => pageHandler(answers, token)
  }
  let made: ReturnType<typeof make> | undefined
  const later = (token: string | undefined): Handler => (request, response) => {
    made ??= make()
    made.then(
      (handlerFor) => handlerFor(token)(request, response),
      (error: unknown) => {
        made = undefined
        response.writeHead(500).end(`${sentenceOf(error)}\n`)
      },
    )
  }
  return {
    handle: later(undefined),
    async listen() {
      const address = settings['page.listen']
      if (address === '') return () => Promise.resolve()
      const { listenForPage, newToken } = await import('../page/http.js')
      const token = newToken()
      const { url, close } = await listenForPage(address, token, later(token), 'page.listen')
      const place = join(runDir, 'page')
      rmSync(place, { force: true })
      writeFileSync(place, `${url}\n`, { mode: 0o600 })
      let closed: Promise<void> | undefined
      return () => {
        // Only once: after an upgrade another process's address stands there.
        if (closed === undefined) rmSync(place, { force: true })
        return (closed ??= close())
      }
    },
  }
}
