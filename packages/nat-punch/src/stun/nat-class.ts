// What kind of NAT we are behind, by the tests of RFC 5780 section 4: how it maps, what it lets in, whether it leads back to itself, and in
// which order it gives out ports. With one address of the server some of it can't be told, and is `unknown`.
import { addressFamily, type Endpoint, endpointKey } from '@bt/endpoint';
import type { NatTraits } from '../path/candidate.ts';
import { portStepOf } from '../path/port-prediction.ts';
import { STUN_ATTRIBUTE } from './stun-attributes.ts';
import { decodeStunMessage, STUN_METHOD, type StunMessage, StunWriter } from './stun-message.ts';
import { QUICK_TIMES_MS, StunRequest } from './stun-request.ts';

/** RFC 4787 sections 4.1 and 5. */
export type NatBehaviour =
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent';

export interface NatClass {
  /** False when nothing came back: UDP is blocked, or the server is away. */
  readonly hasUdp: boolean;
  /** Our address as the server sees it. */
  readonly reflexive?: Endpoint;
  /** `none`: there is no translation. */
  readonly mapping: 'none' | NatBehaviour | 'unknown';
  readonly filtering: NatBehaviour | 'unknown';
  /** Whether a host behind the NAT reaches its public address; undefined when there is no NAT. */
  readonly hairpin?: boolean;
  /** `preserved`: the ports are those of the host. */
  readonly portOrder: 'preserved' | 'sequential' | 'random' | 'unknown';
  /** What of it matters for getting through. */
  readonly traits: NatTraits;
}

/** Sockets that the discovery needs, each fresh: one for mapping, one for filtering, the others for the order of ports. */
export const DISCOVERY_SOCKETS = 6;

export interface NatDiscoveryOptions {
  readonly server: Endpoint;
  /** The server's other port at the same address. Default: the next one. */
  readonly otherPort?: number;
  /** The server's second address; an OTHER-ADDRESS in its answers is believed as well. */
  readonly alternateAddress?: string;
  /** Addresses of this host, and the ports of its {@link DISCOVERY_SOCKETS} sockets. */
  readonly localAddresses: readonly string[];
  readonly localPorts: readonly number[];
  readonly randomBytes: (length: number) => Uint8Array;
}

export interface NatDiscoveryEffect {
  /** Index of the socket. */
  readonly socket: number;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}

type TestName =
  | 'mapping'
  | 'mapping-other-port'
  | 'mapping-other-address'
  | 'mapping-other-both'
  | 'filtering-other-port'
  | 'filtering-other-both'
  | `order-${number}`;

interface Test {
  readonly socket: number;
  readonly to: Endpoint;
  readonly request: StunRequest;
}

const MAPPING_SOCKET = 0;
const FILTERING_SOCKET = 1;
const FIRST_ORDER_SOCKET = 2;
/** RFC 5780 section 7.2. */
const CHANGE_PORT = 2;
const CHANGE_BOTH = 6;
/** Hairpin packets travel no further than the NAT. */
const HAIRPIN_WAIT_MS = 500;

/** Drain `poll()` after every call; `result` is there after less than a second. */
export class NatDiscovery {
  readonly #options: NatDiscoveryOptions;
  readonly #tests = new Map<TestName, Test>();
  readonly #effects: NatDiscoveryEffect[] = [];
  #isWithAlternate = false;
  #hairpinId: Uint8Array | undefined;
  #hairpinUntilMs = Number.POSITIVE_INFINITY;
  #isHairpinSeen = false;
  #result: NatClass | undefined;

  constructor(now: number, options: NatDiscoveryOptions) {
    this.#options = options;
    const { server } = options;
    this.#test(now, 'mapping', MAPPING_SOCKET, server);
    this.#test(now, 'mapping-other-port', MAPPING_SOCKET, this.#otherPort(server));
    this.#test(now, 'filtering-other-port', FILTERING_SOCKET, server, CHANGE_PORT);
    for (let socket = FIRST_ORDER_SOCKET; socket < DISCOVERY_SOCKETS; socket++) {
      this.#test(now, `order-${socket}`, socket, server);
    }
    if (options.alternateAddress !== undefined) this.#testAlternate(now, options.alternateAddress);
    this.#drain();
  }

  get result(): NatClass | undefined {
    return this.#result;
  }

  handleDatagram(now: number, socket: number, bytes: Uint8Array): void {
    const message = decodeStunMessage(bytes);
    if (message === undefined || this.#result !== undefined) return;
    if (message.class === 'request') {
      this.#handleHairpin(socket, message);
    } else {
      for (const [name, test] of this.#tests) {
        if (test.socket !== socket || !test.request.handleMessage(now, message)) continue;
        if (name === 'mapping') this.#handleMapping(now, message);
        break;
      }
    }
    this.#finish(now);
  }

  handleTimeout(now: number): void {
    for (const { request } of this.#tests.values()) request.handleTimeout(now);
    this.#finish(now);
  }

  deadline(): number {
    if (this.#result !== undefined) return Number.POSITIVE_INFINITY;
    let next = this.#hairpinUntilMs;
    for (const { request } of this.#tests.values()) next = Math.min(next, request.deadline());
    return next;
  }

  poll(): NatDiscoveryEffect | undefined {
    return this.#effects.shift();
  }

  #test(now: number, name: TestName, socket: number, to: Endpoint, change?: number): void {
    const { randomBytes } = this.#options;
    const request = new StunRequest(now, {
      method: STUN_METHOD.binding,
      randomBytes,
      timesMs: QUICK_TIMES_MS,
      write: (writer) => {
        if (change !== undefined) writer.uint32(STUN_ATTRIBUTE.changeRequest, change);
      },
    });
    this.#tests.set(name, { socket, to, request });
  }

  #testAlternate(now: number, address: string): void {
    const { server } = this.#options;
    if (this.#isWithAlternate || address === server.address) return;
    if (addressFamily(address) !== addressFamily(server.address)) return;
    this.#isWithAlternate = true;
    const alternate = { address, port: server.port };
    this.#test(now, 'mapping-other-address', MAPPING_SOCKET, alternate);
    this.#test(now, 'mapping-other-both', MAPPING_SOCKET, this.#otherPort(alternate));
    this.#test(now, 'filtering-other-both', FILTERING_SOCKET, server, CHANGE_BOTH);
  }

  #handleMapping(now: number, message: StunMessage): void {
    const other = message.address(STUN_ATTRIBUTE.otherAddress);
    if (other !== undefined) this.#testAlternate(now, other.address);
    const mapped = this.#mapped('mapping');
    if (mapped === undefined || this.#isLocal(mapped)) return;
    this.#hairpinId = this.#options.randomBytes(12);
    this.#hairpinUntilMs = now + HAIRPIN_WAIT_MS;
    const bytes = new StunWriter('request', STUN_METHOD.binding, this.#hairpinId).finish();
    // Twice, since the first may be lost.
    for (let i = 0; i < 2; i++) this.#effects.push({ socket: MAPPING_SOCKET, to: mapped, bytes });
  }

  #handleHairpin(socket: number, message: StunMessage): void {
    const id = this.#hairpinId;
    if (socket !== MAPPING_SOCKET || id === undefined) return;
    if (message.transactionId.some((byte, index) => byte !== id[index])) return;
    this.#isHairpinSeen = true;
    this.#hairpinUntilMs = Number.POSITIVE_INFINITY;
  }

  #finish(now: number): void {
    this.#drain();
    if (now >= this.#hairpinUntilMs) this.#hairpinUntilMs = Number.POSITIVE_INFINITY;
    for (const { request } of this.#tests.values()) if (request.outcome === undefined) return;
    if (this.#hairpinUntilMs !== Number.POSITIVE_INFINITY) return;
    this.#result ??= this.#judge();
  }

  #drain(): void {
    for (const { socket, to, request } of this.#tests.values()) {
      const bytes = request.poll();
      if (bytes !== undefined) this.#effects.push({ socket, to, bytes });
    }
  }

  #judge(): NatClass {
    const reflexive = this.#mapped('mapping');
    if (reflexive === undefined) {
      const traits: NatTraits = { mapping: 'unknown', filtering: 'unknown' };
      return {
        hasUdp: false,
        mapping: 'unknown',
        filtering: 'unknown',
        portOrder: 'unknown',
        traits,
      };
    }
    const isTranslated = !this.#isLocal(reflexive);
    const order = this.#portOrder();
    const mapping = isTranslated ? this.#mapping(reflexive) : 'none';
    return {
      hasUdp: true,
      reflexive,
      mapping,
      filtering: this.#filtering(),
      ...(isTranslated ? { hairpin: this.#isHairpinSeen } : {}),
      portOrder: order.portOrder,
      traits: this.#traits(mapping, order.portStep),
    };
  }

  #mapping(reflexive: Endpoint): NatClass['mapping'] {
    const isSame = (name: TestName) => {
      const mapped = this.#mapped(name);
      return mapped === undefined ? undefined : endpointKey(mapped) === endpointKey(reflexive);
    };
    const otherPort = isSame('mapping-other-port');
    const otherAddress = isSame('mapping-other-address');
    const otherBoth = isSame('mapping-other-both');
    if (otherPort === false) return 'address-and-port-dependent';
    if (otherAddress === true || otherBoth === true) return 'endpoint-independent';
    if (otherAddress === false && otherPort === true) return 'address-dependent';
    return 'unknown';
  }

  #filtering(): NatClass['filtering'] {
    const otherPort = this.#isAnswered('filtering-other-port');
    const otherBoth = this.#isAnswered('filtering-other-both');
    if (otherBoth === true) return 'endpoint-independent';
    if (otherPort === false) return 'address-and-port-dependent';
    return otherPort === true && otherBoth === false ? 'address-dependent' : 'unknown';
  }

  #traits(mapping: NatClass['mapping'], portStep: number | undefined): NatTraits {
    const otherPort = this.#isAnswered('filtering-other-port');
    const filtering = otherPort === undefined ? 'unknown' : otherPort ? 'open' : 'port';
    if (mapping === 'none') return { mapping, filtering };
    if (mapping === 'endpoint-independent') return { mapping: 'independent', filtering };
    // With one address of the server: one mapping for two ports is taken for one mapping for all.
    if (mapping === 'unknown') {
      const isKnown = this.#mapped('mapping-other-port') !== undefined;
      return { mapping: isKnown ? 'independent' : 'unknown', filtering };
    }
    return { mapping: 'dependent', filtering, ...(portStep === undefined ? {} : { portStep }) };
  }

  /** From the mappings of sockets that sent one after the other. */
  #portOrder(): { portOrder: NatClass['portOrder']; portStep?: number } {
    const ports: number[] = [];
    let isPreserved = true;
    for (let socket = FIRST_ORDER_SOCKET; socket < DISCOVERY_SOCKETS; socket++) {
      const mapped = this.#mapped(`order-${socket}`);
      if (mapped === undefined) continue;
      ports.push(mapped.port);
      if (mapped.port !== this.#options.localPorts[socket]) isPreserved = false;
    }
    if (ports.length < 3) return { portOrder: 'unknown' };
    if (isPreserved) return { portOrder: 'preserved' };
    const portStep = portStepOf(ports);
    return portStep === undefined ? { portOrder: 'random' } : { portOrder: 'sequential', portStep };
  }

  #mapped(name: TestName): Endpoint | undefined {
    const outcome = this.#tests.get(name)?.request.outcome;
    if (outcome?.type !== 'success') return undefined;
    const { message } = outcome;
    return (
      message.xorAddress(STUN_ATTRIBUTE.xorMappedAddress) ??
      message.address(STUN_ATTRIBUTE.mappedAddress)
    );
  }

  /** Undefined when the server doesn't do it, or wasn't asked. */
  #isAnswered(name: TestName): boolean | undefined {
    const outcome = this.#tests.get(name)?.request.outcome;
    return outcome === undefined || outcome.type === 'error'
      ? undefined
      : outcome.type === 'success';
  }

  #isLocal({ address, port }: Endpoint): boolean {
    const { localAddresses, localPorts } = this.#options;
    return localPorts[MAPPING_SOCKET] === port && localAddresses.includes(address);
  }

  #otherPort(endpoint: Endpoint): Endpoint {
    const { server, otherPort } = this.#options;
    return { address: endpoint.address, port: otherPort ?? server.port + 1 };
  }
}

/** What it means, in one paragraph. */
export function explainNat(nat: NatClass): string {
  if (!nat.hasUdp) {
    return 'No UDP gets to the server and back: a firewall blocks it, or the server is away. Chats run through the relay over TCP.';
  }
  const { mapping, filtering, portStep } = nat.traits;
  if (mapping === 'none') {
    const more = filtering === 'port' ? ' A firewall lets in only what was asked for.' : '';
    return `There is no NAT: this host has its public address itself.${more} Everybody reaches it directly.`;
  }
  if (mapping === 'dependent') {
    const guess =
      portStep === undefined
        ? 'These are random: partners behind a port-restricted NAT are reached by trying many, those behind another NAT of this kind through the relay only'
        : 'These follow one another, so that the next one can be guessed: only partners behind a NAT with random ports need the relay';
    return `The NAT gives each destination another port (symmetric). ${guess}.`;
  }
  if (mapping === 'unknown')
    return 'The NAT answers too little to tell its kind. A direct path is tried all the same.';
  if (filtering === 'port') {
    return 'The NAT keeps one port for all destinations and lets in only what comes from where something was sent to (port-restricted cone). Direct paths work with all NATs; with symmetric ones they take a second.';
  }
  const kind =
    nat.filtering === 'endpoint-independent'
      ? 'lets in whoever sends there (full cone)'
      : nat.filtering === 'address-dependent'
        ? 'lets in every port of an address that something was sent to (address-restricted cone)'
        : "lets in more than what was asked for (full cone or address-restricted: with one address of the server that can't be told apart)";
  return `The NAT keeps one port for all destinations and ${kind}. Direct paths work with all NATs.`;
}
