/**
 * @packageDocumentation
 * `xbbd explain`: why a disk is stuck, in one paragraph and a table, from a journal or from a daemon that runs. That
 * is not disturbed: it is asked where its journals are, and they are read as files, like any other.
 */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import type { DeviceListing } from '../../ports/daemon-api.js'
import type { RingLook } from '../../ports/host.js'
import { XbbdError } from '../../protocol/errors.js'
import type { Explanation } from '../../observe/explain.js'
import { renderTable } from '../table.js'
import { formatNanoseconds } from '../units.js'
import { json, withDaemon, withDaemonOptions, type CommandContext, type DaemonOptions } from './context.js'

interface Options extends DaemonOptions {
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd explain                          every disk of the daemon that runs
  xbbd explain vbd/5/51712              one of them, by its name, or by xvda where that is unique
  xbbd explain /var/tmp/journal         how things stood when this recording ended
  xbbd explain vbd/5/51712 --json | jq '.[].oldest'
`

/** Registers the command. */
export function addExplain(program: Command, { terminal }: CommandContext): void {
  const command = program
    .command('explain')
    .description('say why a disk is stuck: its oldest request, where it stands, and what it waits for')
    .argument('[what]', 'a device, or a journal file or folder (default: every device of the daemon)')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (what: string | undefined, options: Options) => {
      const found = what !== undefined && existsSync(what) ? await ofPath(what) : await ofDaemon(what, options)
      terminal.out(options.json ? json(found) : found.map(explanationText).join('\n'))
    })
  withDaemonOptions(command)
}

/** What a daemon that runs adds to its journals. */
interface Living {
  readonly nowNs: number
  readonly device: string
  readonly rings: readonly RingLook[]
}

/** How things stood when the recording ended; of a daemon that runs, how they stand. */
async function ofPath(path: string, living?: Living): Promise<Explanation[]> {
  const [{ openJournals, chainsToFold }, { Recording }, { recordingMoment }, { explain, ringOf }] = await Promise.all([
    import('../../journal/journal-files.js'),
    import('../../journal/recording.js'),
    import('../replay/moment-text.js'),
    import('../../observe/explain.js'),
  ])
  const chains = chainsToFold(openJournals(path), path, living?.device)
  const recording = new Recording(chains)
  recording.end()
  const { journals } = recordingMoment(recording, living?.nowNs ?? recording.latest()?.timeNs ?? 0)
  return explain(journals, formatNanoseconds, living && ((queue) => ringOf(queue, chains, living.rings)))
}

/** How things stand now, by the clock that the daemon's journals use. */
async function ofDaemon(what: string | undefined, options: Options): Promise<Explanation[]> {
  const [listing, rings, runDir] = await withDaemon(options, async (client) => {
    const { settings } = (await client.call('config')) as { settings: Readonly<Record<string, string>> }
    const looks = (await client.call('rings')) as RingLook[]
    return [(await client.call('list')) as DeviceListing[], looks, settings['run.dir']] as const
  })
  const wanted = listing.filter(({ name, vdev }) => what === undefined || what === name || what === vdev)
  if (wanted.length === 0 || (what !== undefined && wanted.length > 1)) {
    const names = listing.map(({ name, vdev }) => `${name} (${vdev})`).join(', ') || 'no device'
    const which = wanted.length > 1 ? `${what} is not unique` : `there is no device ${what ?? 'at all'}`
    throw new XbbdError('XBBD_NO_DEVICE', `${which}; the daemon has ${names}`, { exitCode: 66 })
  }
  const { nowNs } = await import('../../io/native/clock.js')
  const found: Explanation[] = []
  for (const device of wanted) {
    const [one] = await ofPath(`${runDir}/journal`, { nowNs: nowNs(), device: device.name, rings })
    found.push({ ...one, sentences: [...one.sentences, frontSentence(device)] })
  }
  return found
}

function frontSentence({ frontendState, backendState, error, notes, gaveUp }: DeviceListing): string {
  const why = [...(error === undefined ? [] : [error]), ...notes].map((sentence) => ` ${sentence}.`).join('')
  const end = gaveUp ? ' The supervisor has given it up.' : ''
  return `In XenStore the front end says ${frontendState}, the back end ${backendState}.${why}${end}`
}

/** The paragraph and the table of requests. */
export function explanationText({ device, verdict, sentences, queues }: Explanation): string {
  const head = `${device}: ${verdict}. ${sentences.join(' ')}\n`
  const requests = queues.flatMap((queue) => queue.requests)
  if (requests.length === 0) return head
  const titles = ['SLOT', 'WHAT', 'SECTOR', 'STATE', 'FOR', 'AGE', 'WAITS FOR'].map((title) => ({ title }))
  const rows = requests.map(({ slot, what, sector, state, inStateNs, ageNs, waitsFor }) => [
    `${slot}`, what, `${sector}`, state, inStateNs === undefined ? '-' : formatNanoseconds(inStateNs),
    formatNanoseconds(ageNs), waitsFor,
  ])
  return `${head}${renderTable(titles, rows)}`
}
