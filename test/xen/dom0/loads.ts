/**
 * @packageDocumentation
 * Verified load in a guest: fio writes at random what it can recognise, mixed with reads, then reads everything back. One
 * pass after the other until told to stop, each with seeds of its own, because fio's time_based does not go together
 * with its checks once the same place is written twice in one pass.
 */
import type { Guest, Job } from './guest.js'

const STOP = '/tmp/load-stop'

/** Passes of fio over a device until `stop`. */
export interface Load {
  /** Resolves when the pass at hand has ended; rejects with what fio said when any pass failed. @returns passes done. */
  stop(timeoutMs?: number): Promise<number>
  /** Rejects when the load has ended, which it does by itself only when a check failed. */
  stillRuns(): Promise<void>
}

export interface LoadOptions {
  readonly sizeMiB?: number
  readonly depth?: number
  readonly blocks?: string
  /** More for fio. */
  readonly more?: string
}

/** Starts load on `/dev/NAME`, of which a pass covers the first `sizeMiB` (default 8). */
export async function startLoad(guest: Guest, device: string, options: LoadOptions = {}): Promise<Load> {
  const { sizeMiB = 8, depth = 16, blocks = '4k-64k', more = '' } = options
  const stop = `${STOP}-${device.replaceAll('/', '-')}`
  const fio = [
    `fio --name=load --filename=${device} --size=${sizeMiB}M --rw=randrw --bsrange=${blocks} --ioengine=libaio`,
    `--iodepth=${depth} --direct=1 --verify=crc32c --verify_fatal=1 --randseed=$pass ${more}`,
  ].join(' ')
  const script = [
    `rm -f ${stop}; pass=0; while [ ! -e ${stop} ]; do pass=$((pass + 1)); ${fio} >/tmp/fio.out 2>&1`,
    `|| { cat /tmp/fio.out; exit 1; }; done; echo $pass`,
  ].join(' ')
  const job: Job = await guest.job(script)
  return {
    async stop(timeoutMs = 120_000) {
      await guest.succeed(`touch ${stop}`)
      const { output, status } = await job.wait(timeoutMs)
      if (status !== 0) throw new Error(`fio found a fault: ${output}`)
      return Number(output)
    },
    async stillRuns() {
      const ended = await job.ended()
      if (ended) throw new Error(`the load ended with ${ended.status}: ${ended.output}`)
    },
  }
}
