/**
 * @packageDocumentation
 * What dom0 gets to see at /project: the package as it would be installed, the harness's end in dom0, the plan; and a
 * place for results. Both trees travel as one archive each, since a 9p share is slow with many files.
 *
 *   SHARE/package.tar    unpacked over dom0's root      SHARE/plan.json    what to run
 *   SHARE/harness.tar    unpacked to /run/harness       SHARE/out/         logs, consoles, journals, by scenario
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packageRoot } from '../../../src/io/native/load.js'
import { buildFilter, confinement, shippedUnit, unitRights } from '../confine/unit-rights.js'
import { USER } from '../dom0/privileges.js'
import { bundleEntries } from './catalogue.js'

/** Where both archives are. */
export interface Prepared {
  readonly directory: string
}

interface Scripts {
  packageInto(destdir: string): Promise<string[]>
  bundle(destination: string, entries: Record<string, string>, chunks: string): Promise<void>
}

/** Scripts are plain JavaScript, since some run before anything is compiled. */
async function scripts(): Promise<Scripts> {
  const load = (name: string) => import(pathToFileURL(join(packageRoot(), 'scripts', name)).href) as Promise<unknown>
  return { ...((await load('package.mjs')) as Scripts), ...((await load('bundle.mjs')) as Scripts) }
}

/** Packages the program and bundles what runs in dom0: `main`, which is started, and what it loads. */
export async function prepareArchives(directory: string, entries = bundleEntries()): Promise<Prepared> {
  const { packageInto, bundle } = await scripts()
  await packageInto(join(directory, 'package'))
  await bundle(join(directory, 'harness'), entries, '.')
  confine(join(directory, 'harness'))
  for (const name of ['package', 'harness']) {
    const { status, stderr } = spawnSync('tar', ['-C', join(directory, name), '-cf', join(directory, `${name}.tar`), '.'])
    if (status !== 0) throw new Error(`tar failed: ${String(stderr)}`)
    rmSync(join(directory, name), { recursive: true })
  }
  return { directory }
}

/** The shipped unit's rights, as a command that dom0 puts before the daemon's (confine/). Needs gcc and systemd-analyze. */
function confine(harness: string): void {
  const rights = unitRights(shippedUnit())
  buildFilter(rights, join(harness, 'filter'))
  writeFileSync(join(harness, 'confinement.json'), JSON.stringify(confinement(rights, '/run/harness/filter', USER)))
}

/** Makes one boot's share; `plan` is what dom0's main reads. */
export function makeShare(share: string, { directory }: Prepared, plan: object): void {
  rmSync(share, { recursive: true, force: true })
  mkdirSync(join(share, 'out'), { recursive: true })
  for (const name of ['package.tar', 'harness.tar']) {
    const { status, stderr } = spawnSync('cp', ['--reflink=auto', join(directory, name), join(share, name)])
    if (status !== 0) throw new Error(`cp failed: ${String(stderr)}`)
  }
  writeFileSync(join(share, 'plan.json'), JSON.stringify(plan))
}

/** Takes away what is not a result. */
export function cleanShare(share: string): void {
  for (const name of ['package.tar', 'harness.tar', 'plan.json']) rmSync(join(share, name), { force: true })
}

/** Shell in dom0 that installs the package. */
export const INSTALL = 'busybox tar -C / -xf /project/package.tar'

/** Shell in dom0 that runs the plan. */
export const RUN_PLAN = `${INSTALL} && mkdir -p /run/harness && busybox tar -C /run/harness -xf /project/harness.tar && exec node /run/harness/main.js`
