// Hole punching at its simplest, with plain UDP sockets: what a pair of NATs lets through, whatever client is built on it.
import { type Observers, seenBy } from './nat-behaviour.ts';
import type { LabEndpoint, LabSocket, UdpAgent } from './udp-agent.ts';

/**
 * - told: each side sends to the address that the server told it
 * - adaptive: and answers where a packet came from
 * - prediction: and tries the ports that a sequential NAT opens next
 * - birthday: and the second side opens 256 sockets, while the first tries random ports, 500 a second
 */
export type PunchingWay = 'told' | 'adaptive' | 'prediction' | 'birthday';

export interface PunchResult {
  readonly works: boolean;
  readonly ms: number;
  /** Datagrams of both sides. */
  readonly sent: number;
}

const ROUND_MS = 25;
const ROUNDS = 24;
const PREDICTED_PORTS = 12;
const BIRTHDAY_SOCKETS = 256;
const BIRTHDAY_PER_ROUND = 12;
const BIRTHDAY_ROUNDS = 200;

/** Tries until both sides know that datagrams pass both ways, or gives up. */
export async function punch(
  first: UdpAgent,
  second: UdpAgent,
  observers: Observers,
  way: PunchingWay,
): Promise<PunchResult> {
  const sides = [
    await Side.open(first, observers, 1, way),
    await Side.open(second, observers, way === 'birthday' ? BIRTHDAY_SOCKETS : 1, way),
  ] as const;
  sides[0].target = sides[1].mapped;
  sides[1].target = sides[0].mapped;
  const begin = performance.now();
  const rounds = way === 'birthday' ? BIRTHDAY_ROUNDS : ROUNDS;
  const works = await new Promise<boolean>((resolve) => {
    let round = 0;
    const step = () => {
      if (round === rounds) return finish(false);
      for (const side of sides) side.sendRound(round);
      round += 1;
    };
    const timer = setInterval(step, ROUND_MS);
    const finish = (worked: boolean) => {
      clearInterval(timer);
      resolve(worked);
    };
    for (const side of sides) side.onWorking = () => finish(true);
    step();
  });
  const result = { works, ms: performance.now() - begin, sent: sides[0].sent + sides[1].sent };
  for (const side of sides) side.close();
  return result;
}

class Side {
  sent = 0;
  target: LabEndpoint | undefined;
  onWorking: () => void = () => undefined;
  readonly mapped: LabEndpoint | undefined;
  readonly #sockets: readonly LabSocket[];
  readonly #way: PunchingWay;
  /** Where datagrams came from, and at which of our sockets. */
  readonly #heard = new Map<string, readonly [LabSocket, LabEndpoint]>();

  private constructor(
    sockets: readonly LabSocket[],
    mapped: LabEndpoint | undefined,
    way: PunchingWay,
  ) {
    this.#sockets = sockets;
    this.mapped = mapped;
    this.#way = way;
    for (const socket of sockets) {
      socket.onDatagram = ({ from, text }) => this.#handle(socket, from, text);
    }
  }

  static async open(
    agent: UdpAgent,
    { first, addresses }: Observers,
    socketCount: number,
    way: PunchingWay,
  ): Promise<Side> {
    const sockets: LabSocket[] = [];
    for (let i = 0; i < socketCount; i++) sockets.push(await agent.open());
    const mapped = await seenBy(first, sockets[0]!, [addresses[0], first.port]);
    return new Side(sockets, mapped, way);
  }

  sendRound(round: number): void {
    if (this.target === undefined) return;
    const [address, port] = this.target;
    if (this.#sockets.length > 1) {
      // All sockets once, so that each opens a port of its own; then those that were heard.
      if (round === 0) for (const socket of this.#sockets) this.#send(socket, this.target, 'hello');
    } else if (this.#way === 'birthday') {
      for (let i = 0; i < BIRTHDAY_PER_ROUND; i++) {
        const random = 1024 + Math.floor(Math.random() * (65_536 - 1024));
        this.#send(this.#sockets[0]!, [address, random], 'hello');
      }
    } else {
      const send = (step: number) => this.#send(this.#sockets[0]!, [address, port + step], 'hello');
      // The next port first: where both sides count, each has spent one port on the other's next one, and they meet at once.
      if (this.#way === 'prediction') send(1);
      send(0);
      if (this.#way === 'prediction') for (let i = 2; i <= PREDICTED_PORTS; i++) send(i);
    }
    if (this.#way === 'told') return;
    for (const [socket, from] of this.#heard.values()) this.#send(socket, from, 'hello');
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #handle(socket: LabSocket, from: LabEndpoint, text: string): void {
    this.#heard.set(`${socket.port} ${from}`, [socket, from]);
    if (text === 'heard you') this.onWorking();
    else if (this.#way !== 'told') this.#send(socket, from, 'heard you');
    else if (this.target !== undefined) this.#send(socket, this.target, 'heard you');
  }

  #send(socket: LabSocket, to: LabEndpoint, text: string): void {
    this.sent += 1;
    socket.send(to, text);
  }
}
