/**
 * @packageDocumentation
 * A program that knows nothing of Xen reads and writes the guest's disk: any NBD client is a guest. The first of these
 * that is installed is used; when none is, the demo says so.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

interface NbdClient {
  readonly program: string
  /** Its arguments for a disk at `socket`; it must end with 0 only when the bytes were right. */
  readonly args: (socket: string) => readonly string[]
}

/** qemu-io writes two patterns and reads them back; fio verifies a random mix; nbdcopy reads the whole disk. */
const CLIENTS: readonly NbdClient[] = [
  {
    program: 'qemu-io',
    args: (socket) => [
      '-f', 'raw',
      '-c', 'write -P 0x5a 1M 1M', '-c', 'write -P 0xa5 1536k 512k', '-c', 'flush',
      '-c', 'read -P 0x5a 1M 512k', '-c', 'read -P 0xa5 1536k 512k',
      `nbd+unix:///disk?socket=${socket}`,
    ],
  },
  {
    program: 'fio',
    args: (socket) => [
      '--name=demo', '--ioengine=nbd', `--uri=nbd+unix:///disk?socket=${socket}`, '--rw=randrw', '--bs=4k',
      '--size=16m', '--iodepth=32', '--verify=crc32c', '--minimal',
    ],
  },
  { program: 'nbdcopy', args: (socket) => [`nbd+unix:///disk?socket=${socket}`, 'null:'] },
]

export interface NbdOutcome {
  readonly program: string
  readonly status: number | null
  readonly output: string
}

/** Runs the first client that is installed. @returns undefined when there is none. */
export async function runNbdClient(socket: string): Promise<NbdOutcome | undefined> {
  const client = CLIENTS.find(({ program }) => isInstalled(program))
  if (client === undefined) return undefined
  const child = spawn(client.program, client.args(socket), { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const status = await new Promise<number | null>((resolve) => {
    child.on('close', resolve)
    child.on('error', () => resolve(null))
  })
  // qemu-io ends with 0 even when a pattern does not match; it says so in words.
  const wrong = /verification failed|error|fail/i.test(output) && client.program === 'qemu-io'
  return { program: client.program, status: wrong ? 1 : status, output: output.trim() }
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => existsSync(join(dir, program)))
}
