/** Who gets in: by the name asked for, by who asks, by the token. Everybody else gets a sentence. */
import type { IncomingMessage } from 'node:http'
import { admit, newToken } from '../../src/cli/page/gate.js'

const token = newToken()
const HOST = '127.0.0.1:8080'
const request = (headers: Record<string, string>, url = '/api/view') =>
  ({ url, headers: { host: HOST, ...headers } }) as unknown as IncomingMessage
const kind = (headers: Record<string, string>, url?: string) => {
  const admission = admit(request(headers, url), token)
  return admission.kind === 'closed' ? admission.status : admission.kind
}
const bearer = { authorization: `Bearer ${token}` }

test('tokens are long and never the same', () => {
  expect(token).toMatch(/^[\w-]{22}$/)
  expect(newToken()).not.toBe(token)
})

test('the token in the address becomes a cookie of this port, and leaves the address', () => {
  expect(admit(request({}, `/?token=${token}&x=1`), token)).toEqual({
    kind: 'enter', location: '/?x=1', cookie: `xbbd-page-8080=${token}; Path=/; HttpOnly; SameSite=Lax`,
  })
})

test('without the token, with a wrong one, or with another port’s cookie nobody gets in', () => {
  expect(kind({ cookie: `a=b; xbbd-page-8080=${token}` })).toBe('open')
  expect(kind(bearer)).toBe('open')
  expect(kind({})).toBe(401)
  expect(kind({}, '/?token=guess')).toBe(401)
  expect(kind({ cookie: `xbbd-page-8081=${token}` })).toBe(401)
  expect(kind({ cookie: `xbbd-page-8080=${token}x` })).toBe(401)
})

test('a page of another origin gets nothing, though its browser knows the token', () => {
  for (const site of ['cross-site', 'same-site']) expect(kind({ ...bearer, 'sec-fetch-site': site })).toBe(403)
  for (const site of ['same-origin', 'none']) expect(kind({ ...bearer, 'sec-fetch-site': site })).toBe('open')
  const visit = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  expect(kind({ ...bearer, ...visit })).toBe('open')
  expect(kind({ ...bearer, ...visit, 'sec-fetch-dest': 'iframe' })).toBe(403)
})

test('a name of somewhere else is refused, whoever asks', () => {
  for (const host of ['evil.example:8080', '127.0.0.1.evil.example', '10.0.0.1:8080', ''])
    expect(kind({ ...bearer, host })).toBe(403)
  for (const host of ['localhost:1', '[::1]:8080', '127.0.0.1']) expect(kind({ ...bearer, host })).toBe('open')
})

test('where the socket is trusted the other doors stand', () => {
  expect(admit(request({ host: 'xbbd' }), undefined)).toEqual({ kind: 'open' })
  expect(admit(request({ 'sec-fetch-site': 'cross-site' }), undefined)).toMatchObject({ status: 403 })
  expect(admit(request({ host: 'evil.example' }), undefined)).toMatchObject({ status: 403 })
})

test('an address that is none is refused in a sentence, with the token and without', () => {
  for (const url of ['//', 'http://[', '//:x/']) {
    expect([kind({}, url), kind(bearer, url)]).toEqual([400, 400])
    expect(admit(request({}, url), undefined)).toMatchObject({ kind: 'closed', status: 400 })
  }
})
