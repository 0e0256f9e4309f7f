/**
 * @packageDocumentation
 * io_uring, threads, or the Worker itself? A file in memory (tmpfs) never waits, so its bytes are moved inline. For the
 * rest, `auto` tries a real engine over a throw-away eventfd and page: the only honest question, as
 * io_uring may be forbidden by sysctl, by a seccomp filter, or be missing. The answer cannot change while the process
 * lives, so it is asked once.
 */
import { closeDescriptor, mapMemory, unmap } from '../native/owners.js'
import { eventfdCreate } from '../native/shm.js'
import type { IoEngineKind } from '../../ports/medium.js'
import { codeOf } from '../../protocol/errors.js'
import { ENGINE_URING, mediaAddon } from './native-engine.js'

let refusal: string | undefined
let asked = false

/** Why io_uring cannot be used in this process (EPERM, ENOSYS, ENOMEM …), or undefined when it can; for doctor. */
export function uringRefusal(): string | undefined {
  if (asked) return refusal
  asked = true
  const eventfd = eventfdCreate()
  const page = mapMemory(4096)
  try {
    const engine = mediaAddon.engineOpen(ENGINE_URING, eventfd, eventfd, page, 1, 4096, 512, 0, 0)
    mediaAddon.engineClose(engine)
  } catch (error) {
    refusal = codeOf(error) ?? 'unknown'
  } finally {
    closeDescriptor(eventfd)
    unmap(page)
  }
  return refusal
}

/** The engine that will serve; says in `notes` when it is not the one wished for. `inMemory`: the file never waits. */
export function chooseEngine(wish: IoEngineKind | 'auto', inMemory: boolean, notes: string[]): IoEngineKind {
  if (wish === 'threads' || wish === 'inline') return wish
  if (wish === 'auto' && inMemory) return 'inline'
  const reason = uringRefusal()
  if (reason === undefined) return 'io_uring'
  notes.push(`io_uring cannot be used here (${reason}): threads move the data, at a higher cost per request`)
  return 'threads'
}
