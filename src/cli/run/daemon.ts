/**
 * @packageDocumentation
 * All that a daemon is made of beyond the command line, behind one door: what `xbbd list` does not load, and what the
 * bundle makes one script of (scripts/bundle.mjs, code-cache.ts). Nothing but `xbbd run` comes in here.
 */
import { WorkerThreads } from './worker-threads.js'
import { openDaemonWorld } from './open-world.js'
import type { OpenWorld } from './world.js'

export { openLog } from './log.js'
export { serve } from './serve.js'

/** The world that the settings name. Threads for its Workers begin first: they take as long as all the rest. */
export const openWorld: OpenWorld = (settings, log, awaitTurn) =>
  openDaemonWorld(settings, log, new WorkerThreads(settings.workers), awaitTurn)
