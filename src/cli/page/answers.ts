/**
 * @packageDocumentation
 * Who answers the page's questions, as its server sees it: a question and its parameters in, a document of JSON out. Of
 * a recording that happens where it is asked; of a daemon in a thread of its own (page-thread.ts).
 */
import type { PageApi } from '../../observe/page/page-api.js'

/** Resolves with JSON, or undefined where there is no such question. Rejects with XbbdError 64 for bad parameters. */
export type Answers = (question: string, query: URLSearchParams) => Promise<Uint8Array | undefined>

/** Answers at once, on the calling thread. */
export function answersOf(api: PageApi): Answers {
  return (question, query) => new Promise((resolve) => resolve(documentOf(api, question, query)))
}

/** The answer as bytes. @throws XbbdError 64. */
export function documentOf(api: PageApi, question: string, query: URLSearchParams): Uint8Array | undefined {
  const value = api.answer(question, query)
  return value === undefined ? undefined : new TextEncoder().encode(JSON.stringify(value))
}
