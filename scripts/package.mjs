/**
 * `npm run package -- --destdir DIR`: installs xbbd below DIR as a distribution's package would, whose build calls this.
 * The rig puts exactly this tree into dom0, so what is tested there is what is installed.
 *
 *   /usr/lib/xbbd/                the program (bundle.mjs)          /etc/xbbd/xbbd.conf            every setting, commented
 *   /usr/bin/xbbd                 a link to it                      /etc/xen/scripts/block-xbbd    xl's hotplug script
 *   /usr/lib/systemd, udev, sysusers.d      service, rights of /dev/xen/*, the user `xbbd`
 *   /usr/share/man, bash-completion, zsh    for people           /usr/share/xbbd/grafana-xbbd.json       for their Grafana
 *
 * Nothing is started, and no user is made: that is for the package's own scripts (systemd-sysusers, udevadm).
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleProgram } from './bundle.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Files of packaging/: where each is installed, and its mode. */
const FILES = [
  ['xbbd.conf.example', 'etc/xbbd/xbbd.conf', 0o644],
  ['block-xbbd', 'etc/xen/scripts/block-xbbd', 0o755],
  ['xbbd.service', 'usr/lib/systemd/system/xbbd.service', 0o644],
  ['60-xbbd.rules', 'usr/lib/udev/rules.d/60-xbbd.rules', 0o644],
  ['xbbd.sysusers', 'usr/lib/sysusers.d/xbbd.conf', 0o644],
  ['grafana-xbbd.json', 'usr/share/xbbd/grafana-xbbd.json', 0o644],
  ['man/xbbd.8', 'usr/share/man/man8/xbbd.8', 0o644],
  ['man/xbbd.conf.5', 'usr/share/man/man5/xbbd.conf.5', 0o644],
]

/** Installs below `destdir`, which may exist. @returns what was installed, as paths relative to it. */
export async function packageInto(destdir) {
  await bundleProgram(join(destdir, 'usr/lib/xbbd'))
  mkdirSync(join(destdir, 'usr/bin'), { recursive: true })
  rmSync(join(destdir, 'usr/bin/xbbd'), { force: true })
  symlinkSync('../lib/xbbd/cli/main.js', join(destdir, 'usr/bin/xbbd'))
  for (const [name, path, mode] of FILES) {
    mkdirSync(dirname(join(destdir, path)), { recursive: true })
    copyFileSync(join(root, 'packaging', name), join(destdir, path))
    chmodSync(join(destdir, path), mode)
  }
  const completions = [
    ['bash', 'usr/share/bash-completion/completions/xbbd'],
    ['zsh', 'usr/share/zsh/site-functions/_xbbd'],
  ]
  for (const [shell, path] of completions) {
    mkdirSync(dirname(join(destdir, path)), { recursive: true })
    writeFileSync(join(destdir, path), completion(destdir, shell))
  }
  return ['usr/lib/xbbd/', 'usr/bin/xbbd', ...[...FILES, ...completions].map(([, path]) => path)]
}

/** What the installed program prints. zsh loads its file when it is first needed, and then expects it to complete at once. */
function completion(destdir, shell) {
  const main = join(destdir, 'usr/lib/xbbd/cli/main.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'completion', shell], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`xbbd: the bundle does not run: ${stderr}`)
  return shell === 'zsh' ? `#compdef xbbd\n${stdout}_bash_complete -o filenames -F _xbbd\n` : stdout
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [flag, destdir, ...rest] = process.argv.slice(2)
  if (flag !== '--destdir' || !destdir || rest.length > 0) {
    process.stderr.write('xbbd: give the directory to install below: npm run package -- --destdir DIR (/ for this machine)\n')
    process.exit(64)
  }
  const installed = await packageInto(resolve(destdir))
  process.stdout.write(installed.map((path) => `${join(resolve(destdir), path)}\n`).join(''))
}
