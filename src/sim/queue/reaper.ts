/**
 * @packageDocumentation
 * Death at any effect: layers around the ports of a plane, which count what it does outside and throw when the count is
 * up, before an effect, in the middle of it or behind it. Whoever catches {@link Killed} knows that the back end died
 * there; what it had done stands, what it had not done never happens.
 *
 *   plane ─► reaper ─► ring, grants, medium, sink, segments
 */
import { layered } from '../../actors/port-layer.js'
import type { SimRing } from '../sim-ring.js'
import type { Seams } from '../world-options.js'

/** The back end died here. */
export class Killed extends Error {}

export class Reaper {
  /** Effects that are still survived. */
  left = Infinity
  /** Where it struck. */
  readonly struck = new Set<string>()
  struckCount = 0

  at(place: string): void {
    if (this.left-- > 0) return
    this.left = Infinity
    this.struck.add(place)
    this.struckCount++
    throw new Killed(place)
  }

  seams(ring: () => SimRing): Seams {
    return {
      segment: () => this.at('rolling'),
      ring: (port) =>
        layered(port, {
          take: (cons, prod, max, whole) => this.around('take', () => port.take(cons, prod, max, whole)),
          answer: (answers, count, prod) =>
            this.around('answer', () => {
              for (const part of [count >>> 1, count]) {
                ring().writeAnswers(answers, part, prod)
                this.at('middle of answer')
              }
              return port.answer(answers, count, prod)
            }),
        }),
      grants: (port) => layered(port, { copy: (copies, count) => this.around('copy', () => port.copy(copies, count)) }),
      medium: (port) =>
        layered(port, {
          submit: (requests, count) => this.around('submit', () => port.submit(requests, count)),
          reap: (results, max) => this.around('reap', () => port.reap(results, max)),
        }),
      sink: (sink) =>
        layered(sink, {
          begin: (room, now) => this.around('begin', () => sink.begin(room, now)),
          seal: (time, digest) => this.around('seal', () => sink.seal(time, digest)),
        }),
    }
  }

  private around<Result>(place: string, effect: () => Result): Result {
    this.at(`before ${place}`)
    const result = effect()
    this.at(`after ${place}`)
    return result
  }
}
