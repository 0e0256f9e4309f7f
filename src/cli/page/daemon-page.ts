/**
 * @packageDocumentation
 * The page of the daemon in whose process it is. It costs nothing until somebody looks: then lists and counters, which
 * are there anyway, and the rings' indices; the journals are read as files, in a thread of its own (page-thread.ts).
 * Queues know nothing of it.
 *
 *   control socket    no token, because the socket is its owner's        page.listen    a port, with a token
 */
import { nowNs } from '../../io/native/clock.js'
import { LiveRows } from '../../observe/page/live.js'
import type { DaemonApi } from '../../ports/daemon-api.js'
import type { Answers } from './answers.js'
import { answersOfThread } from './page-thread.js'
import type { PageThreadData } from './page-thread.js'

export interface DaemonPageParts extends PageThreadData {
  readonly api: DaemonApi
  /** By segment of the journals' pool, which one it is now: the others need no look at their files. */
  readonly segmentSequences: () => Int32Array
}

/** The answers of a daemon that runs. */
export function daemonPage({ api, segmentSequences, ...data }: DaemonPageParts): Answers {
  const live = new LiveRows()
  const now = (device: string | null) => ({
    rows: live.rows(nowNs(), api.list(), api.statistics()), rings: device === null ? [] : api.rings(),
  })
  return answersOfThread(data, now, segmentSequences)
}
