/**
 * @packageDocumentation
 * Our layouts against Xen's own header, read by a C compiler, for 64 and for 32 bit. Nothing is run: constants are
 * read from the assembly that the compiler writes, encoded requests from a section of the object file; so no 32-bit C
 * library is needed.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { abiLayout, ringEntries } from '../../src/protocol/abi.js'
import * as wire from '../../src/protocol/blkif.js'
import { encodeEntry, type BlkifRequest } from '../../src/protocol/entry.js'
import { XENBUS_STATES, xenbusStateNumber } from '../../src/protocol/xenbus-state.js'
import { testWith } from '../support/clients.js'
import { sampleRequests } from '../support/requests.js'

const targets = [['x86_64', '-m64'], ['x86_32', '-m32']] as const
const judges = ['gcc', 'objcopy', '/usr/include/xen/io/blkif.h']

const wireNames = Object.keys(wire).filter((name) => /^(BLKIF|VDISK)_/.test(name))
const places = {
  idWord: 'offsetof(struct blkif_request, id)',
  sectorWord: 'offsetof(struct blkif_request, sector_number)',
  segmentWord: 'offsetof(struct blkif_request, seg)',
  nrSectorsWord: 'offsetof(struct blkif_request_discard, nr_sectors)',
}

const expressions: Record<string, string> = {
  ...Object.fromEntries(wireNames.map((name) => [name, name])),
  ...places,
  entryBytes: 'sizeof(union blkif_sring_entry)',
  requestBytes: 'sizeof(struct blkif_request)',
  responseBytes: 'sizeof(struct blkif_response)',
  responseOperation: 'offsetof(struct blkif_response, operation)',
  responseStatus: 'offsetof(struct blkif_response, status)',
  ringHeader: 'offsetof(struct blkif_sring, ring)',
  discardId: 'offsetof(struct blkif_request_discard, id)',
  discardSector: 'offsetof(struct blkif_request_discard, sector_number)',
  segmentBytes: 'sizeof(struct blkif_request_segment)',
  ...Object.fromEntries([1, 2, 4, 8, 16].map((pages) => [`ring${pages}`, `__CONST_RING_SIZE(blkif, ${pages * 4096})`])),
  ...Object.fromEntries(XENBUS_STATES.map((state) => [`state${state}`, `XenbusState${state}`])),
}

const u64 = (low = 0, high = 0) => `${(BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)}ull`

/** A request as a C initialiser of our union of the two layouts. */
function initialiser(request: BlkifRequest): string {
  const { op, handle = 0, segments = [] } = request
  const id = `.id = ${u64(request.idLow, request.idHigh)}`
  const sector = `.sector_number = ${u64(request.sectorLow, request.sectorHigh)}`
  const common = `.operation = ${op}, .handle = ${handle}, ${id}, ${sector}`
  if (op === wire.BLKIF_OP_DISCARD) {
    const length = u64(request.nrSectorsLow, request.nrSectorsHigh)
    return `{ .discard = { ${common}, .flag = ${request.flag ?? 0}, .nr_sectors = ${length} } }`
  }
  if (op === wire.BLKIF_OP_INDIRECT) {
    const grefs = (request.descriptorGrefs ?? []).map((gref) => `${gref}u`).join(', ')
    const counts = `.indirect_op = ${request.indirectOp ?? 0}, .nr_segments = ${request.nrSegments ?? 0}`
    return `{ .indirect = { ${common}, ${counts}, .indirect_grefs = { ${grefs} } } }`
  }
  const list = segments.map(({ gref, firstSect, lastSect }) => `{ ${gref}u, ${firstSect}, ${lastSect} }`).join(', ')
  const seg = list === '' ? '' : `, .seg = { ${list} }`
  return `{ .request = { ${common}, .nr_segments = ${segments.length}${seg} } }`
}

const source = `
#include <stddef.h>
#include <stdint.h>
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

union entry {
  struct blkif_request request; struct blkif_request_discard discard; struct blkif_request_indirect indirect;
};
__attribute__((section(".samples"), used)) static const union entry samples[] = {
  ${Object.values(sampleRequests).map(initialiser).join(',\n  ')}
};

void constants(void)
{
${Object.entries(expressions)
  .map(([name, value]) => `  __asm__ volatile("\\n@@ ${name} %c0" : : "i"(${value}));`)
  .join('\n')}
}
`

/** What the compiler says: constants by name, and the samples' bytes. */
function compile(flag: string): { constants: Map<string, number>; samples: Buffer } {
  const scratch = mkdtempSync(join(tmpdir(), 'xbbd-abi-'))
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { cwd: scratch, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    writeFileSync(join(scratch, 'abi.c'), source)
    const assembly = run('gcc', flag, '-O1', '-ffreestanding', '-S', '-o', '-', 'abi.c')
    const constants = new Map(
      [...assembly.matchAll(/^@@ (\w+) (-?\d+)$/gm)].map(([, name, value]) => [name, Number(value)] as const),
    )
    // The marks are no instructions, so the object is made from the data alone.
    writeFileSync(join(scratch, 'data.c'), source.replace(/^void constants[^]*/m, ''))
    run('gcc', flag, '-O1', '-ffreestanding', '-c', '-o', 'data.o', 'data.c')
    run('objcopy', '-O', 'binary', '--only-section=.samples', 'data.o', 'samples')
    return { constants, samples: readFileSync(join(scratch, 'samples')) }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

for (const [name, flag] of targets)
  testWith(judges, `S8: sizes, offsets and constants are those of Xen's header (${name})`, async () => {
    const { constants } = compile(flag)
    const abi = abiLayout(name)
    expect([...constants.keys()].sort()).toEqual(Object.keys(expressions).sort())
    const constant = (key: string) => constants.get(key)
    expect(constant('entryBytes')).toBe(abi.entryBytes)
    expect(constant('requestBytes')).toBe(abi.entryBytes)
    expect(abi.entryWords * 4).toBe(abi.entryBytes)
    expect(constant('responseBytes')).toBe(abi.responseBytes)
    expect(constant('responseOperation')).toBe(8)
    expect(constant('responseStatus')).toBe(10)
    expect(constant('segmentBytes')).toBe(8)
    expect(constant('ringHeader')).toBe(wire.RING_HEADER_BYTES)
    expect(constant('discardId')).toBe(abi.idWord * 4)
    expect(constant('discardSector')).toBe(abi.sectorWord * 4)
    for (const place of Object.keys(places) as (keyof typeof places)[]) expect(constant(place)).toBe(abi[place] * 4)
    for (const key of wireNames) expect([key, constant(key)]).toEqual([key, wire[key as keyof typeof wire]])
    for (const pages of [1, 2, 4, 8, 16]) expect(constant(`ring${pages}`)).toBe(ringEntries(pages, name))
    for (const state of XENBUS_STATES) expect(constant(`state${state}`)).toBe(xenbusStateNumber(state))
    await Promise.resolve()
  })

for (const [name, flag] of targets)
  testWith(judges, `S8: encoded requests are those of a C compiler, byte by byte (${name})`, async () => {
    const { samples } = compile(flag)
    const abi = abiLayout(name)
    const titles = Object.keys(sampleRequests)
    expect(samples.length).toBe(titles.length * abi.entryBytes)
    titles.forEach((title, index) => {
      const entry = new Int32Array(abi.entryWords)
      encodeEntry(sampleRequests[title], abi, entry, 0)
      const theirs = samples.subarray(index * abi.entryBytes, (index + 1) * abi.entryBytes)
      expect([title, Buffer.from(entry.buffer).toString('hex')]).toEqual([title, theirs.toString('hex')])
    })
    await Promise.resolve()
  })
