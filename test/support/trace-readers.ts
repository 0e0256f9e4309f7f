/**
 * @packageDocumentation
 * Strict readers of the formats that are exported, written from their documentation and not from our writers: they
 * refuse what a tool would have to guess at. Each gives back what a test can count.
 *
 *   readChrome     JSON object format: known phases, nested async events of one id, flows within slices
 *   readPerfetto   protobuf: known fields with the right wire types, tracks before events, slices that nest
 *   readBlktrace   struct blk_io_trace: magic, sequence, time, lengths
 */

interface ChromeEvent {
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly name: string
  readonly cat: string
  readonly id: string | number
  readonly args: Readonly<Record<string, unknown>>
}

/** `b` and `e` of one (cat, id) must nest by name; `s` before `f`; `X` of one thread must not overlap; metadata first. */
export function readChrome(text: string) {
  const file = JSON.parse(text) as { traceEvents: Record<string, unknown>[]; displayTimeUnit: string }
  if (file.displayTimeUnit !== 'ns' && file.displayTimeUnit !== 'ms') throw new Error('displayTimeUnit')
  const stacks = new Map<string, string[]>()
  const flows = new Map<number, number>()
  const named = new Set<number>()
  const sliceEnds = new Map<string, number>()
  const counts = new Map<string, number>()
  let last = -Infinity
  for (const event of file.traceEvents) {
    const { ph, pid, tid, ts, name, cat, id, args } = event as unknown as ChromeEvent
    if (typeof ph !== 'string' || typeof pid !== 'number' || typeof tid !== 'number' || typeof name !== 'string')
      throw new Error(`an event without ph, pid, tid or name: ${JSON.stringify(event)}`)
    counts.set(ph, (counts.get(ph) ?? 0) + 1)
    if (ph === 'M') {
      if (name !== 'process_name' && name !== 'thread_name') throw new Error(`metadata ${name}`)
      named.add(pid)
      continue
    }
    if (typeof ts !== 'number' || ts < last) throw new Error(`time goes back to ${ts}`)
    last = ts
    if (!named.has(pid)) throw new Error(`process ${pid} has no name`)
    const thread = `${pid} ${tid}`
    if (ph === 'b' || ph === 'e' || ph === 'n') {
      if (typeof cat !== 'string' || typeof id !== 'string') throw new Error('an async event without cat or id')
      const key = `${pid} ${cat} ${id}`
      const stack = stacks.get(key) ?? []
      if (ph === 'b') stack.push(name)
      else if (ph === 'e' && stack.pop() !== name) throw new Error(`${name} of ${key} ends and is not open`)
      stacks.set(key, stack)
    } else if (ph === 'X') {
      if ((sliceEnds.get(thread) ?? -Infinity) > ts) throw new Error(`slices of thread ${thread} overlap at ${ts}`)
      sliceEnds.set(thread, ts + Number(event.dur))
    } else if (ph === 's' || ph === 'f') {
      if ((sliceEnds.get(thread) ?? -Infinity) < ts) throw new Error('a flow outside of a slice')
      const state = flows.get(Number(id)) ?? 0
      if (state !== (ph === 's' ? 0 : 1)) throw new Error(`flow ${id} is out of order`)
      flows.set(Number(id), state + 1)
    } else if (ph === 'C') {
      const values = Object.values(args)
      if (values.length === 0 || values.some((value) => typeof value !== 'number')) throw new Error('a counter of no number')
    } else if (ph !== 'i') throw new Error(`phase ${ph}`)
  }
  const open = [...stacks].filter(([key, stack]) => stack.length > 0 && key.includes(' request '))
  const of = (phase: string) => counts.get(phase) ?? 0
  return { begun: of('b'), ended: of('e'), issued: of('n'), counters: of('C'), flows: [...flows.values()].filter((n) => n === 2).length, open: open.length }
}

interface Field {
  readonly number: number
  readonly type: number
  readonly value: number
  readonly bytes: Uint8Array
}

/** The fields of a message; throws where the wire format is broken. */
export function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = () => {
    let [value, factor] = [0, 1]
    for (let count = 0; count < 10; count++) {
      if (at >= bytes.length) throw new Error('a varint is cut off')
      const byte = bytes[at++]
      value += (byte & 0x7f) * factor
      factor *= 128
      if (byte < 0x80) return value
    }
    throw new Error('a varint of more than ten bytes')
  }
  while (at < bytes.length) {
    const tag = varint()
    const [number, type] = [Math.floor(tag / 8), tag % 8]
    if (number < 1) throw new Error('field 0')
    if (type === 0) fields.push({ number, type, value: varint(), bytes: new Uint8Array() })
    else if (type === 1 || type === 2) {
      const length = type === 1 ? 8 : varint()
      if (at + length > bytes.length) throw new Error('a field is cut off')
      const part = bytes.subarray(at, at + length)
      const view = new DataView(part.buffer, part.byteOffset, part.length)
      const value = type === 1 ? view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32 : length
      fields.push({ number, type, value, bytes: part })
      at += length
    } else throw new Error(`wire type ${type}`)
  }
  return fields
}

/** What perfetto's schema says of the fields that may come: number → wire type. */
const TRACE_PACKET: Readonly<Record<number, number>> = { 8: 0, 10: 0, 11: 2, 13: 0, 60: 2 }
const TRACK_DESCRIPTOR: Readonly<Record<number, number>> = { 1: 0, 2: 2, 5: 0, 8: 2 }
const TRACK_EVENT: Readonly<Record<number, number>> = { 4: 2, 9: 0, 11: 0, 22: 2, 23: 2, 30: 0, 47: 1, 48: 1 }
const ANNOTATION: Readonly<Record<number, number>> = { 3: 0, 6: 2, 10: 2 }

function message(bytes: Uint8Array, schema: Readonly<Record<number, number>>) {
  const fields = fieldsOf(bytes)
  for (const { number, type } of fields)
    if (schema[number] !== type) throw new Error(`field ${number} with wire type ${type}`)
  const all = (number: number) => fields.filter((field) => field.number === number)
  return { all, one: (number: number) => all(number).at(0) }
}

const text = (field: Field | undefined) => new TextDecoder('utf-8', { fatal: true }).decode(field?.bytes)

/** Tracks are described before they are used, begins and ends of each nest, times do not go back on a track. */
export function readPerfetto(bytes: Uint8Array) {
  const tracks = new Map<number, { name: string; counter: boolean; stack: string[]; last: number }>()
  const flows = new Map<number, { begun: number; ended: number }>()
  const slices = new Map<string, number>()
  let [counters, first] = [0, true]
  for (const field of fieldsOf(bytes)) {
    if (field.number !== 1 || field.type !== 2) throw new Error('a trace holds packets and nothing else')
    const packet = message(field.bytes, TRACE_PACKET)
    if (packet.one(10)?.value === undefined) throw new Error('a packet of no sequence')
    if (first && packet.one(13)?.value !== 1) throw new Error('the first packet does not clear the state')
    first = false
    const [descriptor, event] = [packet.one(60), packet.one(11)]
    if (descriptor) {
      const { one } = message(descriptor.bytes, TRACK_DESCRIPTOR)
      const uuid = one(1)?.value ?? 0
      const parent = one(5)?.value
      if (uuid === 0 || tracks.has(uuid) || (parent !== undefined && !tracks.has(parent))) throw new Error(`track ${uuid}`)
      tracks.set(uuid, { name: text(one(2)), counter: one(8) !== undefined, stack: [], last: -Infinity })
      continue
    }
    if (!event) throw new Error('a packet with neither track nor event')
    const { one, all } = message(event.bytes, TRACK_EVENT)
    const track = tracks.get(one(11)?.value ?? 0)
    const timeNs = packet.one(8)?.value
    if (!track || timeNs === undefined) throw new Error('an event on no track, or without time')
    if (timeNs < track.last) throw new Error(`time goes back on ${track.name}`)
    track.last = timeNs
    for (const annotation of all(4)) {
      const inner = message(annotation.bytes, ANNOTATION)
      if (text(inner.one(10)) === '' || (inner.one(3) === undefined) === (inner.one(6) === undefined)) throw new Error('annotation')
    }
    for (const { value } of all(47)) flows.set(value, { begun: (flows.get(value)?.begun ?? 0) + 1, ended: 0 })
    for (const { value } of all(48)) {
      const flow = flows.get(value)
      if (!flow || flow.ended > 0) throw new Error(`flow ${value} ends twice or never began`)
      flow.ended++
    }
    const type = one(9)?.value
    if (type === 4) {
      if (!track.counter || one(30) === undefined) throw new Error('a counter event on no counter')
      counters++
    } else if (track.counter) throw new Error('a slice on a counter')
    else if (type === 1) {
      const name = text(one(23))
      track.stack.push(name)
      slices.set(name, (slices.get(name) ?? 0) + 1)
    } else if (type === 2) {
      if (track.stack.pop() === undefined) throw new Error(`nothing is open on ${track.name}`)
    } else if (type !== 3) throw new Error(`event type ${type}`)
  }
  return { tracks: [...tracks.values()].map(({ name }) => name), slices, counters, flows: [...flows.values()].filter(({ ended }) => ended === 1).length }
}

/** Counts of actions (low 16 bits) of I/O records, notes by their text. */
export function readBlktrace(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const actions = new Map<number, number>()
  const notes: string[] = []
  let [sequence, last] = [0, -1]
  for (let at = 0; at < bytes.length; ) {
    if (at + 48 > bytes.length) throw new Error('a record is cut off')
    if (view.getUint32(at, true) !== 0x65617407) throw new Error('magic')
    if (view.getUint32(at + 4, true) !== ++sequence) throw new Error('sequence')
    const time = view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 2 ** 32
    if (time < last) throw new Error('time goes back')
    last = time
    const action = view.getUint32(at + 28, true)
    const length = view.getUint16(at + 46, true)
    const data = bytes.subarray(at + 48, at + 48 + length)
    if (data.length !== length) throw new Error('what follows is cut off')
    if (view.getUint32(at + 40, true) !== 0) throw new Error('a processor that is not that of the file')
    if (action >>> 16 === 1 << 10) notes.push(new TextDecoder().decode(data))
    else {
      if (length !== 0 || ((action >>> 16) & 3) === 0) throw new Error('an I/O that neither reads nor writes')
      actions.set(action & 0xffff, (actions.get(action & 0xffff) ?? 0) + 1)
    }
    at += 48 + length
  }
  return { actions, notes }
}
