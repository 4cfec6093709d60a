// Plain UDP sockets on a machine of the lab, used from outside: a process there holds them (python/udp_agent.py).
import { fileURLToPath } from 'node:url';
import { PYTHON } from '../programs.ts';
import type { LabHost } from './lab.ts';
import { LineReader } from './line-reader.ts';

const SCRIPT = fileURLToPath(new URL('../../../python/udp_agent.py', import.meta.url));
/** The longest wait for the agent itself, which answers in milliseconds. */
const AGENT_TIMEOUT_MS = 10_000;

export type LabEndpoint = readonly [address: string, port: number];

export interface LabDatagram {
  readonly from: LabEndpoint;
  readonly text: string;
}

/** One UDP socket of an agent. */
export class LabSocket {
  port = 0;
  onDatagram: (datagram: LabDatagram) => void = () => undefined;
  readonly #waiting = new Set<(datagram: LabDatagram) => boolean>();
  readonly #write: (line: object) => void;
  readonly #number: number;

  constructor(number: number, write: (line: object) => void) {
    this.#number = number;
    this.#write = write;
  }

  send(to: LabEndpoint, text: string): void {
    this.#write({ socket: this.#number, to, text });
  }

  close(): void {
    this.#write({ close: this.#number });
  }

  /** The next datagram that is wanted; undefined when none comes in time. */
  async next(
    isWanted: (datagram: LabDatagram) => boolean,
    timeoutMs: number,
  ): Promise<LabDatagram | undefined> {
    return await new Promise((resolve) => {
      const done = (datagram: LabDatagram | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(datagram);
      };
      const look = (datagram: LabDatagram) => {
        if (!isWanted(datagram)) return false;
        done(datagram);
        return true;
      };
      const timer = setTimeout(() => done(undefined), timeoutMs);
      this.#waiting.add(look);
    });
  }

  /** For the agent: hands a datagram to whoever waits for it, else to `onDatagram`. */
  handle(datagram: LabDatagram): void {
    for (const look of [...this.#waiting]) if (look(datagram)) return;
    this.onDatagram(datagram);
  }
}

interface AgentLine {
  readonly opened?: number;
  readonly port?: number;
  readonly socket?: number;
  readonly from?: LabEndpoint;
  readonly text?: string;
}

export class UdpAgent {
  readonly host: LabHost;
  readonly #write: (line: object) => void;
  readonly #sockets = new Map<number, LabSocket>();
  readonly #opening = new Map<number, (port: number) => void>();
  #opened = 0;

  constructor(host: LabHost) {
    this.host = host;
    const child = host.start('udp-agent', PYTHON, [SCRIPT], { input: true });
    this.#write = (line) => child.write(`${JSON.stringify(line)}\n`);
    const reader = new LineReader((line) => this.#handleLine(JSON.parse(line) as AgentLine));
    child.onOutput = (text) => reader.handleText(text);
  }

  /** A socket on all addresses of the machine, or on one of them. */
  async open(address = '0.0.0.0', port = 0): Promise<LabSocket> {
    const number = this.#opened++;
    const socket = new LabSocket(number, this.#write);
    this.#sockets.set(number, socket);
    socket.port = await new Promise<number>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no socket on ${this.host.namespace}`)),
        AGENT_TIMEOUT_MS,
      );
      this.#opening.set(number, (bound) => {
        clearTimeout(timer);
        resolve(bound);
      });
      this.#write({ open: number, address, port });
    });
    return socket;
  }

  #handleLine(line: AgentLine): void {
    if (line.opened !== undefined) {
      this.#opening.get(line.opened)?.(line.port ?? 0);
      this.#opening.delete(line.opened);
    } else if (line.socket !== undefined && line.from !== undefined) {
      this.#sockets.get(line.socket)?.handle({ from: line.from, text: line.text ?? '' });
    }
  }
}
