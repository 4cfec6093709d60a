// One other member of the pool, from the moment that the server tells of it: the channel to it, what is said over it, and the files. What was
// sent while there is no channel is kept, and delivered once and in order over the next one.
import { randomBytes } from 'node:crypto';
import type { Endpoint } from '@bt/endpoint';
import type { ChannelRefusal } from '../../channel/channel-handshake.ts';
import type { Guesses } from '../../channel/guess-limit.ts';
import { LANES, type Lane } from '../../channel/lane.ts';
import { ReliableMessages, STREAM_BYTES } from '../../channel/reliable-messages.ts';
import type { PhraseKey } from '../../channel/spake2.ts';
import { type ChatFrame, decodeChatFrame, encodeChatFrame } from '../../chat/chat-frame.ts';
import { TalkRate } from '../../chat/talk-rate.ts';
import { NatPunchError } from '../../errors.ts';
import {
  FILE_STALL_MS,
  FileExchange,
  type IncomingTransfer,
  type OutgoingTransfer,
} from '../files/file-exchange.ts';
import type { Certificate } from './certificate.ts';
import { IceChannel, type TcpRelay } from './ice-channel.ts';
import type { PeerChannelOptions } from './peer-channel.ts';
import { SecureChannel } from './secure-channel.ts';

/** Messages that have come and wait for whoever reads `messages()`; then the other member has to wait. */
const MAX_INBOX = 64;
/** A file is read ahead of what the other end has taken by no more than this. */
const FILE_AHEAD_BYTES = 2 * 1024 * 1024;

const GOODBYE_MS = 250;
/** How often ICE is asked which path it uses. */
const ICE_LOOK_MS = 2000;

/** `connecting`: there is no channel now. `refused`: there will be none, see `refusal`. `closed`: it has left. */
export type PoolPeerState = 'connecting' | 'open' | 'refused' | 'closed';

/** How datagrams reach the other member. */
export interface PeerPath {
  readonly kind: 'direct' | 'relay';
  /** How it was found: `host`, `punched`, `predicted`, `birthday`, `relay-udp`, `relay-tcp`, `relay-tls`; `ice` for a browser. */
  readonly method: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Why it is this one, in half a sentence. */
  readonly reason: string;
}

/** What a `PairTransport` is to a member: datagrams over the best path that there is. */
export interface PeerTransport {
  send(datagram: Uint8Array): void;
  onDatagram: (datagram: Uint8Array) => void;
  onPath: (path: PeerPath | undefined) => void;
  close(): void;
}

export interface PoolPeerOptions {
  readonly kind: 'terminal' | 'browser';
  /** As the server told it. */
  readonly name?: string | undefined;
  /** Ours, to be told to it. */
  readonly ownName?: string | undefined;
  /** Exactly one of the two is. */
  readonly isControlling: boolean;
  /** What both sides call each of the two, alike. */
  readonly identities: { readonly own: string; readonly peer: string };
  /** The same for all members, as long as the program runs. */
  readonly certificate: Certificate;
  readonly phraseKey?: PhraseKey | undefined;
  /** Of the phrase, by this member; counted together with all members' of the pool. */
  readonly guesses?: Guesses | undefined;
  /** To the other member, through signalling. */
  signal(data: object): void;
  /** There will be no channel. */
  onRefused?(): void;
  /** To a terminal. */
  readonly transport?: PeerTransport | undefined;
  /** To a browser: what its ICE uses now, `stun:HOST:PORT`, `turn:USER:PASSWORD@HOST:PORT`, percent-encoded. */
  iceServers?(): readonly string[];
  /** To a browser: where the server is now, an IP address. */
  serverAddress?(): string;
  /** To a browser, where UDP may not get through. */
  relayOverTcp?(): TcpRelay | undefined;
}

interface LaneState {
  readonly lane: Lane;
  readonly messages: ReliableMessages;
  timer: NodeJS.Timeout | undefined;
}

interface WaitingFrame {
  readonly frame: Uint8Array;
  resolve(): void;
  reject(error: NatPunchError): void;
}

/** One other member. */
export class PoolPeer {
  readonly kind: 'terminal' | 'browser';
  onState: (() => void) | undefined;
  onName: (() => void) | undefined;
  onPath: (() => void) | undefined;
  onShortCode: (() => void) | undefined;
  /** There were too many guesses of the phrase, so that it has to wait, for ten minutes at most. */
  onPostponed: (() => void) | undefined;
  /** Without it files are refused. */
  onOffer: ((offer: IncomingTransfer) => void) | undefined;
  readonly #channel: SecureChannel | IceChannel;
  readonly #transport: PeerTransport | undefined;
  readonly #lanes: Readonly<Record<Lane, LaneState>>;
  readonly #files: FileExchange;
  readonly #rate = new TalkRate();
  readonly #inbox: (string | Uint8Array)[] = [];
  readonly #waiting: WaitingFrame[] = [];
  #wakeReader: (() => void) | undefined;
  #wakeDrained: (() => void)[] = [];
  #talkTimer: NodeJS.Timeout | undefined;
  #iceTimer: NodeJS.Timeout | undefined;
  #isReadingFiles = false;
  #name: string | undefined;
  #path: PeerPath | undefined;
  #state: PoolPeerState = 'connecting';
  #refusal: ChannelRefusal | undefined;
  #end: 'left' | 'invalid-message' | undefined;

  constructor(options: PoolPeerOptions) {
    this.kind = options.kind;
    this.#name = options.name;
    this.#transport = options.transport;
    this.#lanes = { chat: newLane('chat'), file: newLane('file') };
    const { messages } = this.#lanes.file;
    this.#files = new FileExchange({
      memberName: () => this.#name ?? '',
      send: (message) => {
        messages.send(message);
        this.#pump('file');
      },
      hasRoom: () => messages.keptBytes < FILE_AHEAD_BYTES,
      onOffer: (offer) => {
        if (this.onOffer === undefined) offer.refuse('unsupported');
        else this.onOffer(offer);
      },
    });
    if (options.ownName !== undefined) {
      this.#lanes.chat.messages.send(encodeChatFrame({ type: 'name', name: options.ownName }));
    }
    this.#channel = this.#open(options);
  }

  /** As it calls itself; not fit for a terminal. */
  get name(): string | undefined {
    return this.#name;
  }

  get state(): PoolPeerState {
    return this.#state;
  }

  /** Why there is no channel, when the state is `refused`. */
  get refusal(): ChannelRefusal | undefined {
    return this.#refusal;
  }

  /** Why it is closed: it left, or broke the protocol. */
  get closeReason(): 'left' | 'invalid-message' | undefined {
    return this.#end;
  }

  get path(): PeerPath | undefined {
    return this.#path;
  }

  /** To compare with the one that the other member sees; undefined until both ends have given their part of it, just after the first
   * channel has opened. */
  get shortCode(): string | undefined {
    return this.#channel.shortCode;
  }

  /** It has shown that it knows the phrase. */
  get isAuthenticated(): boolean {
    return this.#channel.isAuthenticated;
  }

  /** The other member said something through signalling; what is not for a channel is ignored. */
  handleSignal(data: unknown): void {
    if (this.#hasEnded()) return;
    try {
      this.#channel.handleSignal(data);
    } catch (error) {
      // A broken signal is the server's or the other member's fault, and no reason to end what works.
      if (!(error instanceof NatPunchError)) throw error;
    }
  }

  /**
   * Sends text or bytes. Resolves when it has been taken for delivery, which waits while too much is undelivered.
   *
   * @throws {NatPunchError} `closed` if the member has left, `invalid-argument` if the message is too long
   */
  send(message: string | Uint8Array): Promise<void> {
    return this.#sendFrame(
      typeof message === 'string'
        ? { type: 'text', text: message }
        : { type: 'bytes', bytes: message },
    );
  }

  /** What the other member says, until it leaves. For one reader. Strings are not fit for a terminal: see `printableText`. */
  async *messages(): AsyncGenerator<string | Uint8Array, void, undefined> {
    for (;;) {
      const message = this.#inbox.shift();
      if (message !== undefined) {
        this.#readTalk();
        yield message;
      } else if (this.#hasEnded()) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
    }
  }

  /**
   * Offers a file. Throws what the file system throws.
   *
   * @throws {NatPunchError} `closed` if the member has left, `refused` if too many are on their way
   */
  async sendFile(path: string): Promise<OutgoingTransfer> {
    if (this.#hasEnded()) throw gone();
    return await this.#files.offer(path);
  }

  /** All that was said has been taken, and all files that were sent have ended; or the member is gone. */
  async drained(): Promise<void> {
    await this.#until(() => this.#isTalkDrained() && this.#files.hasSentAll);
  }

  /**
   * Refuses the files that are on offer and not accepted, and all that are offered later. Resolves when none comes any more: those that are
   * accepted may come to their end, unless they stall for `FILE_STALL_MS`.
   */
  async takeNoMoreFiles(): Promise<void> {
    await this.#files.takeNoMore();
    // Whoever has sent one is to hear that it has been saved; but may not make us wait.
    await this.#until(() => this.#lanes.file.messages.isDrained, FILE_STALL_MS);
  }

  /** Texts and bytes that were sent and that it has not taken yet, as far as we know; our name counts as one. */
  get undeliveredMessages(): number {
    return this.#waiting.length + this.#lanes.chat.messages.keptMessages;
  }

  /** Says that we go, waits until that has been heard or `timeoutMs` have passed, and closes. */
  async leave(timeoutMs: number): Promise<void> {
    if (!this.#hasEnded()) {
      this.#sendFrame({ type: 'bye' }).catch(() => {});
      await this.#until(() => this.#isTalkDrained(), timeoutMs);
    }
    this.close();
  }

  /** The channel is of no more use: make another one, without losing anything. */
  renew(): void {
    this.#channel.renew();
  }

  /** It is gone. What it has said already can still be read. */
  close(): void {
    this.#finish('closed');
  }

  #open(options: PoolPeerOptions): SecureChannel | IceChannel {
    const { kind, transport, iceServers, serverAddress, relayOverTcp, ...rest } = options;
    const common: PeerChannelOptions = {
      ...rest,
      onOpen: () => this.#handleOpen(),
      onMessage: (lane, message) => this.#handleMessage(lane, message),
      onWritable: (lane) => this.#pump(lane),
      onClose: () => this.#handleClose(),
      onShortCode: () => this.onShortCode?.(),
      onPostponed: () => this.onPostponed?.(),
      onRefused: (reason) => {
        this.#refusal = reason;
        this.#finish('refused');
        options.onRefused?.();
      },
    };
    if (kind === 'browser') {
      return new IceChannel({
        ...common,
        iceServers: () => iceServers?.() ?? [],
        serverAddress: () => serverAddress?.() ?? '',
        relayOverTcp: () => relayOverTcp?.(),
      });
    }
    if (transport === undefined) {
      throw new NatPunchError('invalid-argument', 'a terminal needs a transport');
    }
    const channel = new SecureChannel({
      ...common,
      send: (datagram) => transport.send(datagram),
    });
    transport.onDatagram = (datagram) => channel.handleDatagram(datagram);
    transport.onPath = (path) => {
      this.#setPath(path);
      if (path !== undefined) channel.handlePath();
    };
    return channel;
  }

  #handleOpen(): void {
    for (const lane of LANES) this.#lanes[lane].messages.handleOpen();
    this.#setState('open');
    for (const lane of LANES) this.#pump(lane);
    this.#findIcePath();
  }

  #handleClose(): void {
    for (const lane of LANES) this.#lanes[lane].messages.handleClose();
    if (this.#channel instanceof IceChannel) this.#setPath(undefined);
    if (this.#state === 'open') this.#setState('connecting');
  }

  #handleMessage(lane: Lane, message: Uint8Array): void {
    if (this.#hasEnded()) return;
    const { messages } = this.#lanes[lane];
    this.#guard(() => messages.handleFrame(performance.now(), message));
    if (lane === 'chat') this.#readTalk();
    else void this.#readFiles();
    // It may have said what it has taken.
    this.#handleRoom();
    this.#pump(lane);
  }

  /** Takes what may be taken of the talk. */
  #readTalk(): void {
    const { messages } = this.#lanes.chat;
    while (this.#inbox.length < MAX_INBOX && !this.#hasEnded()) {
      const now = performance.now();
      if (!this.#rate.take(now)) {
        this.#talkTimer ??= setTimeout(() => {
          this.#talkTimer = undefined;
          this.#readTalk();
        }, this.#rate.nextAt(now) - now);
        break;
      }
      const message = messages.take(now);
      if (message === undefined) {
        this.#rate.giveBack();
        break;
      }
      this.#guard(() => this.#handleTalk(decodeChatFrame(message)));
    }
    this.#pump('chat');
  }

  #handleTalk(frame: ChatFrame): void {
    switch (frame.type) {
      case 'text':
        this.#inbox.push(frame.text);
        break;
      case 'bytes':
        this.#inbox.push(frame.bytes);
        break;
      case 'name':
        this.#name = frame.name;
        this.onName?.();
        return;
      case 'bye':
        this.#end = 'left';
        // It waits to hear that this has been taken.
        this.#pump('chat', true);
        this.#finish('closed');
        return;
    }
    this.#wakeReader?.();
    this.#wakeReader = undefined;
  }

  /** One after the other, each when the one before is on disk. */
  async #readFiles(): Promise<void> {
    if (this.#isReadingFiles) return;
    this.#isReadingFiles = true;
    try {
      for (;;) {
        const message = this.#lanes.file.messages.take(performance.now());
        if (message === undefined || this.#hasEnded()) break;
        await this.#files.handleMessage(message);
        this.#pump('file');
      }
    } catch (error) {
      this.#guard(() => {
        throw error;
      });
    } finally {
      this.#isReadingFiles = false;
    }
    this.#noteDrained();
  }

  #sendFrame(frame: ChatFrame): Promise<void> {
    if (this.#hasEnded()) return Promise.reject(gone());
    let bytes: Uint8Array;
    try {
      bytes = encodeChatFrame(frame);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ frame: bytes, resolve, reject });
      this.#handleRoom();
      this.#pump('chat');
    });
  }

  /** Takes what waits for room. */
  #handleRoom(): void {
    const { messages } = this.#lanes.chat;
    while (this.#waiting.length > 0 && messages.send(this.#waiting[0]!.frame)) {
      this.#waiting.shift()!.resolve();
    }
    this.#files.handleRoom();
    this.#noteDrained();
  }

  /** Hands over what the channel takes. */
  #pump(lane: Lane, tellsTaken = false): void {
    const state = this.#lanes[lane];
    clearTimeout(state.timer);
    state.timer = undefined;
    if (this.#hasEnded()) return;
    // What has been taken is told within a delay; not when nothing comes after it.
    const ahead = tellsTaken ? 1000 : 0;
    while (this.#channel.isWritable(lane)) {
      const frame = state.messages.poll(performance.now() + ahead);
      if (frame === undefined) break;
      this.#channel.send(lane, frame);
    }
    const deadline = state.messages.deadline();
    if (deadline === undefined) return;
    state.timer = setTimeout(() => this.#pump(lane), Math.max(0, deadline - performance.now()));
  }

  /** Ends with a member that breaks the protocol. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof NatPunchError) || error.code !== 'invalid-message') throw error;
      this.#end = 'invalid-message';
      this.#finish('closed');
    }
  }

  /** ICE tells of its choice, and of another one, only when asked. */
  #findIcePath(): void {
    clearTimeout(this.#iceTimer);
    if (!(this.#channel instanceof IceChannel) || this.#hasEnded()) return;
    this.#iceTimer = setTimeout(() => this.#findIcePath(), ICE_LOOK_MS);
    const pair = this.#channel.selectedPair;
    if (pair === undefined) return;
    const { local, remote } = pair;
    const now = this.#path;
    if (now?.local.address === local.address && now.remote.address === remote.address) return;
    const isRelayed = local.type === 'relay' || remote.type === 'relay';
    this.#setPath({
      kind: isRelayed ? 'relay' : 'direct',
      method: 'ice',
      local: { address: local.address, port: local.port },
      remote: { address: remote.address, port: remote.port },
      reason: isRelayed
        ? 'the partner is a browser, and ICE found no direct way'
        : 'the partner is a browser, and ICE found a direct way',
    });
  }

  #setPath(path: PeerPath | undefined): void {
    this.#path = path;
    this.onPath?.();
  }

  #setState(state: PoolPeerState): void {
    this.#state = state;
    this.onState?.();
  }

  #hasEnded(): boolean {
    return this.#state === 'closed' || this.#state === 'refused';
  }

  #isTalkDrained(): boolean {
    return this.#waiting.length === 0 && this.#lanes.chat.messages.isDrained;
  }

  /** Until that is so, the member is gone, or the time is over. */
  async #until(isSo: () => boolean, timeoutMs?: number): Promise<void> {
    let isOver = false;
    const end = () => {
      isOver = true;
      this.#noteDrained();
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(end, timeoutMs);
    while (!this.#hasEnded() && !isOver && !isSo()) {
      await new Promise<void>((resolve) => this.#wakeDrained.push(resolve));
    }
    clearTimeout(timer);
  }

  #noteDrained(): void {
    if (this.#wakeDrained.length === 0) return;
    for (const wake of this.#wakeDrained.splice(0)) wake();
  }

  #finish(state: 'closed' | 'refused'): void {
    if (this.#hasEnded()) return;
    for (const lane of LANES) clearTimeout(this.#lanes[lane].timer);
    clearTimeout(this.#talkTimer);
    clearTimeout(this.#iceTimer);
    this.#state = state;
    const closeChannel = () => {
      this.#channel.close();
      this.#transport?.close();
    };
    // Who says goodbye waits to hear that it was heard.
    if (this.#end === 'left') setTimeout(closeChannel, GOODBYE_MS);
    else closeChannel();
    void this.#files.close();
    for (const { reject } of this.#waiting.splice(0)) reject(gone());
    this.#wakeReader?.();
    this.#noteDrained();
    this.onState?.();
  }
}

function newLane(lane: Lane): LaneState {
  const stream = new Uint8Array(randomBytes(STREAM_BYTES));
  return { lane, messages: new ReliableMessages({ stream }), timer: undefined };
}

function gone(): NatPunchError {
  return new NatPunchError('closed', 'the other member has left');
}
