import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { BROKER } from './kafka-broker.ts'

/** The number of EndTxn among the requests of Kafka. */
const END_TXN = 26

/**
 * All new connections of this process go through here, until `stop`. With `lose` set, the next EndTxn is cut off: before
 * the broker gets it, or before its answer comes back.
 */
export class CutWire {
  lose: 'request' | 'answer' | null = null
  cuts = 0
  readonly #connect = net.connect
  readonly #server = net.createServer((client) => this.#forward(client))

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const { port } = this.#server.address() as net.AddressInfo
    const connect = (_options: net.NetConnectOpts, connected?: () => void) =>
      this.#connect({ host: '127.0.0.1', port }, connected)
    Object.assign(net, { connect, createConnection: connect })
    syncBuiltinESMExports()
  }

  stop(): void {
    Object.assign(net, { connect: this.#connect, createConnection: this.#connect })
    syncBuiltinESMExports()
    this.#server.close()
  }

  #forward(client: net.Socket): void {
    const [host, port] = BROKER.split(':') as [string, string]
    const broker = this.#connect({ host, port: Number(port) })
    const cut = () => {
      client.destroy()
      broker.destroy()
    }
    let rest = Buffer.alloc(0)
    let cutAnswer = false
    client.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 6 && rest.length >= 4 + rest.readInt32BE(0)) {
        const frame = rest.subarray(0, 4 + rest.readInt32BE(0))
        rest = rest.subarray(frame.length)
        if (frame.readInt16BE(4) === END_TXN && this.lose !== null) {
          this.cuts += 1
          if (this.lose === 'request') {
            this.lose = null
            cut()
            return
          }
          this.lose = null
          cutAnswer = true
        }
        broker.write(frame)
      }
    })
    broker.on('data', (chunk: Buffer) => (cutAnswer ? cut() : client.write(chunk)))
    for (const socket of [client, broker]) {
      socket.on('error', cut)
      socket.on('close', cut)
    }
  }
}
