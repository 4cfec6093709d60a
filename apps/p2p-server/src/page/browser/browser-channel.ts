// The channel to one member from a browser: plain WebRTC, made anew through signalling whenever it has died. The same agreement on keys as
// between terminals (`ChannelHandshake`), so that the phrase and the short code mean the same here.
import {
  ChannelHandshake,
  type ChannelRefusal,
  describePeer,
  FIRST_RETRY_MS,
  type Guesses,
  type HandshakeEffect,
  HIGH_WATER_BYTES,
  LANES,
  type Lane,
  LOW_WATER_BYTES,
  MAX_RETRY_MS,
  type PhraseKey,
  readOwnOffer,
  ShortCodeExchange,
} from '@bt/nat-punch';
import { randomBytes } from './random.ts';

/** A connection that ICE calls disconnected may come back by itself. */
const PATIENCE_MS = 2500;

/** What a page is known by as long as it is open. */
export interface Identity {
  readonly certificate: RTCCertificate;
  readonly fingerprint: Uint8Array;
}

export interface BrowserChannelOptions {
  readonly identity: Identity;
  readonly isControlling: boolean;
  readonly identities: { readonly own: string; readonly peer: string };
  readonly phraseKey: PhraseKey | undefined;
  readonly guesses: Guesses;
  iceServers(): RTCIceServer[];
  signal(data: object): void;
  onOpen(): void;
  onMessage(lane: Lane, message: Uint8Array): void;
  onWritable(lane: Lane): void;
  onClose(): void;
  /** The short code is there. */
  onShortCode(): void;
  /** There were too many guesses of the phrase: it has to wait. */
  onPostponed(): void;
  onRefused(reason: ChannelRefusal): void;
}

type Bound = Extract<HandshakeEffect, { type: 'bound' }>;

interface Attempt {
  connection: RTCPeerConnection | undefined;
  channels: readonly RTCDataChannel[];
  mid: string;
  bound: Bound | undefined;
  isTrusted: boolean;
  isConnected: boolean;
  isOpen: boolean;
  readonly candidates: string[];
  patience: ReturnType<typeof setTimeout> | undefined;
}

/** A certificate, and its fingerprint as the offers of a connection with it say it. */
export async function makeIdentity(): Promise<Identity> {
  const certificate = await RTCPeerConnection.generateCertificate({
    name: 'ECDSA',
    namedCurve: 'P-256',
  } as AlgorithmIdentifier);
  const connection = new RTCPeerConnection({ certificates: [certificate] });
  connection.createDataChannel('');
  const offer = readOwnOffer((await connection.createOffer()).sdp ?? '');
  connection.close();
  if (offer === undefined) throw new Error('this browser makes no offer that can be read');
  return { certificate, fingerprint: offer.fingerprint };
}

/** An ordered, reliable, end-to-end encrypted channel to one member. */
export class BrowserChannel {
  readonly #options: BrowserChannelOptions;
  readonly #handshake: ChannelHandshake;
  readonly #shortCode: ShortCodeExchange;
  #attempt: Attempt | undefined;
  #retryMs = FIRST_RETRY_MS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: BrowserChannelOptions) {
    this.#options = options;
    this.#handshake = new ChannelHandshake({
      isControlling: options.isControlling,
      identities: options.identities,
      fingerprint: options.identity.fingerprint,
      phraseKey: options.phraseKey,
      guesses: options.guesses,
    });
    this.#shortCode = new ShortCodeExchange({
      fingerprint: options.identity.fingerprint,
      randomBytes,
    });
    void this.#begin();
  }

  get isAuthenticated(): boolean {
    return this.#handshake.isAuthenticated;
  }

  get shortCode(): string | undefined {
    return this.#shortCode.code;
  }

  handleSignal(data: unknown): void {
    if (this.#isClosed) return;
    try {
      this.#handshake.handleSignal(performance.now(), data);
    } catch {
      // Nothing that a channel knows.
      return;
    }
    this.#drain();
  }

  isWritable(lane: Lane): boolean {
    const channel = this.#channel(lane);
    return channel !== undefined && channel.bufferedAmount < HIGH_WATER_BYTES;
  }

  send(lane: Lane, message: Uint8Array<ArrayBuffer>): void {
    try {
      this.#channel(lane)?.send(message);
    } catch {
      this.renew();
    }
  }

  renew(): void {
    if (this.#attempt !== undefined) this.#died(this.#attempt);
  }

  /** `relay` or `direct`, as far as the browser tells. */
  async pathKind(): Promise<'direct' | 'relay' | undefined> {
    const stats = await this.#attempt?.connection?.getStats();
    const all = [...(stats?.values() ?? [])];
    const transport = all.find(({ type }) => type === 'transport');
    const pair = all.find(({ id }) => id === transport?.selectedCandidatePairId);
    if (pair === undefined) return undefined;
    const types = all
      .filter(({ id }) => id === pair.localCandidateId || id === pair.remoteCandidateId)
      .map(({ candidateType }) => candidateType);
    return types.includes('relay') ? 'relay' : 'direct';
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#timer);
    this.#handshake.end();
    this.#drop();
  }

  #channel(lane: Lane): RTCDataChannel | undefined {
    const attempt = this.#attempt;
    return attempt?.isOpen === true ? attempt.channels[LANES.indexOf(lane)] : undefined;
  }

  async #begin(): Promise<void> {
    clearTimeout(this.#retry);
    const attempt: Attempt = {
      connection: undefined,
      channels: [],
      mid: '0',
      bound: undefined,
      isTrusted: false,
      isConnected: false,
      isOpen: false,
      candidates: [],
      patience: undefined,
    };
    this.#attempt = attempt;
    try {
      await this.#open(attempt);
    } catch {
      // Browsers have no more than so many connections; there may be room later.
      this.#died(attempt);
    }
  }

  async #open(attempt: Attempt): Promise<void> {
    const connection = new RTCPeerConnection({
      iceServers: this.#options.iceServers(),
      certificates: [this.#options.identity.certificate],
    });
    attempt.connection = connection;
    attempt.channels = LANES.map((label, id) =>
      connection.createDataChannel(label, { negotiated: true, id }),
    );
    this.#listen(attempt, connection);
    const { sdp = '' } = await connection.createOffer();
    if (this.#attempt !== attempt) return;
    const offer = readOwnOffer(sdp);
    if (offer === undefined) throw new Error('the offer can not be read');
    attempt.mid = offer.mid;
    this.#handshake.begin(performance.now(), { randomBytes: randomBytes(40), ice: offer.ice });
    // Candidates come from here on.
    await connection.setLocalDescription({ type: 'offer', sdp });
    this.#drain();
  }

  #listen(attempt: Attempt, connection: RTCPeerConnection): void {
    connection.onicecandidate = ({ candidate }) => {
      if (this.#attempt !== attempt || candidate === null || candidate.candidate === '') return;
      this.#handshake.addCandidate(candidate.candidate);
      this.#drain();
    };
    connection.onconnectionstatechange = () => {
      clearTimeout(attempt.patience);
      const state = connection.connectionState;
      if (state === 'failed' || state === 'closed') this.#died(attempt);
      else if (state === 'disconnected') {
        attempt.patience = setTimeout(() => this.#died(attempt), PATIENCE_MS);
      }
    };
    for (const [index, channel] of attempt.channels.entries()) {
      const lane = LANES[index]!;
      channel.binaryType = 'arraybuffer';
      channel.bufferedAmountLowThreshold = LOW_WATER_BYTES;
      channel.onopen = () => this.#opened(attempt);
      channel.onclose = () => this.#died(attempt);
      channel.onbufferedamountlow = () => {
        if (this.#attempt === attempt && attempt.isOpen) this.#options.onWritable(lane);
      };
      channel.onmessage = ({ data }) => {
        if (this.#attempt !== attempt || !(data instanceof ArrayBuffer)) return;
        this.#opened(attempt, true);
        const bytes = new Uint8Array(data);
        if (lane === 'chat' && this.#handleShortCode(bytes)) return;
        this.#options.onMessage(lane, bytes);
      };
    }
  }

  #connect(attempt: Attempt): void {
    const { bound, connection, mid } = attempt;
    // The browser has to have its own offer before it takes what stands for the answer.
    if (connection === undefined || bound?.ice === undefined || !attempt.isTrusted) return;
    if (connection.signalingState === 'stable' && !attempt.isConnected) return;
    if (!attempt.isConnected) {
      attempt.isConnected = true;
      const sdp = describePeer({
        fingerprint: bound.fingerprint,
        ice: bound.ice,
        isDtlsClient: !this.#options.isControlling,
        mid,
      });
      connection.setRemoteDescription({ type: 'answer', sdp }).catch(() => this.#died(attempt));
    }
    for (const candidate of attempt.candidates.splice(0)) {
      connection.addIceCandidate({ candidate, sdpMid: mid }).catch(() => {});
    }
  }

  #opened(attempt: Attempt, hasMessage = false): void {
    if (this.#attempt !== attempt || attempt.isOpen) return;
    const isReady = attempt.channels.every(({ readyState }) => readyState === 'open');
    if (!hasMessage && !isReady) return;
    attempt.isOpen = true;
    this.#retryMs = FIRST_RETRY_MS;
    this.#handshake.handleOpen();
    this.#schedule();
    this.#shortCode.handleOpen(attempt.bound!.fingerprint);
    this.#sayShortCode();
    this.#options.onOpen();
  }

  /** False: the frame is none of the short code's. */
  #handleShortCode(frame: Uint8Array): boolean {
    const before = this.#shortCode.code;
    try {
      if (!this.#shortCode.handleFrame(frame)) return false;
    } catch {
      // It breaks the protocol.
      this.#refuse('wrong-commitment');
      return true;
    }
    this.#sayShortCode();
    if (this.#shortCode.code !== before) this.#options.onShortCode();
    return true;
  }

  #sayShortCode(): void {
    for (let frame = this.#shortCode.poll(); frame; frame = this.#shortCode.poll()) {
      this.send('chat', frame as Uint8Array<ArrayBuffer>);
    }
  }

  #refuse(reason: ChannelRefusal): void {
    this.close();
    this.#options.onRefused(reason);
  }

  #died(attempt: Attempt): void {
    if (this.#attempt !== attempt || this.#isClosed) return;
    this.#handshake.end();
    this.#drop();
    this.#retry = setTimeout(() => void this.#begin(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }

  #drop(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (attempt === undefined) return;
    clearTimeout(attempt.patience);
    attempt.connection?.close();
    if (attempt.isOpen) this.#options.onClose();
  }

  #drain(): void {
    for (let effect = this.#handshake.poll(); effect; effect = this.#handshake.poll()) {
      const attempt = this.#attempt;
      if (effect.type === 'signal') this.#options.signal(effect.data);
      else if (effect.type === 'superseded') {
        this.#drop();
        void this.#begin();
      } else if (effect.type === 'wanted') {
        if (attempt === undefined && !this.#isClosed) void this.#begin();
      } else if (effect.type === 'postponed') {
        this.#options.onPostponed();
      } else if (effect.type === 'refused') {
        this.#refuse(effect.reason);
      } else if (attempt === undefined) continue;
      else if (effect.type === 'bound') attempt.bound = effect;
      else if (effect.type === 'candidate') attempt.candidates.push(effect.candidate);
      else attempt.isTrusted = true;
    }
    if (this.#attempt !== undefined) this.#connect(this.#attempt);
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
