import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { hostErrors } from '@souk/host';
import { fromUnknown, type Logger } from '@souk/kernel';
import { appErrors } from '../errors.ts';
import type { ManagedProcess } from './managed-process.ts';

export interface AcceptorInit {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Logger;
  /** Processes that take requests from outside. */
  readonly edges: () => readonly ManagedProcess[];
}

/** Connections that wait while no edge is ready; more are turned away. */
const MOST_WAITING = 1000;

/**
 * Holds the shop's port and hands each connection to one of the edge processes. So the port is there from the first moment to the last, whatever process
 * comes and goes: while none is ready, connections wait.
 */
export class Acceptor {
  readonly #init: AcceptorInit;
  readonly #server: Server;
  readonly #waiting = new Set<Socket>();
  #turn = 0;

  constructor(init: AcceptorInit) {
    this.#init = init;
    // What a connection brings is read by the process that gets it.
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#onConnection(socket));
    this.#server.on('error', (error) => {
      if (this.#server.listening) init.log.error('a connection could not be accepted', { err: fromUnknown(error) });
    });
  }

  /** @throws HOST_PORT_IN_USE, HOST_PORT_DENIED, APP_PORT_UNUSABLE */
  async listen(): Promise<number> {
    const { host, port } = this.#init;
    this.#server.listen({ host, port, backlog: 1024 });
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      const { code = 'for no reason given' } = cause as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE') throw hostErrors.PORT_IN_USE({ port }, { cause });
      if (code === 'EACCES') throw hostErrors.PORT_DENIED({ port }, { cause });
      throw appErrors.PORT_UNUSABLE({ host, port, why: code }, { cause });
    }
    return (this.#server.address() as AddressInfo).port;
  }

  /** Tells it that an edge has become ready. */
  wake(): void {
    for (const socket of [...this.#waiting]) {
      if (!this.#hand(socket)) return;
      this.#waiting.delete(socket);
    }
  }

  /** Takes no new connection; those that wait are turned away. */
  close(): void {
    if (this.#server.listening) this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting.clear();
  }

  #onConnection(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#hand(socket)) return;
    if (this.#waiting.size >= MOST_WAITING) {
      socket.destroy();
      return;
    }
    this.#waiting.add(socket);
    socket.on('close', () => this.#waiting.delete(socket));
  }

  #hand(socket: Socket): boolean {
    const ready = this.#init.edges().filter(({ state }) => state === 'ready');
    for (let tries = 0; tries < ready.length; tries++) {
      const edge = ready[this.#turn++ % ready.length] as ManagedProcess;
      if (edge.child?.give(socket)) return true;
    }
    return false;
  }
}
