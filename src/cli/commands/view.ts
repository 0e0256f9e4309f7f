/**
 * @packageDocumentation
 * `xbbd view`: the page, in a browser of this machine. Over a journal it serves what was recorded; without one it
 * hands on what a daemon that runs shows on its control socket. The address that it prints holds a token, and is good
 * as long as the command runs.
 */
import { InvalidArgumentError, type Command } from 'commander'
import { daemonSocketOf, withDaemonOptions, type CommandContext, type DaemonOptions } from './context.js'

interface Options extends DaemonOptions {
  readonly port: number
}

const EXAMPLES = `
Examples:
  xbbd view                          the daemon that runs, now and back through its journals
  xbbd view /run/xbbd/journal        the same journals as a recording, for example of a daemon that ended
  xbbd view segment-0003.xbj --port 8080

The page listens on the loopback address. From another machine: ssh -L 8080:127.0.0.1:8080 HOST, with --port 8080.
`

/** Registers the command. */
export function addView(program: Command, { terminal }: CommandContext): void {
  const command = program
    .command('view')
    .description('show disks, charts and journals in a browser: now, and at any moment of a recording')
    .argument('[path]', 'a journal file or folder (default: the daemon that runs)')
    .option('--port <n>', 'port of the loopback address (default: any that is free)', readPort, 0)
    .addHelpText('after', EXAMPLES)
    .action(async (path: string | undefined, options: Options) => {
      const { listenForPage, newToken } = await import('../page/http.js')
      const token = newToken()
      const handler = path === undefined ? await ofDaemon(options, token) : await ofPath(path, token)
      const page = await listenForPage(`127.0.0.1:${options.port}`, token, handler, '--port')
      terminal.out(`${page.url}\n`)
      terminal.note('the page is there until Ctrl-C')
      await new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
      })
      await page.close()
    })
  withDaemonOptions(command)
}

async function ofPath(path: string, token: string) {
  const [{ openRecording }, { pageHandler }] = await Promise.all([
    import('../page/recording.js'),
    import('../page/http.js'),
  ])
  return pageHandler(openRecording(path), token)
}

async function ofDaemon(options: DaemonOptions, token: string) {
  const [{ forwarding }, { ControlClient }] = await Promise.all([
    import('../page/forward.js'),
    import('../control/client.js'),
  ])
  const socket = daemonSocketOf(options)
  const client = await ControlClient.connect(socket) // whether somebody is there is said now, not in the browser
  client.close()
  return forwarding(socket, token)
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65535) return port
  throw new InvalidArgumentError('a port is a number from 0 to 65535')
}
