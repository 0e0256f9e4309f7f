/**
 * @packageDocumentation
 * What every XenStore must do, told through our client: run against our server within the process, against our server
 * over a socket, and against the C xenstored that Debian ships. What a test says here, all three keep.
 *
 * Each test works below a root of its own, so that tests do not meet on a server that lives longer than one of them.
 */
import type { XenStoreClient } from '../../src/io/xenstore/client.js'
import { codeOf } from '../../src/protocol/errors.js'

/** A domain that XenStore knows until its end. */
export interface NewDomain {
  readonly domid: number
  end(): Promise<void>
}

async function introducedDomain(client: XenStoreClient): Promise<NewDomain> {
  expect(await client.isDomainIntroduced(7)).toBe(false)
  await client.introduceDomain(7, 1, 1)
  return { domid: 7, end: () => client.releaseDomain(7) }
}

/** A running server to which clients (with the rights of domain 0) connect. */
export interface XenStoreUnderTest {
  connect(): Promise<XenStoreClient>
  /** The longest payload that can be written; 4096 unless said otherwise. */
  readonly payloadMax?: number
  /** Where XenStore knows only domains that there are: makes one. Elsewhere a domain is what a client introduces. */
  newDomain?(): Promise<NewDomain>
  stop(): Promise<void>
}

/** Collects a watch's calls, and waits for them without looking at a clock. */
export class Seen {
  readonly paths: string[] = []
  #waiting: (() => void)[] = []

  readonly changed = (path: string): void => {
    this.paths.push(path)
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  /** Resolves when `path` was seen (again, after `forget`). */
  async until(path: string): Promise<void> {
    while (!this.paths.includes(path)) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  forget(): void {
    this.paths.length = 0
  }
}

/** The code that a promise rejects with, or 'none'. */
export async function rejection(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise
    return 'none'
  } catch (error) {
    return codeOf(error)
  }
}

/** Registers the whole suite under `name`. */
export function xenStoreContract(name: string, start: () => Promise<XenStoreUnderTest>): void {
  describe(`XenStore contract: ${name}`, () => {
    let host: XenStoreUnderTest
    let client: XenStoreClient
    let root: string
    let count = 0
    const clients: XenStoreClient[] = []
    const another = async (): Promise<XenStoreClient> => {
      const connected = await host.connect()
      clients.push(connected)
      return connected
    }

    beforeAll(async () => {
      host = await start()
    })
    afterAll(async () => {
      await host.stop()
    })
    beforeEach(async () => {
      client = await another()
      root = `/contract/t${++count}`
      await client.mkdir(root)
    })
    afterEach(async () => {
      await client.remove(root).catch(() => undefined)
      for (const connected of clients.splice(0)) connected.close()
    })

    test('what is written is read, what was never written is undefined', async () => {
      await client.write(`${root}/a`, 'one')
      expect(await client.read(`${root}/a`)).toBe('one')
      expect(await client.read(`${root}/b`)).toBeUndefined()
      await client.write(`${root}/a`, '')
      expect(await client.read(`${root}/a`)).toBe('')
    })

    test('text beyond ASCII comes back as it was', async () => {
      await client.write(`${root}/params`, 'aio:/tmp/Datenträger 磁盘.img')
      expect(await client.read(`${root}/params`)).toBe('aio:/tmp/Datenträger 磁盘.img')
    })

    test('paths are normalised before they are sent', async () => {
      await client.write(`${root}//a/`, 'one')
      expect(await client.read(`${root}/a`)).toBe('one')
    })

    test('writing makes the nodes in between, removing takes all below', async () => {
      await client.write(`${root}/a/b/c`, '1')
      expect(await client.list(root)).toEqual(['a'])
      expect(await client.read(`${root}/a/b`)).toBe('')
      await client.remove(`${root}/a`)
      expect(await client.read(`${root}/a/b/c`)).toBeUndefined()
      expect(await client.list(root)).toEqual([])
    })

    test('removing what is not there does nothing, with or without a parent', async () => {
      await client.remove(`${root}/never`)
      await client.remove(`${root}/never/was/here`)
      expect(await client.list(root)).toEqual([])
    })

    test('mkdir of what exists leaves its value alone', async () => {
      await client.write(`${root}/a`, 'kept')
      await client.mkdir(`${root}/a`)
      expect(await client.read(`${root}/a`)).toBe('kept')
    })

    test('listing tells an empty node from a missing one', async () => {
      await client.mkdir(`${root}/empty`)
      expect(await client.list(`${root}/empty`)).toEqual([])
      expect(await client.list(`${root}/missing`)).toBeUndefined()
    })

    test('a directory longer than one reply is listed whole', async () => {
      const names = Array.from({ length: 300 }, (_, index) => `a-name-of-some-length-${1000 + index}`)
      await client.transaction(async (ops) => {
        for (const name of names) await ops.write(`${root}/${name}`, '')
      })
      expect((await client.list(root))?.sort()).toEqual(names)
    })

    test('values are limited by the payload', async () => {
      const room = (host.payloadMax ?? 4096) - root.length - '/a'.length - 1
      await client.write(`${root}/a`, 'x'.repeat(room))
      expect((await client.read(`${root}/a`))?.length).toBe(room)
      expect(await rejection(client.write(`${root}/a`, 'x'.repeat(room + 1)))).toBe('E2BIG')
    })

    const long = `/${'x'.repeat(3100)}`
    const impossible = { empty: '', blank: '/a b', nul: '/a\0b', umlaut: '/ä', dot: '/a.b', long }
    test.each(Object.entries(impossible))('an impossible path (%s) is EINVAL', async (_, path) => {
      expect(await rejection(client.read(path))).toBe('EINVAL')
      expect(await rejection(client.write(path, 'x'))).toBe('EINVAL')
    })

    test('permissions are set, read and inherited', async () => {
      // Real Xen's xenstored knows no owner that is not there.
      const owner = await (host.newDomain?.() ?? introducedDomain(client))
      const expected = [
        { access: 'n', domid: owner.domid },
        { access: 'r', domid: 0 },
      ] as const
      await client.write(`${root}/a`, '')
      await client.setPermissions(`${root}/a`, expected)
      await client.write(`${root}/a/b`, '')
      expect(await client.getPermissions(`${root}/a`)).toEqual(expected)
      expect(await client.getPermissions(`${root}/a/b`)).toEqual(expected)
      expect(await rejection(client.getPermissions(`${root}/none`))).toBe('ENOENT')
      await client.remove(`${root}/a`)
      await owner.end()
    })

    test('many requests at once are all answered', async () => {
      const paths = Array.from({ length: 1500 }, (_, index) => `${root}/n${index}`)
      await Promise.all(paths.map((path, index) => client.write(path, String(index))))
      const values = await Promise.all(paths.map((path) => client.read(path)))
      expect(values).toEqual(paths.map((_, index) => String(index)))
    })

    test('a transaction is seen by others only once it is committed', async () => {
      const other = await another()
      await client.transaction(async (ops) => {
        await ops.write(`${root}/a`, '1')
        expect(await ops.read(`${root}/a`)).toBe('1')
        expect(await ops.list(root)).toEqual(['a'])
        expect(await other.read(`${root}/a`)).toBeUndefined()
      })
      expect(await other.read(`${root}/a`)).toBe('1')
    })

    test('a transaction whose body rejects changes nothing and rejects with the same', async () => {
      const attempt = client.transaction(async (ops) => {
        await ops.write(`${root}/a`, '1')
        throw Object.assign(new Error('no'), { code: 'EMINE' })
      })
      expect(await rejection(attempt)).toBe('EMINE')
      expect(await client.read(`${root}/a`)).toBeUndefined()
    })

    test('a transaction that read what another changed is run again', async () => {
      const other = await another()
      await client.write(`${root}/counter`, '1')
      let runs = 0
      const result = await client.transaction(async (ops) => {
        const value = Number(await ops.read(`${root}/counter`))
        if (++runs === 1) await other.write(`${root}/counter`, '10')
        await ops.write(`${root}/counter`, String(value + 1))
        return value
      })
      expect(runs).toBe(2)
      expect(result).toBe(10)
      expect(await client.read(`${root}/counter`)).toBe('11')
    })

    test('a transaction that always meets another gives up with EAGAIN', async () => {
      const other = await another()
      let runs = 0
      const attempt = client.transaction(async (ops) => {
        await ops.read(`${root}/a`)
        await other.write(`${root}/a`, String(++runs))
        await ops.write(`${root}/b`, '1')
      }, 3)
      expect(await rejection(attempt)).toBe('EAGAIN')
      expect(runs).toBe(3)
      expect(await client.read(`${root}/b`)).toBeUndefined()
    })

    test('transactions that touch different nodes do not disturb each other', async () => {
      const other = await another()
      await client.write(`${root}/a/x`, '0')
      await client.write(`${root}/b/x`, '0')
      let runs = 0
      await client.transaction(async (ops) => {
        runs++
        await ops.write(`${root}/a/x`, '1')
        await other.write(`${root}/b/x`, '1')
      })
      expect(runs).toBe(1)
      expect([await client.read(`${root}/a/x`), await client.read(`${root}/b/x`)]).toEqual(['1', '1'])
    })

    test('operations after the end of their transaction are refused', async () => {
      let escaped: { write(path: string, value: string): Promise<void> } | undefined
      await client.transaction((ops) => {
        escaped = ops
        return Promise.resolve()
      })
      expect(await rejection(escaped!.write(`${root}/a`, '1'))).toBe('EINVAL')
      expect(await client.read(`${root}/a`)).toBeUndefined()
    })

    test('a watch calls once at once, for its node and for what is below', async () => {
      const other = await another()
      const seen = new Seen()
      await client.watch(`${root}/w`, seen.changed)
      await seen.until(`${root}/w`)
      seen.forget()
      await other.write(`${root}/beside`, '')
      await other.write(`${root}/w/a/b`, '1')
      await seen.until(`${root}/w/a/b`)
      await other.setPermissions(`${root}/w/a`, [{ access: 'r', domid: 0 }])
      await seen.until(`${root}/w/a`)
      expect(new Set(seen.paths)).toEqual(new Set([`${root}/w/a/b`, `${root}/w/a`]))
    })

    test('a flood of changes is heard to the last, and requests are answered in between', async () => {
      const [other, seen] = [await another(), new Seen()]
      const values = new Map<string, string | undefined>()
      const reads: Promise<unknown>[] = []
      const giveBack = await client.watch(root, (path) => {
        seen.changed(path)
        reads.push(client.read(path).then((value) => values.set(path, value)))
      })
      for (let round = 0; round < 40; round++)
        await Promise.all(Array.from({ length: 16 }, (_, index) => other.write(`${root}/n${index}`, String(round))))
      await other.write(`${root}/last`, 'done')
      await seen.until(`${root}/last`)
      await giveBack()
      await Promise.all(reads)
      expect(Array.from({ length: 16 }, (_, index) => values.get(`${root}/n${index}`))).toEqual(Array(16).fill('39'))
    })

    test('a watch hears that its node went with an ancestor', async () => {
      await client.write(`${root}/dev/state`, '4')
      const seen = new Seen()
      await client.watch(`${root}/dev/state`, seen.changed)
      await seen.until(`${root}/dev/state`)
      seen.forget()
      await client.remove(`${root}/dev`)
      await seen.until(`${root}/dev/state`)
      expect(await client.read(`${root}/dev/state`)).toBeUndefined()
    })

    test('a watch hears of a transaction after its commit, and never of an aborted one', async () => {
      const seen = new Seen()
      await client.watch(root, seen.changed)
      await seen.until(root)
      const aborted = client.transaction(async (ops) => {
        await ops.write(`${root}/aborted`, '1')
        throw new Error('no')
      })
      await rejection(aborted)
      await client.transaction(async (ops) => {
        await ops.write(`${root}/done`, '1')
      })
      await seen.until(`${root}/done`)
      expect(seen.paths).not.toContain(`${root}/aborted`)
      expect(await client.read(`${root}/done`)).toBe('1')
    })

    test('after it is given back, a watch is silent', async () => {
      const [seen, marker] = [new Seen(), new Seen()]
      const giveBack = await client.watch(`${root}/a`, seen.changed)
      await client.watch(`${root}/a`, marker.changed)
      await seen.until(`${root}/a`)
      await marker.until(`${root}/a`)
      await giveBack()
      await giveBack()
      seen.forget()
      marker.forget()
      await client.write(`${root}/a`, '1')
      await marker.until(`${root}/a`)
      expect(seen.paths).toEqual([])
    })

    test('watches of @introduceDomain and @releaseDomain hear of domains', async () => {
      const [introduced, released] = [new Seen(), new Seen()]
      await client.watch('@introduceDomain', introduced.changed)
      await client.watch('@releaseDomain', released.changed)
      await introduced.until('@introduceDomain')
      await released.until('@releaseDomain')
      introduced.forget()
      released.forget()
      const domain = await (host.newDomain?.() ?? introducedDomain(client))
      await introduced.until('@introduceDomain')
      expect(await client.isDomainIntroduced(domain.domid)).toBe(true)
      await domain.end()
      await released.until('@releaseDomain')
      expect(await client.isDomainIntroduced(domain.domid)).toBe(false)
    })

    test('a domain has its path', async () => {
      expect(await client.domainPath(5)).toBe('/local/domain/5')
    })

    test('relative paths begin at the domain of the connection', async () => {
      const name = `contract-relative-${count}`
      const seen = new Seen()
      await client.watch(name, seen.changed)
      await seen.until(name)
      seen.forget()
      await client.write(name, '1')
      await seen.until(name)
      expect(await client.read(`/local/domain/0/${name}`)).toBe('1')
      await client.remove(name)
    })

    test('the server does not notice that a client left: nodes stay, transactions do not', async () => {
      const other = await another()
      await other.write(`${root}/state`, '4')
      const open = other.transaction(async (ops) => {
        await ops.write(`${root}/state`, '5')
        other.close()
      })
      await rejection(open)
      expect(await other.closed).toBeUndefined()
      expect(await client.read(`${root}/state`)).toBe('4')
      await client.write(`${root}/state`, '6')
      expect(await client.read(`${root}/state`)).toBe('6')
    })

    test('after close every operation rejects with ENOTCONN', async () => {
      client.close()
      expect(await client.closed).toBeUndefined()
      expect(await rejection(client.read(root))).toBe('ENOTCONN')
      expect(await rejection(client.watch(root, () => {}))).toBe('ENOTCONN')
      client = await another()
    })
  })
}
