/**
 * @packageDocumentation
 * The front end's process: creates a loading guest when it is told to, runs one plan after the other and reports.
 * While it runs it hears nothing, so the bench waits for each result before it says more. It ends with its parent.
 */
import { FrontLoad } from '../src/embedded/front-load.js'
import type { FrontLoadAddress, FrontLoadOptions, LoadPlan, LoadResult, LoadRun } from '../src/embedded/front-load.js'
import { sentenceOf } from '../src/protocol/errors.js'

export type FrontRequest =
  | { readonly kind: 'create'; readonly options: FrontLoadOptions }
  | { readonly kind: 'run'; readonly plan: LoadPlan; readonly run: LoadRun }

export type FrontReply =
  | { readonly kind: 'created'; readonly address: FrontLoadAddress }
  | { readonly kind: 'ran'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly sentence: string }

let load: FrontLoad | undefined

async function obey(request: FrontRequest): Promise<FrontReply> {
  if (request.kind === 'create') {
    load = await FrontLoad.create(request.options)
    return { kind: 'created', address: load.address }
  }
  if (!load) return { kind: 'failed', sentence: 'there is no guest yet' }
  load.plan(request.plan)
  return { kind: 'ran', result: load.run(request.run) }
}

process.on('message', (request: FrontRequest) => {
  obey(request).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ kind: 'failed', sentence: sentenceOf(error) } satisfies FrontReply),
  )
})
process.on('disconnect', () => process.exit(0))
