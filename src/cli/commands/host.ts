/**
 * @packageDocumentation
 * `xbbd host`: the pocket host in the foreground: domains, grant tables, event channels and a XenStore, on any Linux
 * machine. SIGTERM or SIGINT ends it, and with it every domain on it.
 */
import type { Command } from 'commander'
import type { CommandContext } from './context.js'

const EXAMPLES = `
Examples:
  xbbd host --dir /tmp/xen                         stays in the foreground; Ctrl-C ends it
  XENSTORED_PATH=/tmp/xen/xenstore xenstore-ls     Debian's tools look into it
  xbbd run --host-dir /tmp/xen                     a daemon on it
`

/** Registers the command. */
export function addHost(program: Command, { terminal }: CommandContext): void {
  program
    .command('host')
    .description('run the embedded host, for a machine without Xen')
    .requiredOption('-d, --dir <dir>', 'its directory, with the sockets of XenStore and hypervisor')
    .addHelpText('after', EXAMPLES)
    .action(async ({ dir }: { dir: string }) => {
      const { runHost } = await import('../../embedded/host/main.js')
      const host = await runHost({ dir, log: (sentence) => terminal.note(sentence) })
      await new Promise<void>((resolve) => {
        process.once('SIGTERM', () => resolve())
        process.once('SIGINT', () => resolve())
      })
      await host.close()
    })
}
