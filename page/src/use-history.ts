/**
 * @packageDocumentation
 * A span of time in bins, as it becomes known: asked for again until the server has looked at all of it, and of what is
 * now now and then. Several panels that want the same within a moment share one answer.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { History, View } from '../../src/observe/page/types.js'
import { ask, Latest } from './server.js'

export interface HistoryWish {
  readonly fromNs: number
  readonly toNs: number
  readonly device: string | undefined
  readonly bins: number
}

const AGAIN_MS = 60
const LIVE_MS = 3000
/** Of a daemon that runs: while its past is not known yet. */
const FILLING_MS = 1000
const SHARED_MS = 250

let shared: { readonly of: string; readonly atMs: number; readonly answer: Promise<History> } | undefined

function askShared(params: Parameters<typeof ask<'history'>>[1]): Promise<History> {
  const of = JSON.stringify(params)
  if (shared?.of === of && performance.now() - shared.atMs < SHARED_MS) return shared.answer
  const answer = ask('history', params)
  shared = { of, atMs: performance.now(), answer }
  return answer
}

/** Undefined until the first answer. */
export function useHistory(view: View, wish: HistoryWish): History | undefined {
  const [history, setHistory] = useState<History>()
  const latest = useRef(new Latest())
  const { device, bins } = wish
  // A span that ends now moves on by itself; it is not a new question every second.
  const isMoving = view.canLive && wish.toNs === view.span.toNs
  const [fromNs, toNs] = [isMoving ? undefined : wish.fromNs, isMoving ? undefined : wish.toNs]
  useEffect(() => {
    let timer = 0
    let isOver = false
    const look = () =>
      latest.current.run(async () => {
        if (isOver) return
        const answer = await askShared({ from: fromNs, to: toNs, device, bins }).catch(() => undefined)
        if (isOver) return
        if (answer !== undefined) setHistory(answer)
        const hidden = document.hidden ? 5 : 1
        if (isMoving)
          timer = window.setTimeout(look, (answer !== undefined && answer.done < 0.9 ? FILLING_MS : LIVE_MS) * hidden)
        else if (answer !== undefined && answer.done < 1) timer = window.setTimeout(look, AGAIN_MS * hidden)
      })
    look()
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [fromNs, toNs, device, bins, isMoving])
  return history
}
