/**
 * @packageDocumentation
 * From what dom0 told to tables: medians over the rounds, the ratios that the project is measured by (1.2 of qdisk, 0.8
 * of xen-blkback), and what each back end did per request. System calls were counted in a pass of their own.
 */
import type { Column } from '../../src/cli/table.js'
import { median } from '../median.js'
import { columns } from '../report.js'
import { BACKENDS, JOBS, type Backend, type Job, type Measurement, type SystemCalls, type Told } from './measure.js'

interface Section {
  readonly title: string
  readonly columns: readonly Column[]
  readonly table: readonly (readonly string[])[]
}

const OURS: readonly Backend[] = ['xbbd', 'xbbd persistent']
const GOALS: readonly (readonly [Backend, number])[] = [['qdisk', 1.2], ['xen-blkback', 0.8]]

/** Requests are what is compared: IOPS of small jobs, and of large ones too, since a job's I/Os are all of one size. */
function middle(all: readonly Measurement[], backend: Backend, job: Job, of: (one: Measurement) => number): number {
  return median(all.filter((one) => one.backend === backend && one.job === job).map(of))
}

const number = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : '-')

export function report(told: readonly Told[]): { sections: Section[]; rows: readonly Told[] } {
  const measured = told.filter((one): one is Measurement => one.event === 'measured')
  const traced = told.filter((one): one is SystemCalls => one.event === 'calls')
  const present = BACKENDS.filter((backend) => measured.some((one) => one.backend === backend))
  return {
    sections: [figures(measured, present), ratios(measured, present), counts(measured, present), calls(traced)],
    rows: [...measured, ...traced],
  }
}

function figures(measured: readonly Measurement[], present: readonly Backend[]): Section {
  const table = JOBS.map((job) => [
    job, ...present.map((backend) => number(middle(measured, backend, job, ({ iops }) => iops), 0)),
  ])
  const mib = JOBS.filter((job) => job.includes('128k')).map((job) => [
    `${job}, MiB/s`, ...present.map((backend) => number(middle(measured, backend, job, (one) => one.mibPerSecond), 1)),
  ])
  return { title: 'IOPS of fio, medians of the rounds', columns: columns('|JOB', ...present), table: [...table, ...mib] }
}

function ratios(measured: readonly Measurement[], present: readonly Backend[]): Section {
  const pairs = OURS.flatMap((ours) => GOALS.map(([theirs, goal]) => ({ ours, theirs, goal })))
    .filter(({ ours, theirs }) => present.includes(ours) && present.includes(theirs))
  const iops = (backend: Backend, job: Job) => middle(measured, backend, job, (one) => one.iops)
  const table = JOBS.map((job) => [
    job,
    ...pairs.map(({ ours, theirs, goal }) => {
      const ratio = iops(ours, job) / iops(theirs, job)
      return `${number(ratio, 2)}${ratio < goal ? ' (short)' : ''}`
    }),
  ])
  const titles = pairs.map(({ ours, theirs, goal }) => `${ours} / ${theirs}, goal ${goal}`)
  return { title: 'Ratios within this boot', columns: columns('|JOB', ...titles), table }
}

function counts(measured: readonly Measurement[], present: readonly Backend[]): Section {
  const per = (backend: Backend, job: Job, of: (one: Measurement) => number | undefined) =>
    number(middle(measured, backend, job, (one) => (of(one) ?? Number.NaN) / one.requests), 2)
  const table = JOBS.flatMap((job) =>
    present.map((backend) => [
      job,
      backend,
      per(backend, job, (one) => one.guestInterrupts),
      per(backend, job, (one) => one.backendEvents),
      per(backend, job, (one) => one.contextSwitches),
      per(backend, job, (one) => one.counters['batches']),
      per(backend, job, (one) => one.counters['copyCalls']),
      per(backend, job, (one) => one.counters['submitCalls']),
    ]),
  )
  const titles = ['|JOB', '|BACK END', 'INTERRUPTS OF THE GUEST', 'EVENTS TO DOM0', 'CONTEXT SWITCHES', 'BATCHES']
  return { title: 'Counts per request', columns: columns(...titles, 'GRANT COPIES', 'SUBMITS'), table }
}

/** The calls that matter for a back end; the rest together. */
const NAMED = ['ioctl', 'read', 'write', 'pread64', 'pwrite64', 'io_uring_enter', 'epoll_pwait', 'ppoll', 'futex'] as const

function calls(traced: readonly SystemCalls[]): Section {
  const table = traced.map(({ backend, job, requests, calls: made }) => {
    const all = Object.values(made).reduce((sum, count) => sum + count, 0)
    const named = NAMED.map((name) => made[name] ?? 0)
    const rest = all - named.reduce((sum, count) => sum + count, 0)
    return [job, backend, ...[all, ...named, rest].map((count) => number(count / requests, 2))]
  })
  const title = 'System calls per request (strace in a pass of its own; xen-blkback makes none)'
  return { title, columns: columns('|JOB', '|BACK END', 'ALL', ...NAMED, 'OTHERS'), table }
}
