/**
 * @packageDocumentation
 * XenStore's watches as RxJS streams. A watch carries no payload and fires as often as anyone writes; what counts is
 * the state that is read afterwards (XSA-349). So a wake-up during a read leads to exactly one more read, however many
 * there were: memory and work are bounded by the reads, not by the guest.
 */
import { Observable, type OperatorFunction } from 'rxjs'
import type { XenStore } from '../../ports/xenstore.js'
import type { ReadPace } from './read-pace.js'

/** Paths at or below `path` that changed; the first comes at once. Errors when the watch cannot be set. */
export function watch$(store: XenStore, path: string): Observable<string> {
  return new Observable((subscriber) => {
    let over = false
    let remove: (() => Promise<void>) | undefined
    const ignore = () => undefined
    store.watch(path, (changed) => subscriber.next(changed)).then(
      (unwatch) => {
        remove = unwatch
        // A connection that ended has removed the watch by itself.
        if (over) unwatch().catch(ignore)
      },
      (error: unknown) => subscriber.error(error),
    )
    return () => {
      over = true
      remove?.().catch(ignore)
    }
  })
}

/**
 * For each wake-up one `read`, never two at a time; wake-ups meanwhile are one more read afterwards.
 * `pace`: where it is a guest who wakes, and must not have us read without end.
 */
export function rereading<T>(read: () => Promise<T>, pace?: ReadPace): OperatorFunction<unknown, T> {
  return (source) =>
    new Observable((subscriber) => {
      let reading = false
      let again = false
      let cancel = () => undefined as void
      const begin = (): void => {
        reading = true
        if (pace) cancel = pace.take(readNow)
        else readNow()
      }
      const readNow = (): void => {
        again = false
        read().then(
          (value) => {
            reading = false
            subscriber.next(value)
            if (again && !subscriber.closed) begin()
          },
          (error: unknown) => subscriber.error(error),
        )
      }
      const wakeUp = (): void => {
        if (reading) again = true
        else begin()
      }
      const subscription = source.subscribe({ next: wakeUp, error: (error: unknown) => subscriber.error(error) })
      return () => {
        subscription.unsubscribe()
        cancel()
      }
    })
}
