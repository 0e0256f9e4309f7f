#!/usr/bin/env -S node --no-memory-reducer
/**
 * @packageDocumentation
 * `xbbd`: the process's first and last lines. It makes the terminal, runs the command line, and turns what was thrown
 * into one sentence on standard error and a status of sysexits. Only here does a process end by `exit`; commands
 * return their status or throw.
 *
 * The flag in the first line: V8 otherwise collects an idle heap for minutes, to shrink it, which costs 140 ms of
 * processor a minute with 64 idle disks and gains no memory. An idle daemon sleeps.
 */
import { runCommandLine } from './program.js'
import { terminalOn } from './terminal.js'

// A reader that has seen enough (`xbbd list | head -1`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74))

const terminal = terminalOn(process.stdout, process.stderr, process.env)
const status = await runCommandLine(process.argv.slice(2), terminal)
// Pipes are written asynchronously: what was written must be out before the process ends.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
process.exit(status)
