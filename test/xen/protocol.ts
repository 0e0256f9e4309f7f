/**
 * @packageDocumentation
 * What host and dom0 say to each other. The host gives a plan, in a file on the share; dom0 tells what happens, one JSON
 * object per line on standard output, so that what was told before dom0 died is known.
 */

/** What one boot runs. */
export interface Plan {
  /** `--short`: scenarios may do less of the same. */
  readonly short: boolean
  /** Bundled files that declare scenarios, without extension. */
  readonly scenarioFiles: readonly string[]
  /** Names of those to run. */
  readonly scenarios: readonly string[]
  /** Bundled contract suites, without extension. */
  readonly suites: readonly string[]
}

export type Told =
  | { readonly event: 'begin'; readonly name: string; readonly directory: string }
  | { readonly event: 'log'; readonly name: string; readonly text: string }
  | { readonly event: 'end'; readonly name: string; readonly ms: number; readonly error: string | undefined }
  | { readonly event: 'done' }
