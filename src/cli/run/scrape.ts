/**
 * @packageDocumentation
 * One daemon's metrics as text, made at the moment somebody asks. What is not to be had from a list or a counter is
 * followed while the daemon lives: how long each device drains.
 */
import type { Clock } from '../../ports/clock.js'
import { DrainClock } from '../../observe/drain-clock.js'
import { exposition } from '../../observe/exposition.js'
import { metrics } from '../../observe/metrics.js'
import type { World } from './world.js'

export interface Scraper {
  /** What Prometheus is told now. */
  text(): string
  close(): void
}

/** Follows `world` until it is closed. */
export function scraperOf(world: Pick<World, 'api' | 'journalUse'>, version: string, clock: Clock): Scraper {
  const drains = new DrainClock(clock.nowNs)
  const startedAt = clock.wallMs() / 1000
  const look = () => drains.look(world.api.list())
  const following = world.api.changed$.subscribe(look)
  return {
    text() {
      look()
      return exposition(
        metrics({
          version,
          startedAt,
          devices: world.api.list(),
          statistics: world.api.statistics(),
          drainingSeconds: (name) => drains.seconds(name),
          journal: world.journalUse(),
        }),
      )
    },
    close: () => following.unsubscribe(),
  }
}
