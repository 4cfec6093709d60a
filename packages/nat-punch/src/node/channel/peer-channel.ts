// The encrypted channel to one member (DTLS and SCTP of node-datachannel), made anew whenever it has died. What carries its datagrams is a
// `ChannelRoute`: a path of ours through a forwarder (`secure-channel.ts`), or ICE from end to end (`ice-channel.ts`).
import { randomBytes } from 'node:crypto';
import type { DataChannel, PeerConnection, RtcConfig } from 'node-datachannel';
import {
  ChannelHandshake,
  type ChannelRefusal,
  type ChannelSignal,
  type HandshakeEffect,
  type IceCredentials,
} from '../../channel/channel-handshake.ts';
import type { Guesses } from '../../channel/guess-limit.ts';
import {
  FIRST_RETRY_MS,
  HIGH_WATER_BYTES,
  LANES,
  type Lane,
  LOW_WATER_BYTES,
  MAX_RETRY_MS,
} from '../../channel/lane.ts';
import { describePeer } from '../../channel/peer-description.ts';
import { ShortCodeExchange } from '../../channel/short-code.ts';
import type { PhraseKey } from '../../channel/spake2.ts';
import { NatPunchError } from '../../errors.ts';
import type { Certificate } from './certificate.ts';
import { closePeerConnection, openPeerConnection } from './peer-connections.ts';

/** A channel that was open for so long is followed by another at once. */
const STABLE_MS = 5000;
/** Rounds of the other side that are followed at once though none of them opens; the next ones wait longer and longer. */
const MAX_PROMPT_ROUNDS = 4;

export interface PeerChannelOptions {
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
  signal(data: ChannelSignal): void;
  /** All lanes are open; nothing was sent over them yet. */
  onOpen(): void;
  onMessage(lane: Lane, message: Uint8Array): void;
  /** The lane takes more. */
  onWritable(lane: Lane): void;
  /** It was open, and is no more; another one will be made. */
  onClose(): void;
  /** The short code is there. */
  onShortCode?(): void;
  /** There were too many guesses of the phrase: it has to wait. */
  onPostponed?(): void;
  /** There will be no channel with this member. */
  onRefused(reason: ChannelRefusal): void;
}

/** What lies between the two PeerConnections. */
export interface ChannelRoute {
  readonly config: Partial<RtcConfig>;
  /** The other end as our ICE is to see it. */
  remote(bound: { readonly ice: IceCredentials | undefined }):
    | {
        readonly ice: IceCredentials;
        readonly isIceLite: boolean;
        readonly candidates: readonly string[];
      }
    | undefined;
  /** What our ICE is given of a candidate of the other end, which it would look up and check as it is. */
  candidate?(line: string): string | undefined;
  /** The other end is trusted: from here on datagrams may go. */
  open(): void;
  /** Where we carry the datagrams: one came over the path. */
  handleDatagram?(datagram: Uint8Array): void;
  /** There is a path, or another one. */
  handlePath?(): void;
  /** The channel is open. */
  handleOpen?(connection: PeerConnection): void;
  close(): void;
}

export interface ChannelRouteSource {
  /** Is ICE done between the two ends? Then it begins only when the other end is trusted. */
  readonly isIceEndToEnd: boolean;
  open(): Promise<ChannelRoute>;
}

type Bound = Extract<HandshakeEffect, { type: 'bound' }>;

/** One try at a channel, of one round of the handshake. */
interface Attempt {
  route?: ChannelRoute;
  connection?: PeerConnection;
  channels: readonly DataChannel[];
  bound?: Bound;
  isTrusted: boolean;
  isConnected: boolean;
  candidates: string[];
  openedAt?: number;
}

/** An ordered, reliable, end-to-end encrypted channel to one member. */
export class PeerChannel {
  readonly #options: PeerChannelOptions;
  readonly #source: ChannelRouteSource;
  readonly #handshake: ChannelHandshake;
  readonly #shortCode: ShortCodeExchange;
  #attempt: Attempt | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  /** Rounds that were begun at the other side's word since a channel was open. */
  #followed = 0;
  #isClosed = false;

  constructor(options: PeerChannelOptions, source: ChannelRouteSource) {
    this.#options = options;
    this.#source = source;
    this.#handshake = new ChannelHandshake({
      isControlling: options.isControlling,
      identities: options.identities,
      fingerprint: options.certificate.fingerprint,
      phraseKey: options.phraseKey,
      guesses: options.guesses,
    });
    this.#shortCode = new ShortCodeExchange({
      fingerprint: options.certificate.fingerprint,
      randomBytes: (lengthBytes) => new Uint8Array(randomBytes(lengthBytes)),
    });
    this.#begin();
  }

  get isOpen(): boolean {
    return this.#attempt?.openedAt !== undefined;
  }

  /** The other side has shown that it knows the phrase. */
  get isAuthenticated(): boolean {
    return this.#handshake.isAuthenticated;
  }

  /** To compare with the other side's; undefined until both have revealed what it is made of, just after the first channel has opened. */
  get shortCode(): string | undefined {
    return this.#shortCode.code;
  }

  /** The route that there is now. */
  protected get route(): ChannelRoute | undefined {
    return this.#attempt?.route;
  }

  /** The connection that carries the channel; undefined until it is open. */
  protected get connection(): PeerConnection | undefined {
    return this.isOpen ? this.#attempt?.connection : undefined;
  }

  /**
   * What the other member said through signalling.
   *
   * @throws {NatPunchError} `invalid-message` if it is nothing that a channel knows
   */
  handleSignal(data: unknown): void {
    if (this.#isClosed) return;
    this.#handshake.handleSignal(performance.now(), data);
    this.#drain();
  }

  isWritable(lane: Lane): boolean {
    const channel = this.isOpen ? this.#channel(lane) : undefined;
    return channel !== undefined && channel.bufferedAmount() < HIGH_WATER_BYTES;
  }

  /** Call while `isWritable`; a message goes nowhere if the channel is not open. */
  send(lane: Lane, message: Uint8Array): void {
    const attempt = this.#attempt;
    const channel = this.isOpen ? this.#channel(lane) : undefined;
    if (attempt !== undefined && channel !== undefined) this.#sendOver(attempt, channel, message);
  }

  #sendOver(attempt: Attempt, channel: DataChannel, message: Uint8Array): void {
    try {
      channel.sendMessageBinary(
        Buffer.from(message.buffer, message.byteOffset, message.byteLength),
      );
    } catch {
      this.#died(attempt);
    }
  }

  /** The channel is of no more use, what it carries breaks a rule or nothing comes: make another one. */
  renew(): void {
    if (this.#attempt !== undefined) this.#died(this.#attempt);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#timer);
    this.#handshake.end();
    this.#drop();
  }

  #channel(lane: Lane): DataChannel | undefined {
    return this.#attempt?.channels[LANES.indexOf(lane)];
  }

  #begin(): void {
    clearTimeout(this.#retry);
    const attempt: Attempt = {
      channels: [],
      isTrusted: false,
      isConnected: false,
      candidates: [],
    };
    this.#attempt = attempt;
    // Known before ICE has begun, so that nothing waits for it.
    const ice = {
      ufrag: randomBytes(4).toString('hex'),
      password: randomBytes(16).toString('hex'),
    };
    this.#handshake.begin(performance.now(), {
      randomBytes: randomBytes(40),
      ice: this.#source.isIceEndToEnd ? ice : undefined,
    });
    void this.#open(attempt, ice);
    this.#drain();
  }

  async #open(attempt: Attempt, ice: IceCredentials): Promise<void> {
    let route: ChannelRoute;
    try {
      route = await this.#source.open();
    } catch {
      this.#died(attempt);
      return;
    }
    if (this.#attempt !== attempt) {
      route.close();
      return;
    }
    attempt.route = route;
    try {
      this.#makeConnection(attempt, route, ice);
      this.#connect(attempt);
    } catch {
      // What node-datachannel throws is a text about its own inside.
      this.#died(attempt);
    }
  }

  #makeConnection(attempt: Attempt, route: ChannelRoute, ice: IceCredentials): void {
    const { certificate } = this.#options;
    const { connection, channels } = openPeerConnection(
      {
        iceServers: [],
        ...route.config,
        disableAutoNegotiation: true,
        certificatePemFile: certificate.certificate,
        keyPemFile: certificate.key,
      },
      LANES,
    );
    attempt.connection = connection;
    attempt.channels = channels;
    this.#listen(attempt, connection, channels);
    connection.setLocalDescription('offer', { iceUfrag: ice.ufrag, icePwd: ice.password });
  }

  #listen(attempt: Attempt, connection: PeerConnection, channels: readonly DataChannel[]): void {
    connection.onStateChange((state) => {
      if (state === 'failed' || state === 'closed' || state === 'disconnected') this.#died(attempt);
    });
    connection.onLocalCandidate((candidate) => {
      if (this.#attempt !== attempt || !this.#source.isIceEndToEnd) return;
      this.#handshake.addCandidate(candidate.replace(/^a=/, ''));
      this.#drain();
    });
    for (const [index, channel] of channels.entries()) {
      const lane = LANES[index]!;
      channel.setBufferedAmountLowThreshold(LOW_WATER_BYTES);
      channel.onOpen(() => this.#opened(attempt));
      channel.onClosed(() => this.#died(attempt));
      channel.onBufferedAmountLow(() => {
        if (this.#attempt === attempt && this.isOpen) this.#options.onWritable(lane);
      });
      channel.onMessage((message) => {
        // Text is nothing that we send.
        if (this.#attempt !== attempt || typeof message === 'string') return;
        // The other end's lanes may open, and speak, before both of ours have said so.
        this.#opened(attempt, true);
        const bytes = new Uint8Array(message);
        if (lane === 'chat' && this.#handleShortCode(attempt, bytes)) return;
        this.#options.onMessage(lane, bytes);
      });
    }
  }

  /** As soon as our connection and the other end are there. */
  #connect(attempt: Attempt): void {
    const { bound, connection, route } = attempt;
    if (bound === undefined || connection === undefined || route === undefined) return;
    if (!attempt.isTrusted && this.#source.isIceEndToEnd) return;
    if (!attempt.isConnected) {
      attempt.isConnected = true;
      const remote = route.remote(bound);
      // Who runs no ICE of its own can't be reached by ours.
      if (remote === undefined) return;
      connection.setRemoteDescription(
        describePeer({
          ...remote,
          fingerprint: bound.fingerprint,
          isDtlsClient: !this.#options.isControlling,
        }),
        'answer',
      );
    }
    for (const line of attempt.candidates.splice(0)) {
      const candidate = route.candidate?.(line);
      if (candidate === undefined) continue;
      try {
        connection.addRemoteCandidate(candidate, '0');
      } catch {
        // Not one that it can read.
      }
    }
    if (attempt.isTrusted) route.open();
  }

  #opened(attempt: Attempt, hasMessage = false): void {
    if (this.#attempt !== attempt || attempt.openedAt !== undefined) return;
    if (!hasMessage && !attempt.channels.every((channel) => channel.isOpen())) return;
    attempt.openedAt = performance.now();
    this.#followed = 0;
    if (attempt.connection !== undefined) attempt.route?.handleOpen?.(attempt.connection);
    this.#handshake.handleOpen();
    this.#schedule();
    this.#shortCode.handleOpen(attempt.bound!.fingerprint);
    this.#sayShortCode(attempt);
    this.#options.onOpen();
  }

  /** False: the frame is none of the short code's. */
  #handleShortCode(attempt: Attempt, frame: Uint8Array): boolean {
    const before = this.#shortCode.code;
    try {
      if (!this.#shortCode.handleFrame(frame)) return false;
    } catch (error) {
      if (!(error instanceof NatPunchError)) throw error;
      this.#refuse('wrong-commitment');
      return true;
    }
    this.#sayShortCode(attempt);
    if (this.#shortCode.code !== before) this.#options.onShortCode?.();
    return true;
  }

  /** A few small frames, which wait for no room. */
  #sayShortCode(attempt: Attempt): void {
    const channel = attempt.channels[LANES.indexOf('chat')];
    if (channel === undefined) return;
    for (let frame = this.#shortCode.poll(); frame; frame = this.#shortCode.poll()) {
      this.#sendOver(attempt, channel, frame);
    }
  }

  #refuse(reason: ChannelRefusal): void {
    this.close();
    this.#options.onRefused(reason);
  }

  #died(attempt: Attempt): void {
    if (this.#attempt !== attempt || this.#isClosed) return;
    const openedAt = attempt.openedAt;
    this.#handshake.end();
    this.#drop();
    if (openedAt !== undefined && performance.now() - openedAt > STABLE_MS) {
      this.#retryMs = FIRST_RETRY_MS;
      this.#begin();
      return;
    }
    this.#beginLater();
  }

  #beginLater(): void {
    this.#retry = setTimeout(() => this.#begin(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    this.#schedule();
  }

  /** Whether a round of the other side is followed at once: it may say so again and again, and no channel comes of that. */
  #mayFollow(): boolean {
    if (this.#followed >= MAX_PROMPT_ROUNDS) return false;
    this.#followed += 1;
    return true;
  }

  #drop(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (attempt === undefined) return;
    attempt.route?.close();
    if (attempt.connection !== undefined) closePeerConnection(attempt.connection);
    if (attempt.openedAt !== undefined) this.#options.onClose();
  }

  #drain(): void {
    for (let effect = this.#handshake.poll(); effect; effect = this.#handshake.poll()) {
      const attempt = this.#attempt;
      switch (effect.type) {
        case 'signal':
          this.#options.signal(effect.data);
          break;
        case 'superseded':
          this.#drop();
          if (this.#mayFollow()) this.#begin();
          else this.#beginLater();
          break;
        case 'wanted':
          if (attempt === undefined && !this.#isClosed && this.#mayFollow()) this.#begin();
          break;
        case 'postponed':
          this.#options.onPostponed?.();
          break;
        case 'refused':
          this.#refuse(effect.reason);
          break;
        case 'bound':
          if (attempt !== undefined) attempt.bound = effect;
          break;
        case 'candidate':
          attempt?.candidates.push(effect.candidate);
          break;
        case 'trusted':
          if (attempt !== undefined) attempt.isTrusted = true;
      }
    }
    const attempt = this.#attempt;
    try {
      if (attempt !== undefined) this.#connect(attempt);
    } catch {
      // The other end said something that ICE can't use.
      if (attempt !== undefined) this.#died(attempt);
    }
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const deadline = this.#handshake.deadline();
    if (deadline === undefined || this.#isClosed) return;
    this.#timer = setTimeout(
      () => {
        this.#handshake.handleTimeout(performance.now());
        this.#drain();
      },
      Math.max(0, deadline - performance.now()),
    );
  }
}
