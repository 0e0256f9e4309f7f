/**
 * @packageDocumentation
 * Places on the data path at which a test lets the process die by SIGKILL (XBBD_PLANT=kill=NAME:VISIT). They are layers
 * around the ports of one plane and exist only where one is planted, so they cost nothing otherwise.
 *
 *   reaped · taken · copied · unsealed · uncommitted · sealed ·
 *   half-answered · answered · published · notified · offered · submitted · rolling · folded · adopted
 *
 * In the order of a round: results collected; entries copied out of the ring; data copied; the batch whole but for its
 * seal; sealed but for the commit word; sealed; half of the answers written; all of them, rsp_prod not stored; stored,
 * not notified; notified; I/O about to be submitted; submitted; a fresh segment about to get its header; and of a
 * recovery: folded and nothing written yet; its own journal begun.
 */
import type { SegmentSource } from '../journal/batch-writer.js'
import type { BackRing, EventPort, GrantCopier, MediumPort } from '../ports/data-path.js'
import { layered } from './port-layer.js'
import type { BatchSink } from './queue-plane.js'

export const KILL_POINTS = [
  'reaped', 'taken', 'copied', 'unsealed', 'uncommitted', 'sealed', 'half-answered', 'answered', 'published',
  'notified', 'offered', 'submitted', 'rolling', 'folded', 'adopted',
] as const
export type KillPoint = (typeof KILL_POINTS)[number]

/** Where, and at which visit of that place. */
export interface PlantedKill {
  readonly at: KillPoint
  readonly visit: number
}

export class Killer {
  private readonly planted: PlantedKill
  private readonly die: () => void
  private visits = 0

  /** `die` does not return. */
  constructor(planted: PlantedKill, die: () => void) {
    this.planted = planted
    this.die = die
  }

  at(point: KillPoint): void {
    if (point === this.planted.at && ++this.visits === this.planted.visit) this.die()
  }

  ring(ring: BackRing): BackRing {
    return layered(ring, {
      take: (cons, prod, max) => {
        const count = ring.take(cons, prod, max)
        if (count > 0) this.at('taken')
        return count
      },
      answer: (answers, count, prod) => {
        ring.write?.(answers, count >>> 1, prod)
        if (count > 1) this.at('half-answered')
        ring.write?.(answers, count, prod)
        this.at('answered')
        const notify = ring.answer(answers, count, prod)
        this.at('published')
        return notify
      },
    })
  }

  grants(grants: GrantCopier): GrantCopier {
    return layered(grants, {
      copy: (copies, count) => {
        const failed = grants.copy(copies, count)
        this.at('copied')
        return failed
      },
    })
  }

  channel(channel: EventPort): EventPort {
    return layered(channel, {
      notify: () => {
        channel.notify()
        this.at('notified')
      },
    })
  }

  medium(medium: MediumPort): MediumPort {
    return layered(medium, {
      submit: (requests, count) => {
        this.at('offered')
        const taken = medium.submit(requests, count)
        this.at('submitted')
        return taken
      },
      reap: (results, max) => {
        const count = medium.reap(results, max)
        if (count > 0) this.at('reaped')
        return count
      },
    })
  }

  sink(sink: BatchSink): BatchSink {
    return layered(sink, {
      seal: (time, digest) => {
        this.at('unsealed')
        // The commit word is stored last: dying before it leaves this, since nothing is written behind it.
        const commit = sink.batchAt
        sink.seal(time, digest)
        if (commit !== undefined && this.isNext('uncommitted')) sink.words[commit] = 0
        this.at('uncommitted')
        this.at('sealed')
      },
    })
  }

  segments(source: SegmentSource): SegmentSource {
    return {
      next: (journal, atLeast) => {
        const segment = source.next(journal, atLeast)
        if (segment && this.isNext('rolling')) segment.words[0] = 0
        this.at('rolling')
        return segment
      },
    }
  }

  private isNext(point: KillPoint): boolean {
    return this.planted.at === point && this.visits + 1 === this.planted.visit
  }
}
