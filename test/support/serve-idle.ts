/**
 * @packageDocumentation
 * A daemon's process around a world of one device that does nothing: for tests of lock, log, signals, control socket and
 * exit status, without XenStore, host or media. Arguments: run directory, configuration file, and `hangs` for a device
 * whose medium never answers.
 */
import { serve } from '../../src/cli/run/serve.js'
import { readConfigFile } from '../../src/cli/config/load.js'
import { openLog } from '../../src/cli/run/log.js'
import type { World } from '../../src/cli/run/world.js'
import { sentenceOf, XbbdError } from '../../src/protocol/errors.js'
import type { PendingDevice, StopMode, StopOutcome } from '../../src/ports/daemon-api.js'

const [runDir, file, hangs] = process.argv.slice(2)

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
    api: {
      attach: never,
      detach: never,
      list: () => [],
      statistics: () => [],
      stop,
      abandonStop: () => abandon(),
      pending: () => left,
    },
    apply: (settings) => process.stdout.write(`applied depth ${settings['medium.depth']}\n`),
    lost: new Promise(() => undefined),
    close: () => Promise.resolve(),
  }
}

try {
  process.exitCode = await serve({
    version: 'test',
    layers: () => ({ file: readConfigFile(file), flags: { 'run.dir': runDir } }),
    openWorld: () => Promise.resolve(idleWorld()),
    openLog: (level) => openLog(level, process.stderr),
    signals: process,
  })
} catch (error) {
  process.stderr.write(`${sentenceOf(error)}\n`)
  process.exitCode = error instanceof XbbdError ? error.exitCode : 70
}
