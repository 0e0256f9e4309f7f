/**
 * @packageDocumentation
 * A front end as a process of its own: a guest of the embedded host with one disk, told what to do line by line, so
 * that a demo or a test can run it, kill it, and lose nothing but it.
 *
 *   node front/main.js HOST-DIR [NAME]
 *   stdin   {"do":"connect"} · {"do":"load",…options} · {"do":"nbd","path":…} · {"do":"digest"} · {"do":"close"}
 *   stdout  {"event":"domain","domid":…} · connected · progress · loaded · nbd · digest · closed · failed
 *
 * One command at a time; the next is read when the one before has ended. End of input closes.
 */
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { systemClock } from '../../io/native/system-clock.js'
import type { XenStore } from '../../ports/xenstore.js'
import { SECTOR_BYTES } from '../../protocol/blkif.js'
import { sentenceOf } from '../../protocol/errors.js'
import { WriteCounts } from '../block-contents.js'
import { Blkfront } from '../blkfront/blkfront.js'
import { GuestDomain } from '../guest/guest-domain.js'
import { NbdServer } from '../nbd/server.js'
import { runWorkload } from '../workload.js'
import type { WorkloadOptions } from '../workload.js'

const DEVID = 51712
const DIGEST_STEP = 1 << 20

type Command =
  | { readonly do: 'connect'; readonly ringPages?: number; readonly poll?: boolean }
  | ({ readonly do: 'load' } & Pick<WorkloadOptions, 'seed' | 'depth' | 'count' | 'durationMs' | 'spanBytes' | 'mix'>)
  | { readonly do: 'nbd'; readonly path: string }
  | { readonly do: 'digest' | 'close' }

function say(event: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
}

class FrontProcess {
  private readonly guest: GuestDomain
  private store: XenStore | undefined
  private front: Blkfront | undefined
  private nbd: NbdServer | undefined
  /** Of the disk, whatever the load. */
  private counts = new WriteCounts(0)

  constructor(guest: GuestDomain) {
    this.guest = guest
  }

  async execute(command: Command): Promise<void> {
    switch (command.do) {
      case 'connect':
        return this.connect(command)
      case 'load':
        return this.load(command)
      case 'nbd':
        this.nbd = await NbdServer.listen({ path: command.path, device: this.disk() })
        return say('nbd', { uri: this.nbd.uri })
      case 'digest':
        return this.digest()
      case 'close':
        return this.close()
    }
  }

  private async connect({ ringPages, poll }: { ringPages?: number; poll?: boolean }): Promise<void> {
    this.store = await this.guest.connectXenStore()
    this.front = await Blkfront.connect({
      guest: this.guest,
      store: this.store,
      frontend: this.guest.vbdPath(DEVID),
      clock: systemClock,
      ...(ringPages !== undefined && { ringPages }),
      ...(poll !== undefined && { poll }),
      onEvent: (event) => say('front', { ...event }),
    })
    this.counts = new WriteCounts(this.front.sizeBytes / SECTOR_BYTES)
    say('connected', { bytes: this.front.sizeBytes, ringPages: this.front.ringPages, depth: this.front.depth })
  }

  private disk(): Blkfront {
    if (!this.front) throw new Error('the disk is not connected')
    return this.front
  }

  private async load({ do: _, ...options }: Extract<Command, { do: 'load' }>): Promise<void> {
    const onProgress = (figures: object) => say('progress', figures)
    const { counts } = this
    say('loaded', await runWorkload({ ...options, counts, device: this.disk(), clock: systemClock, onProgress }))
  }

  /** SHA-256 of the whole disk, as the guest sees it. */
  private async digest(): Promise<void> {
    const disk = this.disk()
    const hash = createHash('sha256')
    for (let at = 0; at < disk.sizeBytes; at += DIGEST_STEP)
      hash.update(await disk.read(at, Math.min(DIGEST_STEP, disk.sizeBytes - at)))
    say('digest', { sha256: hash.digest('hex') })
  }

  async close(): Promise<void> {
    await this.nbd?.close()
    await this.front?.close()
    const counters = this.front?.counters
    this.store?.close()
    this.front = this.nbd = this.store = undefined
    say('closed', { counters })
  }
}

const [dir, name = 'demo'] = process.argv.slice(2)
try {
  const guest = await GuestDomain.create({ dir, name })
  const front = new FrontProcess(guest)
  say('domain', { domid: guest.domid })
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as Command
    await front.execute(command).catch((error: unknown) => say('failed', { sentence: sentenceOf(error) }))
  }
  await front.close()
  guest.close()
  process.exit(0)
} catch (error) {
  say('failed', { sentence: sentenceOf(error) })
  process.exit(1)
}
