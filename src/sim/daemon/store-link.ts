/**
 * @packageDocumentation
 * XenStore over wires that take their time: the real server and the real client, in this thread, with every message
 * between them an event of its own. What was sent arrives, also when its sender died since; what comes back to the dead
 * is lost.
 */
import { connectOver, type Carrier } from '../../embedded/xenstored/in-process.js'
import type { XenStored } from '../../embedded/xenstored/xenstored.js'
import type { Random } from '../random.js'
import type { Kernel } from './kernel.js'
import type { Life } from './life.js'

export interface StoreLinkParts {
  readonly kernel: Kernel
  readonly random: Random
  readonly server: XenStored
  /** Most nanoseconds that a message is under way. */
  readonly delayNs: number
}

export type StoreClient = ReturnType<typeof connectOver>['client']

/** A client, and what the kernel does when its process is dead. */
export interface StoreLink {
  readonly client: StoreClient
  readonly cut: () => void
}

/** A client with the rights of `domid` that lives as long as `life`. */
export function linkTo({ kernel, random, server, delayNs }: StoreLinkParts, domid: number, life: Life): StoreLink {
  const inOrder = (): Carrier => {
    let lastNs = 0
    return (step) => {
      lastNs = Math.max(lastNs, kernel.nowNs + 1000 + random.below(delayNs))
      kernel.after(lastNs - kernel.nowNs, step)
    }
  }
  const [toServer, toClient] = [inOrder(), inOrder()]
  const { client, leave } = connectOver(
    server, domid,
    (step) => {
      if (!life.acts('xenstore')) return
      toServer(step)
      life.did('xenstore')
    },
    (step) => toClient(() => life.alive && step()),
  )
  return { client, cut: () => toServer(leave) }
}
