/**
 * @packageDocumentation
 * A service manager's ear: a real datagram socket, at a path or under an abstract name, held by a python3 of its own
 * (Node has no unix datagrams, and the addon only sends them). Messages are kept in order, each as its fields. A deaf one
 * binds and never reads.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

const EAR = `
import json, socket, sys
address = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\\0' + address[1:] if address[0] == '@' else address)
print('{}', flush=True)
if sys.argv[2] == 'deaf':
    sys.stdin.read()
while True:
    print(json.dumps(dict(line.split('=', 1) for line in s.recv(4096).decode().split('\\n'))), flush=True)
`

export type Message = Readonly<Record<string, string>>

export class NotifyReceiver {
  readonly address: string
  readonly messages: Message[] = []
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #heard: () => void = () => undefined

  private constructor(address: string, child: ChildProcess) {
    this.address = address
    this.#child = child
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()))
  }

  /** Listens when this resolves. */
  static async listen(address: string, ear: 'hears' | 'deaf' = 'hears'): Promise<NotifyReceiver> {
    const child = spawn('python3', ['-c', EAR, address, ear], { stdio: ['pipe', 'pipe', 'inherit'] })
    const receiver = new NotifyReceiver(address, child)
    const bound = new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).once('line', () => resolve()).on('line', (line) => receiver.#received(line))
      child.once('close', (status) => reject(new Error(`the receiver of ${address} ended with ${status}`)))
    })
    await bound
    return receiver
  }

  /** Resolves with the first message, from the `from`th on, that has these fields. */
  async message(fields: Message, from = 0): Promise<Message> {
    for (;;) {
      const found = this.messages.slice(from).find((message) => has(message, fields))
      if (found) return found
      await new Promise<void>((resolve) => void (this.#heard = resolve))
    }
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #received(line: string): void {
    if (line !== '{}') this.messages.push(JSON.parse(line) as Message)
    this.#heard()
  }
}

function has(message: Message, fields: Message): boolean {
  return Object.entries(fields).every(([name, value]) => message[name] === value)
}
