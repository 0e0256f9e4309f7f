/**
 * @packageDocumentation
 * How charts of earlier versions numbered their states and events. Journals hold numbers; a journal of that time is
 * read by giving each number the name that it had then, and the name its number of today (renumbering.ts).
 *
 *   journal: state 12 ─ then ─► 'Abandoned' ─ now ─► 12          event 11 ─ then ─► 'freed' ─ now ─► 13
 *
 * An entry is added when request.machine.ts or queue.machine.ts changes: the hashes and names of the generated code as
 * it was before. That is enough as long as the new chart does with every journal of the old one what the old one did
 * (edges were added, none was changed): test/unit/journal-upcast.test.ts replays files of every entry, digests and all.
 * Entries stay for ever.
 */

/** One chart as the generated code of its time had it: hash, and the names of its numbers. */
export interface ChartNumbers {
  readonly hash: string
  readonly states: readonly string[]
  readonly events: readonly string[]
}

/** A pair of charts that some version obeyed. */
export interface OlderCharts {
  readonly request: ChartNumbers
  readonly queue: ChartNumbers
}

const words = (text: string): readonly string[] => text.split(' ')

const REQUEST_STATES = words(
  'Free Taken Rejected Held Waiting Granted Syncing Submitted Filled Copied Answered Orphaned Abandoned',
)
const QUEUE_STATES = words('Detached Running Shortage Draining Abandoning Broken Drained')

export const OLDER_CHARTS: readonly OlderCharts[] = [
  // Nothing could be redone: a killed daemon's requests were lost.
  {
    request: {
      hash: '105129f8af54fbb4',
      states: REQUEST_STATES,
      events: words(
        'taken rejected held waited admitted abandoned answered copied copyFailed completed failed freed',
      ),
    },
    queue: {
      hash: '9ad1cf01a323995b',
      states: QUEUE_STATES,
      events: words('attached short drainAsked frontEndGone ringBroken relieved emptied detached'),
    },
  },
  // Nothing waited for space on the medium.
  {
    request: {
      hash: 'b630d681f9eb54d0',
      states: REQUEST_STATES,
      events: words(
        'taken rejected held waited admitted abandoned answered redone copied copyFailed completed failed freed',
      ),
    },
    queue: {
      hash: 'dead540e8df2db4f',
      states: QUEUE_STATES,
      events: words('attached short drainAsked frontEndGone ringBroken recovered relieved emptied detached'),
    },
  },
  // No queue was left to another process on purpose.
  {
    request: {
      hash: 'b62d4184b45ae07e',
      states: [...REQUEST_STATES, 'Stalled'],
      events: words(
        'taken rejected held waited admitted abandoned answered redone copied copyFailed completed failed full freed ' +
          'retried gaveUp',
      ),
    },
    queue: {
      hash: '78f6ca3bbaf5f0b4',
      states: QUEUE_STATES,
      events: words('attached short drainAsked frontEndGone ringBroken recovered relieved emptied detached'),
    },
  },
  // No device had a rate limit.
  {
    request: {
      hash: 'b62d4184b45ae07e',
      states: [...REQUEST_STATES, 'Stalled'],
      events: words(
        'taken rejected held waited admitted abandoned answered redone copied copyFailed completed failed full freed ' +
          'retried gaveUp',
      ),
    },
    queue: {
      hash: '3a57d31a76bfe3e8',
      states: [...QUEUE_STATES, 'Yielded'],
      events: words('attached short drainAsked frontEndGone ringBroken recovered yielded relieved emptied detached'),
    },
  },
]
