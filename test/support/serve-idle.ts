/**
 * @packageDocumentation
 * `xbbd run` around a world of one device that does nothing: for tests of flags, lock, log, signals, control socket and
 * exit status, without XenStore, host or media. XBBD_TEST_IDLE=hangs gives it a medium that never answers, `throws` a
 * fault that nobody catches, `slow` a SIGTERM while the world is being opened.
 */
import { Command } from 'commander'
import { NEVER } from 'rxjs'
import { addRun } from '../../src/cli/commands/run.js'
import type { CommandContext } from '../../src/cli/commands/context.js'
import { terminalOn } from '../../src/cli/terminal.js'
import type { World } from '../../src/cli/run/world.js'
import { sentenceOf, XbbdError } from '../../src/protocol/errors.js'
import type { PendingDevice, StopMode, StopOutcome } from '../../src/ports/daemon-api.js'

const idle = process.env.XBBD_TEST_IDLE
const hangs = idle === 'hangs'

function idleWorld(): World {
  const held = { rings: 0, channels: 0, grants: 0 }
  const left: PendingDevice[] = hangs ? [{ name: 'vbd/5/51712', state: 'Connected.draining', inFlight: 3 }] : []
  let abandon: () => void = () => undefined
  const never = () => Promise.reject(new XbbdError('XBBD_IDLE', 'this daemon attaches nothing', { exitCode: 69 }))
  const stop = (mode: StopMode): Promise<StopOutcome> => {
    if (!hangs) return Promise.resolve({ mode, devices: 1, left: [], held })
    return new Promise((resolve) => (abandon = () => resolve({ mode, devices: 1, left, held })))
  }
  return {
    kind: 'embedded',
    api: {
      attach: never,
      detach: never,
      changeDisc: never,
      resize: never,
      limit: never,
      list: () => [],
      statistics: () => [],
      stop,
      abandonStop: () => abandon(),
      pending: () => left,
      held: () => held,
      rings: () => [],
      changed$: NEVER,
      alive: () => Promise.resolve(),
    },
    journalUse: () => ({ poolBytes: 1 << 26, heldBytes: 1 << 18, segmentsBegun: 7 }),
    segmentSequences: () => new Int32Array(0),
    apply: (settings) => process.stdout.write(`applied depth ${settings['medium.depth']}\n`),
    lost: new Promise(() => undefined),
    resumed: () => Promise.resolve([]),
    yielded: () => new Map(),
    close: () => Promise.resolve(),
  }
}

/** Does not return before the signal has been delivered. */
async function signalledWhileOpening(): Promise<World> {
  const delivered = new Promise((resolve) => process.once('SIGTERM', resolve))
  const alive = setInterval(() => undefined, 1000) // waiting for a signal alone keeps no process alive
  process.kill(process.pid, 'SIGTERM')
  await delivered
  clearInterval(alive)
  return idleWorld()
}

const context: CommandContext = { terminal: terminalOn(process.stdout, process.stderr, {}), status: 0 }
const program = new Command('xbbd').version('test').exitOverride()
addRun(program, context, () => {
  if (idle === 'throws')
    setTimeout(() => {
      throw new TypeError('nobody catches this')
    }, 1)
  return idle === 'slow' ? signalledWhileOpening() : Promise.resolve(idleWorld())
})

try {
  await program.parseAsync(process.argv)
  process.exitCode = context.status
} catch (error) {
  process.stderr.write(`${sentenceOf(error)}\n`)
  process.exitCode = error instanceof XbbdError ? error.exitCode : 70
}
