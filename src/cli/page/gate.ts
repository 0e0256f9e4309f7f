/**
 * @packageDocumentation
 * Who may see the page. A port of the loopback interface is open to every process of the machine and to every page that
 * a browser on it shows, so there are three doors, and each closes by itself:
 *
 *   name     the request is for a loopback address: no name of somewhere else may point here (DNS rebinding)
 *   origin   the browser says that a page of ours, or the person, asks (Sec-Fetch-Site); others get nothing
 *   token    128 bits of chance, in the address that is printed; from there into a cookie, and out of the address
 *
 * On the control socket, which its owner alone may open, the token falls away; the other doors stand, because a browser
 * may come through a tunnel (`ssh -L 8080:/run/xbbd/control`).
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** What an address in a request is relative to. */
const BASE = 'http://xbbd'
const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\]|xbbd)(:\d+)?$/

export type Admission =
  | { readonly kind: 'open' }
  /** The token stood in the address: into a cookie, and to the address without it. */
  | { readonly kind: 'enter'; readonly cookie: string; readonly location: string }
  | { readonly kind: 'closed'; readonly status: 400 | 401 | 403; readonly sentence: string }

export const newToken = (): string => randomBytes(16).toString('base64url')

/** Decides on a request. `token` undefined: whoever is connected is trusted already. */
export function admit({ headers, url = '/' }: IncomingMessage, token: string | undefined): Admission {
  if (!LOOPBACK.test(headers.host ?? ''))
    return closed(403, 'this page answers under the name of a loopback address only')
  const site = headers['sec-fetch-site']
  const isVisit = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isVisit)
    return closed(403, 'a page of another origin gets nothing here')
  if (!URL.canParse(url, BASE)) return closed(400, 'this address cannot be read')
  if (token === undefined) return { kind: 'open' }
  const name = cookieName(headers.host ?? '')
  const target = new URL(url, BASE)
  const given = target.searchParams.get('token')
  if (given !== null && isSame(given, token)) {
    target.searchParams.delete('token')
    const cookie = `${name}=${token}; Path=/; HttpOnly; SameSite=Lax`
    return { kind: 'enter', cookie, location: `${target.pathname}${target.search}` }
  }
  if (isSame(cookieOf(headers.cookie ?? '', name), token) || isSame(bearer(headers.authorization), token))
    return { kind: 'open' }
  return closed(401, 'the address needs its token: open it as it was printed where the page was started')
}

/** Cookies know no ports, so each server has a name of its own. */
const cookieName = (host: string) => `xbbd-page-${/:(\d+)$/.exec(host)?.[1] ?? '80'}`

const bearer = (header: string | undefined) => /^Bearer (\S+)$/.exec(header ?? '')?.[1] ?? ''

function cookieOf(header: string, name: string): string {
  const pair = header.split(';').map((part) => part.trim()).find((part) => part.startsWith(`${name}=`))
  return pair?.slice(name.length + 1) ?? ''
}

function isSame(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function closed(status: 400 | 401 | 403, sentence: string): Admission {
  return { kind: 'closed', status, sentence }
}
