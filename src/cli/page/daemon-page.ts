/**
 * @packageDocumentation
 * The page of the daemon in whose process it is. It costs nothing until somebody looks: then lists and counters, which
 * are there anyway, the rings' indices, and the journals as files, all on the main thread. Queues know nothing of it.
 *
 *   control socket    no token, because the socket is its owner's        page.listen    a port, with a token
 */
import { readdirSync } from 'node:fs'
import { nowNs } from '../../io/native/clock.js'
import { openJournals } from '../../journal/journal-files.js'
import type { JournalFiles } from '../../journal/journal-files.js'
import { LiveRows } from '../../observe/page/live.js'
import { PageApi } from '../../observe/page/page-api.js'
import { daemonSource } from '../../observe/page/source.js'
import type { DaemonApi } from '../../ports/daemon-api.js'
import { formatNanoseconds } from '../units.js'

export interface DaemonPageParts {
  readonly api: DaemonApi
  readonly version: string
  readonly title: string
  readonly journalDir: string
}

/** The answers of a daemon that runs. */
export function daemonPage({ api, version, title, journalDir }: DaemonPageParts): PageApi {
  const live = new LiveRows()
  const present = {
    nowNs,
    rows: () => live.rows(nowNs(), api.list(), api.statistics()),
    rings: () => api.rings(),
  }
  return new PageApi(daemonSource(title, version, present, () => open(journalDir)), formatNanoseconds, nowNs)
}

/** With `journal.mode = off` there may be none. */
function open(folder: string): JournalFiles {
  const files = readdirSync(folder, { withFileTypes: true }).length > 0 ? openJournals(folder) : undefined
  return { chains: files?.chains.filter(({ upcast }) => upcast !== undefined) ?? [], problems: files?.problems ?? [] }
}
