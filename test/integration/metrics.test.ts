/**
 * Metrics of a daemon that serves: over the control socket and over a port of the loopback, judged by promtool, and
 * the dashboard that rests on their names.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { testWith } from '../support/clients.js'
import { RealWorld, type DaemonProcess } from '../support/processes.js'

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** One HTTP request. */
function ask(options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ path: '/metrics', ...options }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

let world: RealWorld
beforeAll(async () => {
  world = await RealWorld.start()
})
afterAll(() => world.close())

const socketOf = ({ socket }: DaemonProcess) => socket
const lineOf = (body: string, start: string) => body.split('\n').find((line) => line.startsWith(start))

test('what a guest did stands there, on socket and port alike; a detached device has no series', async () => {
  const port = await freePort()
  const daemon = await world.daemon({ runDir: 'metrics', flags: ['--metrics-listen', `127.0.0.1:${port}`] })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: world.image(4 << 20) })
  const front = await guest.connect()
  for (let index = 0; index < 10; index++) await front.write(index * 4096, Buffer.alloc(4096, index))
  await front.read(0, 4096)
  const name = `vbd/${guest.domid}/51712`
  const overSocket = await ask({ socketPath: socketOf(daemon) })
  expect(overSocket).toMatchObject({ status: 200, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } })
  for (const { body } of [overSocket, await ask({ host: '127.0.0.1', port })]) {
    expect(lineOf(body, `xbbd_requests_total{device="${name}",operation="write"}`)).toMatch(/ 10$/)
    expect(lineOf(body, `xbbd_request_duration_seconds_count{device="${name}",operation="read"}`)).toMatch(/ 1$/)
    expect(lineOf(body, `xbbd_transferred_bytes_total{device="${name}",direction="written"}`)).toMatch(/ 40960$/)
    expect(lineOf(body, `xbbd_device_state{device="${name}",state="Connected"}`)).toMatch(/ 1$/)
    expect(Number(lineOf(body, 'xbbd_journal_bytes ')?.split(' ')[1])).toBeGreaterThan(0)
  }
  await front.close()
  await daemon.detach({ domid: guest.domid })
  expect((await ask({ host: '127.0.0.1', port })).body).not.toContain(name)
  guest.close()
  await daemon.stop('park')
})

test('the port answers GET under a name of the loopback, and nothing else; the socket still takes lines', async () => {
  const port = await freePort()
  const daemon = await world.daemon({ runDir: 'port', flags: ['--metrics-listen', `127.0.0.1:${port}`] })
  const at = { host: '127.0.0.1', port }
  expect(await ask({ ...at, headers: { host: 'evil.example' } })).toMatchObject({ status: 403 })
  expect(await ask({ ...at, headers: { host: `localhost:${port}` } })).toMatchObject({ status: 200 })
  expect(await ask({ ...at, method: 'POST' })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  expect(await ask({ ...at, path: '/' })).toMatchObject({ status: 404 })
  expect(await ask({ ...at, method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
  expect(await ask({ socketPath: socketOf(daemon), path: '/devices' })).toMatchObject({ status: 404 })
  expect(await daemon.list()).toEqual([])
  await daemon.stop('park')
})

testWith(['promtool', 'curl'], 'curl and promtool agree with it', async () => {
  const daemon = await world.daemon({ runDir: 'judged' })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: 'memory:1M' })
  const args = ['--silent', '--fail', '--unix-socket', socketOf(daemon), 'http://localhost/metrics']
  const { stdout } = spawnSync('curl', args, { encoding: 'utf8' })
  const judged = spawnSync('promtool', ['check', 'metrics'], { input: stdout, encoding: 'utf8' })
  expect(stdout).toContain(`target="memory:1M"`)
  expect(judged).toMatchObject({ status: 0, stdout: '', stderr: '' })
  await daemon.detach({ domid: guest.domid })
  guest.close()
  await daemon.stop('park')
})

test('the dashboard asks for nothing that is not told', async () => {
  const text = readFileSync(join(packageRoot(), 'packaging/grafana-xbbd.json'), 'utf8')
  const { panels } = JSON.parse(text) as { panels: { title: string; targets: { expr: string }[] }[] }
  const daemon = await world.daemon({ runDir: 'dashboard' })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: 'memory:1M' })
  const { body } = await ask({ socketPath: socketOf(daemon) })
  const told = new Set([...body.matchAll(/^(xbbd_\w+)/gm)].map(([, name]) => name))
  const asked = panels.flatMap(({ targets }) => targets).flatMap(({ expr }) => expr.match(/xbbd_\w+/g) ?? [])
  expect(asked.length).toBeGreaterThan(15)
  expect(asked.filter((name) => !told.has(name))).toEqual([])
  await daemon.detach({ domid: guest.domid })
  guest.close()
  await daemon.stop('park')
})
