// A TURN server without a network: its clients, relay sockets and time are the test's.
import type { AddressFamily, Endpoint } from '@bt/endpoint';
import {
  type ClientLink,
  type ClientTransport,
  decodeStunMessage,
  longTermKey,
  type RelayAccess,
  RelayPolicy,
  type RelaySocket,
  type RelaySocketRequest,
  type RelaySockets,
  type ServerPlace,
  type SourceChange,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  type StunMessage,
  StunWriter,
  TurnServer,
  type TurnServerOptions,
} from '../../src/index.ts';

export const REALM = 'p2p';
export const SERVER: ServerPlace = { address: '192.0.2.1', port: 3478, otherPort: 3479 };
export const PEER: Endpoint = { address: '203.0.113.7', port: 7000 };

/** What was sent to a client. */
export interface Sent {
  readonly bytes: Uint8Array;
  readonly from: SourceChange | undefined;
}

export class FakeLink implements ClientLink {
  allocation: ClientLink['allocation'];
  readonly transport: ClientTransport;
  readonly remote: Endpoint;
  readonly place: ServerPlace;
  readonly sent: Sent[] = [];
  isKept = false;
  /** Whether the client takes relayed data. */
  isWritable = true;
  readonly #buffer = new Uint8Array(70_000).fill(0xee);

  constructor(
    remote: Endpoint = { address: '198.51.100.9', port: 4000 },
    transport: ClientTransport = 'udp',
    place: ServerPlace = SERVER,
  ) {
    this.remote = remote;
    this.transport = transport;
    this.place = place;
  }

  send(bytes: Uint8Array, from?: SourceChange): void {
    this.sent.push({ bytes: Uint8Array.from(bytes), from });
  }

  reserve(): Uint8Array | undefined {
    return this.isWritable ? this.#buffer : undefined;
  }

  commit(lengthBytes: number): void {
    this.send(this.#buffer.subarray(0, lengthBytes));
  }

  keep(): void {
    this.isKept = true;
  }

  release(): void {
    this.isKept = false;
  }
}

export class FakeRelay implements RelaySocket {
  readonly relayed: Endpoint;
  readonly sent: { bytes: Uint8Array; to: Endpoint }[] = [];
  isClosed = false;
  onDatagram: RelaySocket['onDatagram'] = () => undefined;

  constructor(relayed: Endpoint) {
    this.relayed = relayed;
  }

  send(bytes: Uint8Array, offset: number, length: number, address: string, port: number): void {
    const copy = Uint8Array.from(bytes.subarray(offset, offset + length));
    this.sent.push({ bytes: copy, to: { address, port } });
  }

  close(): void {
    this.isClosed = true;
  }
}

export class FakeSockets implements RelaySockets {
  families: readonly AddressFamily[] = [4, 6];
  /** Whether there are ports left. */
  hasPorts = true;
  /** Opens wait here until the test lets them go on. */
  waiting: (() => void)[] | undefined;
  readonly opened: FakeRelay[] = [];
  #port = 50_000;

  canRelay(family: AddressFamily): boolean {
    return this.families.includes(family);
  }

  open(
    { family, port }: RelaySocketRequest,
    done: (sockets: readonly RelaySocket[] | undefined) => void,
  ): void {
    const go = (): void => {
      if (!this.hasPorts) {
        done(undefined);
        return;
      }
      const address = family === 4 ? '192.0.2.1' : '2001:db8::1';
      const count = port === 'even-and-next' ? 2 : 1;
      const sockets = Array.from(
        { length: count },
        (_, i) => new FakeRelay({ address, port: this.#port + i }),
      );
      this.#port = this.#port > 65_000 ? 20_000 : this.#port + 2;
      this.opened.push(...sockets);
      done(sockets);
    };
    if (this.waiting === undefined) go();
    else this.waiting.push(go);
  }
}

export interface LabOptions {
  readonly mayReach?: RelayAccess['mayReach'];
  readonly accountOf?: RelayAccess['accountOf'];
  readonly allowPeers?: readonly string[];
  readonly server?: Partial<TurnServerOptions>;
}

/** Names and passwords of the lab's users. */
export const PASSWORDS = new Map([
  ['alice', 'secret'],
  ['bob', 'hidden'],
]);

export class TurnLab {
  now = 1_000_000;
  readonly sockets = new FakeSockets();
  readonly events: string[] = [];
  readonly policy: RelayPolicy;
  readonly server: TurnServer;
  #random = 1;
  #serial = 0;

  constructor({
    mayReach = () => 'class',
    accountOf = (username) => username,
    allowPeers = [],
    server = {},
  }: LabOptions = {}) {
    this.policy = new RelayPolicy({ mayReach, allowPeers });
    this.policy.addOwnAddress(SERVER.address);
    this.policy.addOwnAddress('2001:db8::1');
    this.policy.addOwnPort(3478);
    this.policy.addOwnPort(3479);
    this.server = new TurnServer({
      realm: REALM,
      access: { passwordOf: (username) => PASSWORDS.get(username), accountOf, mayReach },
      policy: this.policy,
      sockets: this.sockets,
      randomBytes: (length) => Uint8Array.from({ length }, () => this.#nextByte()),
      events: {
        onSeen: (name, at, by) => this.events.push(`seen ${name} ${at.address} ${by}`),
        onAllocation: (name, at) => this.events.push(`begin ${name} ${at.port}`),
        onAllocationEnd: (name, at) => this.events.push(`end ${name} ${at.port}`),
      },
      ...server,
    });
  }

  transactionId(): Uint8Array {
    this.#serial += 1;
    return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, this.#serial >>> 8, this.#serial & 0xff);
  }

  /** Hands a message to the server, and gives the last that it has sent to this client since. */
  handle(link: FakeLink, bytes: Uint8Array): StunMessage | undefined {
    const before = link.sent.length;
    this.server.handleMessage(this.now, decodeStunMessage(bytes)!, link);
    const last = link.sent.slice(before).at(-1);
    return last === undefined ? undefined : decodeStunMessage(last.bytes);
  }

  /** A nonce for this client. */
  nonce(link: FakeLink): string {
    const request = new StunWriter('request', STUN_METHOD.allocate, this.transactionId())
      .bytes(STUN_ATTRIBUTE.requestedTransport, Uint8Array.of(17, 0, 0, 0))
      .finish();
    return this.handle(link, request)!.text(STUN_ATTRIBUTE.nonce)!;
  }

  /** A request with credentials. */
  signed(
    link: FakeLink,
    method: number,
    write: (writer: StunWriter) => StunWriter = (writer) => writer,
    { username = 'alice', password = PASSWORDS.get(username)!, id = this.transactionId() } = {},
  ): Uint8Array {
    const nonce = this.nonce(link);
    return write(new StunWriter('request', method, id))
      .text(STUN_ATTRIBUTE.username, username)
      .text(STUN_ATTRIBUTE.realm, REALM)
      .text(STUN_ATTRIBUTE.nonce, nonce)
      .integrity('sha1', longTermKey(username, REALM, password))
      .finish();
  }

  /** Sends a request with credentials; the answer in short: `ok` or the number of the error. */
  ask(
    link: FakeLink,
    method: number,
    write?: (writer: StunWriter) => StunWriter,
    options?: Parameters<TurnLab['signed']>[3],
  ): 'ok' | number | undefined {
    const answer = this.handle(link, this.signed(link, method, write, options));
    if (answer === undefined) return undefined;
    return answer.class === 'success' ? 'ok' : answer.errorCode()!.code;
  }

  allocate(
    link: FakeLink,
    write: (writer: StunWriter) => StunWriter = (writer) => writer,
    options?: Parameters<TurnLab['signed']>[3],
  ): 'ok' | number | undefined {
    return this.ask(link, STUN_METHOD.allocate, (writer) => write(withUdp(writer)), options);
  }

  /** Asks for permissions; a name among the peers is the user's. */
  permit(link: FakeLink, ...peers: (Endpoint | string)[]): 'ok' | number | undefined {
    const username = peers.find((peer) => typeof peer === 'string') ?? 'alice';
    const write = (writer: StunWriter): StunWriter => {
      for (const peer of peers) {
        if (typeof peer !== 'string') writer.xorAddress(STUN_ATTRIBUTE.xorPeerAddress, peer);
      }
      return writer;
    };
    return this.ask(link, STUN_METHOD.createPermission, write, { username });
  }

  bindChannel(link: FakeLink, channel: number, peer: Endpoint): 'ok' | number | undefined {
    return this.ask(link, STUN_METHOD.channelBind, (writer) =>
      writer
        .bytes(STUN_ATTRIBUTE.channelNumber, Uint8Array.of(channel >>> 8, channel & 0xff, 0, 0))
        .xorAddress(STUN_ATTRIBUTE.xorPeerAddress, peer),
    );
  }

  refresh(link: FakeLink, seconds: number, username = 'alice'): 'ok' | number | undefined {
    const write = (writer: StunWriter) => writer.uint32(STUN_ATTRIBUTE.lifetime, seconds);
    return this.ask(link, STUN_METHOD.refresh, write, { username });
  }

  sendIndication(link: FakeLink, peer: Endpoint, data: Uint8Array): void {
    const writer = new StunWriter('indication', STUN_METHOD.send, this.transactionId())
      .xorAddress(STUN_ATTRIBUTE.xorPeerAddress, peer)
      .bytes(STUN_ATTRIBUTE.data, data);
    this.handle(link, writer.finish());
  }

  /** Lets time pass, as the server's owner would. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const deadline = this.server.deadline();
      if (deadline === undefined || deadline > end) break;
      this.now = Math.max(this.now, deadline);
      this.server.handleTimeout(this.now);
    }
    this.now = end;
  }

  #nextByte(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#random >>> 24;
  }
}

/** REQUESTED-TRANSPORT UDP. */
export function withUdp(writer: StunWriter): StunWriter {
  return writer.bytes(STUN_ATTRIBUTE.requestedTransport, Uint8Array.of(17, 0, 0, 0));
}
