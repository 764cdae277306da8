import { createServer, type Server, type ServerResponse } from 'node:http'
import { RheoError } from '../schemas/errors.ts'
import type { Health } from './health.ts'

export interface EndpointOptions {
  readonly host: string
  readonly port: number
  /** 'only this': a port that is taken is an error; 'or the next': a free one after it is taken instead. */
  readonly which: 'only this' | 'or the next'
  readonly health: Health
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
}

export interface Endpoints {
  readonly url: string
  close(): Promise<void>
}

/** How many ports after the wished one are tried: as many workers as one machine would run. */
const MOST_PORTS = 20

/**
 * Serves `/livez` (is it worth keeping this process), `/readyz` (does it do its work, and if not why) and `/metrics`.
 * Throws CONFIG_INVALID where it cannot listen.
 */
export async function openEndpoints(options: EndpointOptions): Promise<Endpoints> {
  const { host, port, which } = options
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, { error: 'GET only' })
    void respond(options, new URL(request.url ?? '/', 'http://rheo').pathname, response)
  })
  server.requestTimeout = 10_000
  const last = which === 'only this' || port === 0 ? port : Math.min(65_535, port + MOST_PORTS)
  for (let at = port; ; at++) {
    try {
      await listen(server, host, at)
      break
    } catch (cause) {
      const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (isTaken && at < last) continue
      throw new RheoError('CONFIG_INVALID', `the HTTP endpoints cannot listen on ${host}:${at}`, {
        cause,
        hint: isTaken
          ? 'Give another port with --http-port; 0 takes any free one.'
          : 'Mend --http-host or --http-port.',
      })
    }
  }
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function respond({ health, metrics }: EndpointOptions, path: string, response: ServerResponse): Promise<void> {
  try {
    if (path === '/livez') {
      const hanging = health.hanging()
      return answer(response, hanging === null ? 200 : 503, { alive: hanging === null, reason: hanging })
    }
    if (path === '/readyz') {
      const readiness = health.readiness()
      return answer(response, readiness.ready ? 200 : 503, readiness)
    }
    if (path === '/metrics') {
      const { contentType, text } = await metrics()
      response.writeHead(200, { 'content-type': contentType }).end(text)
      return
    }
    answer(response, 404, { error: 'there are /livez, /readyz and /metrics' })
  } catch (error) {
    answer(response, 500, { error: error instanceof Error ? error.message : String(error) })
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  if (!response.headersSent) response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
