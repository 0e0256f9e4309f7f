/**
 * @packageDocumentation
 * A timeline as Linux's blktrace writes it (struct blk_io_trace, version 7), for blkparse, btt and what else reads it.
 *
 *   Q  taken from the ring · G  its slot (the same moment) · I  admitted: its first I/O is asked for · D  to the medium
 *   C  answered, with an error when it failed                  m  refused or abandoned, a queue's or an actor's state
 *
 *   u32 magic · u32 sequence · u64 time ns · u64 sector · u32 bytes · u32 action · u32 pid · u32 device · u32 cpu ·
 *   u16 error · u16 length of what follows                     48 bytes, little endian
 *
 * Every request that was valid is one Q, G, I, D and C, whatever I/Os it took: so blkparse counts requests as the
 * daemon counts them. Flushes, barriers and discards are writes, as in Linux, with letters of their own; pid = domid.
 */
import type { Happened, RequestSpan } from '../journal/timeline.js'
import type { RequestKind } from '../machines/request.machine.js'

const MAGIC = 0x65617407
const RECORD_BYTES = 48
const QUEUE = 1
const GETRQ = 4
const ISSUE = 7
const COMPLETE = 8
const INSERT = 12
const TC_READ = 1 << 0
const TC_WRITE = 1 << 1
const TC_FLUSH = 1 << 2
const TC_QUEUE = 1 << 4
const TC_ISSUE = 1 << 6
const TC_COMPLETE = 1 << 7
const TC_FS = 1 << 8
const TC_NOTIFY = 1 << 10
const TC_DISCARD = 1 << 13
const TC_FUA = 1 << 15
const NOTIFY_PROCESS = 0
const NOTIFY_TIMESTAMP = 1
const NOTIFY_MESSAGE = 2
const EIO = 5
const TWO_32 = 4294967296
/** What a name of a process may have, its end included. */
const COMM_BYTES = 16

const CATEGORIES: { readonly [Kind in RequestKind]: number } = {
  read: TC_READ,
  write: TC_WRITE,
  flush: TC_WRITE | TC_FLUSH,
  flushWrite: TC_WRITE | TC_FLUSH,
  barrier: TC_WRITE | TC_FLUSH,
  barrierWrite: TC_WRITE | TC_FLUSH | TC_FUA,
  discard: TC_WRITE | TC_DISCARD,
}

/** The file of one processor, in pieces. `wallMs` is the date of the recording's clock at `originNs`. */
export function* blktrace(events: Iterable<Happened>, originNs: number, wallMs: number): Generator<Uint8Array, void> {
  const writer = new BlktraceWriter(originNs)
  yield writer.clock(wallMs)
  for (const event of events) yield* writer.recordsOf(event)
}

interface Place {
  readonly timeNs: number
  readonly pid: number
  readonly device: number
}

class BlktraceWriter {
  private sequence = 0
  private readonly originNs: number
  private readonly issued = new WeakSet<RequestSpan>()
  private readonly devices = new Map<string, { readonly pid: number; readonly device: number }>()

  constructor(originNs: number) {
    this.originNs = originNs
  }

  /** Which date the trace begins at. */
  clock(wallMs: number): Uint8Array {
    const seconds = Math.floor(wallMs / 1000)
    const data = new Uint8Array(Uint32Array.of(seconds, Math.round((wallMs - seconds * 1000) * 1e6)).buffer)
    return this.notify({ timeNs: this.originNs, pid: 0, device: 0 }, NOTIFY_TIMESTAMP, data)
  }

  *recordsOf(event: Happened): Generator<Uint8Array, void> {
    const journal = 'span' in event ? event.span.journal : event.journal
    const place = { timeNs: event.timeNs, ...(yield* this.device(journal)) }
    switch (event.type) {
      case 'taken':
        if (event.span.kind === undefined)
          return void (yield this.message(place, `refused ${event.span.what}: ${event.span.refused}`))
        yield this.request(place, event.span, QUEUE, TC_QUEUE)
        return void (yield this.request(place, event.span, GETRQ, TC_QUEUE))
      case 'issued':
        if (this.issued.has(event.span)) return
        this.issued.add(event.span)
        yield this.request(place, event.span, INSERT, TC_QUEUE)
        return void (yield this.request(place, event.span, ISSUE, TC_ISSUE))
      case 'ended':
        if (event.span.kind === undefined) return
        if (event.status === undefined) return void (yield this.message(place, `abandoned slot ${event.span.slot}`))
        return void (yield this.request(place, event.span, COMPLETE, TC_COMPLETE, event.status === 0 ? 0 : EIO))
      case 'queue':
        return void (yield this.message(place, `queue ${event.state}`))
      case 'actor':
        if (event.moved) yield this.message(place, `${event.actor} ${event.state}`)
        return
      case 'state':
      case 'batch':
        return
    }
  }

  private request(place: Place, span: RequestSpan, action: number, category: number, error = 0): Uint8Array {
    const kind = span.kind === undefined ? 0 : CATEGORIES[span.kind]
    const { view, bytes } = this.record(place, action | ((category | kind | TC_FS) << 16), 0)
    view.setUint32(16, span.sector % TWO_32, true)
    view.setUint32(20, Math.floor(span.sector / TWO_32), true)
    view.setUint32(24, Math.min(span.bytes, 0xfffffe00), true)
    view.setUint16(44, error, true)
    return bytes
  }

  private message(place: Place, text: string): Uint8Array {
    return this.notify(place, NOTIFY_MESSAGE, new TextEncoder().encode(text).subarray(0, 127))
  }

  private notify(place: Place, what: number, data: Uint8Array): Uint8Array {
    const { bytes } = this.record(place, what | (TC_NOTIFY << 16), data.length)
    bytes.set(data, RECORD_BYTES)
    return bytes
  }

  private record({ timeNs, pid, device }: Place, action: number, dataBytes: number) {
    const bytes = new Uint8Array(RECORD_BYTES + dataBytes)
    const view = new DataView(bytes.buffer)
    const passed = Math.max(0, Math.round(timeNs - this.originNs))
    const head = [MAGIC, ++this.sequence, passed % TWO_32, Math.floor(passed / TWO_32)]
    head.forEach((word, index) => view.setUint32(4 * index, word, true))
    view.setUint32(28, action, true)
    view.setUint32(32, pid, true)
    view.setUint32(36, device, true)
    view.setUint16(46, dataBytes, true)
    return { view, bytes }
  }

  /** `vbd/5/51712/q0` is the guest 5 and its disk 202:0; disks of several guests under one number get other minors. */
  private *device(journal: string): Generator<Uint8Array, { readonly pid: number; readonly device: number }> {
    const name = journal.replace(/\/q\d+$/, '')
    const known = this.devices.get(name)
    if (known) return known
    const [, domid = '0', vdev = '51712'] = /(\d+)\/(\d+)$/.exec(name) ?? []
    const taken = new Set([...this.devices.values()].map(({ device }) => device))
    let device = ((Number(vdev) >>> 8) << 20) | (Number(vdev) & 0xff)
    while (taken.has(device)) device += 16
    const made = { pid: Number(domid), device }
    this.devices.set(name, made)
    const comm = new TextEncoder().encode(name).subarray(0, COMM_BYTES - 1)
    const data = new Uint8Array(COMM_BYTES)
    data.set(comm)
    yield this.notify({ timeNs: this.originNs, ...made }, NOTIFY_PROCESS, data)
    return made
  }
}
