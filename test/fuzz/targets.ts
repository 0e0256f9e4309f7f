/**
 * @packageDocumentation
 * What is fuzzed, and what must hold for any bytes: nothing throws but where a mistake of an operator is a sentence, nothing
 * is written beyond its place, and what is understood means the same when it is said again.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { loadSettings } from '../../src/cli/config/load.js'
import { parseConfig } from '../../src/cli/config/parse.js'
import { settingKeys } from '../../src/cli/config/schema.js'
import { LineReader, decodeMessage, decodeRequest } from '../../src/cli/control/protocol.js'
import { admit } from '../../src/cli/page/gate.js'
import { packageRoot } from '../../src/io/native/load.js'
import { parseTarget } from '../../src/io/media/parse-target.js'
import { isNbdTarget, parseNbdAddress } from '../../src/io/media/nbd/address.js'
import { Handshake } from '../../src/io/media/nbd/handshake.js'
import { ReplyReader } from '../../src/io/media/nbd/reply-reader.js'
import type { ReplySink } from '../../src/io/media/nbd/reply-reader.js'
import { XENSTORE_PAYLOAD_MAX, WireDecoder, XS, encodeMessage } from '../../src/io/xenstore/wire.js'
import { XenStored } from '../../src/embedded/xenstored/xenstored.js'
import { abiLayout } from '../../src/protocol/abi.js'
import type { AbiLayout } from '../../src/protocol/abi.js'
import { addBlocks, blockSegmentsLimit, entriesOf } from '../../src/protocol/blocks.js'
import { canonicalise, decodeCanonical, encodeEntry } from '../../src/protocol/entry.js'
import { XbbdError, assert } from '../../src/protocol/errors.js'
import { addDescriptors, indirectSegments, pagesOfDescriptors } from '../../src/protocol/indirect.js'
import { FRONTEND_KEYS, deviceOfPath } from '../../src/protocol/keys.js'
import { CHUNK_MAGIC, NBD_MAGIC, OPTION_MAGIC, OPTION_REPLY_MAGIC, decodeRequest as decodeNbd } from '../../src/protocol/nbd.js'
import { negotiate } from '../../src/protocol/negotiation.js'
import { recordWords, recordWordsMax } from '../../src/protocol/record.js'
import { REASONS, validateRequest } from '../../src/protocol/validate.js'
import { parseVdev, vdevName } from '../../src/protocol/vdev.js'
import { parseXenbusState } from '../../src/protocol/xenbus-state.js'
import { parseScript } from '../../src/script/parse.js'
import { printScript } from '../../src/script/print.js'
import { CLAUSES, DISK_WORDS, EXPECTATIONS, OPERATIONS, STATEMENTS } from '../../src/script/words.js'
import type { FuzzTarget } from './fuzzer.js'
import { journalTarget } from './journal-target.js'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')
const bytesOf = (...lines: readonly string[]) => lines.map((line) => Buffer.from(line))

/** The bytes as words of a ring entry, as many as `count`, the rest zero. */
function wordsOf(bytes: Uint8Array, count: number): Int32Array {
  const words = new Int32Array(count)
  new Uint8Array(words.buffer).set(bytes.subarray(0, count * 4))
  return words
}

const DISK = {
  sectorCount: 1 << 20, sectorSize: 512, readOnly: false, offersFlush: true, offersBarrier: true, offersDiscard: true,
  maxSegments: 11, maxIndirectSegments: 64,
}
const OUTSIDE = 0x55aa55aa
const EXAMPLES = join(packageRoot(), 'examples/frontend')

/** Entries of both layouts: records stay in their bounds, and a verdict is one of the table. */
const entry: FuzzTarget = {
  name: 'entry', watched: /dist\/src\/protocol\/(entry|record|validate|indirect|blocks|u64)\.js$/, most: 4096,
  seeds: () => [0, 1, 2, 3, 5, 6].flatMap((op) => [1, 11, 40].map((nrSegments) => {
    const words = new Int32Array(28)
    const segments = Array.from({ length: Math.min(11, nrSegments) }, (_, index) => ({ gref: index, firstSect: 0, lastSect: 7 }))
    encodeEntry({ op, idLow: 1, sectorLow: 8, segments, nrSegments, indirectOp: 1 }, abiLayout('x86_64'), words, 0)
    return new Uint8Array(words.buffer)
  })),
  run: (bytes) => {
    for (const name of ['x86_64', 'x86_32'] as const) {
      const abi = abiLayout(name)
      const entries = wordsOf(bytes, 28 * 20)
      const before = entries.slice()
      const room = recordWordsMax(64)
      const out = new Int32Array(room + 2).fill(OUTSIDE)
      const length = canonicalise(entries, 0, abi, out, 1, 7)
      assert(length <= room && out[0] === OUTSIDE && out[1 + length] === OUTSIDE, 'a record stays in its place')
      assert(recordWords(out, 1) <= room, 'its length is bounded')
      decodeCanonical(out, 1)
      judge(entries, abi, out, room)
      assert(entries.every((word, at) => word === before[at]), 'what was taken is not changed')
    }
  },
}

/** As a queue completes and judges it: the descriptors of an INDIRECT, and blocks, stand behind the entry. */
function judge(entries: Int32Array, abi: AbiLayout, out: Int32Array, room: number): void {
  const count = indirectSegments(entries, 0, 64)
  if (count > 0) {
    const grefs = new Int32Array(pagesOfDescriptors(count))
    const length = addDescriptors(out, 1, { count, grefs, status: entries[27] & 1 ? -3 : 0, from: entries, fromAt: 28 })
    assert(length <= room && out[1 + room] === OUTSIDE, 'descriptors stay in the record')
  }
  assert(REASONS[validateRequest(out, 1, DISK)] !== undefined, 'a verdict is one of the table')
  if (entriesOf(entries, 0) === 1) return
  const most = Math.min(60, blockSegmentsLimit(abi))
  const length = addBlocks(entries, 0, abi, out, 1, most)
  assert(length <= room && out[1 + room] === OUTSIDE, 'blocks stay in the record')
  assert(REASONS[validateRequest(out, 1, { ...DISK, maxBlockSegments: most })] !== undefined, 'a verdict, in blocks too')
}

/** Nodes of a front end, one `key=value` a line: a sound ring or one sentence, and no other. */
const negotiation: FuzzTarget = {
  name: 'negotiation', watched: /dist\/src\/protocol\/(negotiation|parse|keys|abi|xenbus-state|vdev)\.js$/,
  words: [...Object.values(FRONTEND_KEYS).filter((key) => typeof key === 'string'), 'ring-ref0', 'ring-ref1', 'queue-0/', 'x86_32-abi', 'arm-abi', '=', '\n', '16'],
  seeds: () => bytesOf(
    'ring-ref=8\nevent-channel=9\nprotocol=x86_64-abi', 'ring-page-order=1\nring-ref0=8\nring-ref1=9\nevent-channel=3',
    'num-ring-pages=2\nring-ref0=1\nring-ref1=2\nevent-channel=3',
    'multi-queue-num-queues=2\nqueue-0/ring-ref=8\nqueue-0/event-channel=9\nqueue-1/ring-ref=10\nqueue-1/event-channel=11',
    'ring-pages=2\nring-ref=8\nring-ref1=9\nmax-request-segments=33\nmax-requests=64\nmax-request-size=131072\nevent-channel=1', 'd51712=xvda',
  ),
  run: (bytes) => {
    const keys = Object.fromEntries(text(bytes).split('\n').map((line) => line.split('=', 2) as [string, string]))
    const result = negotiate(keys)
    if (result.ok) {
      const rings = [result.ring, ...(result.ring.others ?? [])]
      assert(rings.every(({ grefs }) => grefs.length === result.ring.pages), 'each ring has its pages')
      const numbers = rings.flatMap(({ grefs, evtchn }) => [...grefs, evtchn])
      assert(numbers.every((number) => Number.isInteger(number) && number >= 0 && number <= 0xffffffff), 'all are u32')
      assert(result.ring.maxRequests >= 1 && result.ring.maxRequests <= result.ring.entries, 'slots fit the ring')
    } else assert(result.sentence.length > 0 && result.sentence.length < 1000, 'a refusal is a sentence')
    for (const [key, value] of Object.entries(keys)) {
      parseXenbusState(value)
      deviceOfPath(key, 'backend/vbd')
      const vdev = parseVdev(key)
      if (vdev.ok) vdevName(vdev.value)
    }
  },
}

/** A guest's bytes at XenStore's socket, cut in two: its answers are whole messages within their bound. */
const xenstore: FuzzTarget = {
  name: 'xenstore', watched: /dist\/src\/(io\/xenstore\/(wire|payload|path)|embedded\/xenstored\/.*)\.js$/,
  words: ['/local/domain/7/a\0', 'n7\0', 'w\0token\0', '@releaseDomain\0'],
  seeds: () => Object.values(XS).map((type) => encodeMessage(type, 1, 0, Buffer.from('/local/domain/7/data\0token\0'))),
  run: (bytes) => {
    const server = new XenStored()
    const answers = new WireDecoder()
    let [told, ended] = [0, false]
    const connection = server.connect(7, {
      send: (message) => {
        const { messages, broken } = answers.push(Buffer.from(message))
        assert(broken === undefined && messages.every(({ payload }) => payload.length <= XENSTORE_PAYLOAD_MAX), 'answers are messages')
        told += messages.length
      },
      end: () => { ended = true },
    })
    const half = bytes.length >> 1
    for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) if (!ended) connection.receive(part)
    connection.left()
    assert(told <= bytes.length, 'no more is answered than was asked')
  },
}

/** A server's bytes at our NBD client: the handshake, and, behind the first byte's choice, replies. */
const nbd: FuzzTarget = {
  name: 'nbd', watched: /dist\/src\/(io\/media\/nbd\/(handshake|reply-reader|abilities)|protocol\/nbd)\.js$/,
  words: [magic(NBD_MAGIC), magic(OPTION_MAGIC), magic(OPTION_REPLY_MAGIC), '\x66\x8e\x33\xef', '\x67\x44\x66\x98'],
  seeds: () => [greeting(), Buffer.concat([Buffer.from([1]), chunk()]), Buffer.concat([Buffer.from([2]), Buffer.from('67446698000000000000000000000001', 'hex')])],
  run: (bytes) => {
    const [choice = 0] = bytes
    const rest = bytes.subarray(1)
    if (choice % 3 === 0) {
      let sent = 0
      const handshake = new Handshake('disk', choice & 4 ? 'look' : 'serve', (out) => { sent += out.length })
      const end = handshake.feed(rest.subarray(0, 20)) ?? handshake.feed(rest.subarray(20))
      if (end && !end.ok) assert(end.sentence.length < 20_000, 'a refusal is bounded')
      assert(sent < 10_000, 'a server does not make us say much')
    } else new ReplyReader(sink(), choice % 3 === 1).feed(rest)
    if (rest.length >= 28) decodeNbd(Buffer.from(rest.subarray(0, 28)))
  },
}

function magic(value: bigint): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes.toString('latin1')
}

function greeting(): Buffer {
  const reply = (kind: number, data: Buffer) => {
    const head = Buffer.alloc(20)
    head.writeBigUInt64BE(OPTION_REPLY_MAGIC)
    head.writeUInt32BE(7, 8)
    head.writeUInt32BE(kind, 12)
    head.writeUInt32BE(data.length, 16)
    return Buffer.concat([head, data])
  }
  const structured = Buffer.concat([reply(1, Buffer.alloc(0))])
  structured.writeUInt32BE(8, 8)
  const info = Buffer.from('0000000000001000000000ed', 'hex')
  return Buffer.concat([Buffer.from([0]), Buffer.from(magic(NBD_MAGIC) + magic(OPTION_MAGIC), 'latin1'), Buffer.from([0, 3]), structured, reply(3, info), reply(1, Buffer.alloc(0))])
}

function chunk(): Buffer {
  const head = Buffer.alloc(20)
  head.writeUInt32BE(CHUNK_MAGIC)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(1, 6)
  head.writeUInt32BE(1, 12)
  head.writeUInt32BE(12, 16)
  return Buffer.concat([head, Buffer.from('0000000000000000deadbeef', 'hex')])
}

/** Knows one read of 4 KiB, place 0 and serial 1; data goes only where it was announced. */
function sink(): ReplySink {
  let left = 0
  const known = (place: number, serial: number) => place === 0 && serial === 1
  const expects = (length: number, isKnown: boolean, fits: boolean) => {
    if (isKnown && fits) left = length
    return isKnown && fits
  }
  return {
    answer: (place, serial, error) => (expects(4096, known(place, serial), true) ? (error === 0 ? 4096 : (left = 0)) : -1),
    data: (place, serial, offset, length) => expects(length, known(place, serial), offset + length <= 4096),
    hole: (place, serial, offset, length) => known(place, serial) && offset + length <= 4096,
    error: known,
    done: known,
    bytes: (piece) => {
      left -= piece.length
      assert(left >= 0, 'no more data than was announced')
    },
  }
}

/** Lines at the control socket, in two pieces. */
const control: FuzzTarget = {
  name: 'control', watched: /dist\/src\/cli\/control\/protocol\.js$/,
  words: ['{"id":1,', '"method":"list"', '"params":{}', '"result":', '"error":{"code":"XBBD_X","sentence":"s","exitCode":69}', '}\n', '\n'],
  seeds: () => bytesOf('{"id":1,"method":"list","params":{}}\n', '{"id":2,"result":[]}\n{"id":1,"event":1}\n', '{"id":1,"error":{"code":"X","sentence":"s","exitCode":69}}\n'),
  run: (bytes) => {
    const reader = new LineReader()
    const half = bytes.length >> 1
    for (const part of [bytes.subarray(0, half), bytes.subarray(half)])
      reader.feed(Buffer.from(part), (line) => {
        const request = decodeRequest(line)
        if (typeof request !== 'string') assert(Number.isInteger(request.id) && request.id > 0, 'an id is a whole number')
        decodeMessage(line)
      })
  },
}

/** A configuration file. */
const settings: FuzzTarget = {
  name: 'settings', watched: /dist\/src\/(cli\/config\/.*|io\/media\/(parse-target|nbd\/address))\.js$/,
  words: [...settingKeys, ' = ', '\n', '#', 'MiB', 'ms', 'true', 'nbd://host/x', 'memory:64M'],
  seeds: () => bytesOf('workers = 1\narena.size = 16MiB\n# a comment\n', 'run.dir = /run/xbbd\njournal.size=64MiB', 'nbd://host:10809/x\nmemory:64M\nnull:1G'),
  run: (bytes) => {
    const content = text(bytes)
    parseConfig(content)
    const loaded = loadSettings({ file: { path: '/etc/xbbd/xbbd.conf', content } })
    assert(loaded.ok || loaded.problems.length > 0, 'what is not taken is said')
    for (const line of content.split('\n').slice(0, 20)) {
      parseTarget(line)
      if (isNbdTarget(line)) parseNbdAddress(line)
    }
  },
}

/** The head of a request at the page's door: without its token nobody enters. */
const page: FuzzTarget = {
  name: 'page', watched: /dist\/src\/cli\/page\/gate\.js$/,
  words: ['127.0.0.1:80', 'localhost', 'xbbd', '?token=', 'Bearer ', 'xbbd-page-80=', 'same-origin', 'navigate', 'document', '\n'],
  seeds: () => bytesOf('127.0.0.1:80\n/\nsame-origin\nnavigate\ndocument\nxbbd-page-80=x\nBearer x', 'localhost\n/?token=x\n\n\n\n\n'),
  run: (bytes) => {
    const [host, url, site, mode, dest, cookie, authorization] = text(bytes).split('\n')
    const headers = {
      host, 'sec-fetch-site': site || undefined, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest, cookie, authorization,
    }
    const admission = admit({ headers, url } as never, 'AAAAAAAAAAAAAAAAAAAAAA')
    assert(admission.kind === 'closed', 'nobody enters without the token')
  },
}

/** A front end's script: read, or refused in a sentence; and what was read means the same when it is printed. */
const script: FuzzTarget = {
  name: 'script', watched: /dist\/src\/script\/(parse.*|print|reader|tokens|words)\.js$/,
  words: [...STATEMENTS, ...CLAUSES, ...EXPECTATIONS, ...DISK_WORDS, ...Object.keys(OPERATIONS), ' ', '\n', '0x', '"', 'ms'].map((word) => `${word} `),
  seeds: () => readdirSync(EXAMPLES).map((name) => readFileSync(join(EXAMPLES, name))),
  run: (bytes) => {
    let statements
    try {
      statements = parseScript(text(bytes))
    } catch (error) {
      if (error instanceof XbbdError) return
      throw error
    }
    const printed = printScript(statements)
    assert(printScript(parseScript(printed)) === printed, 'what is printed is read as the same')
  },
}

export const TARGETS: readonly FuzzTarget[] = [entry, negotiation, xenstore, nbd, journalTarget, control, settings, page, script]
