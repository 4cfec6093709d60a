// A page's stay in a pool: the WebSocket to the server that the page came from, and the partners whom it tells of.
import {
  derivePhraseKey,
  GuessLimit,
  type PhraseKey,
  pairIdentities,
  RendezvousClient,
  type RendezvousClientEvent,
  SIGNALLING_PATH,
  type WelcomeMessage,
} from '@bt/nat-punch';
import { type Identity, makeIdentity } from './browser-channel.ts';
import type { IncomingPageFile } from './page-files.ts';
import { Partner } from './partner.ts';
import { randomBytes } from './random.ts';

/** The other one is to see, too, that it was refused. */
const REJECT_MS = 1000;

export interface PagePoolOptions {
  readonly pool: string;
  readonly name: string | undefined;
  readonly phrase: string | undefined;
  onJoined(): void;
  onWaiting(ahead: number): void;
  onConnection(isUp: boolean): void;
  /** Partners have come, gone or changed. */
  onChange(partner: Partner): void;
  onText(partner: Partner, text: string): void;
  onOffer(partner: Partner, file: IncomingPageFile): void;
  /** Somebody has to wait, since there were too many wrong phrases. */
  onPostponed(): void;
  /** A sentence; nothing more happens. */
  onRefused(reason: string): void;
}

export class PagePool {
  readonly partners = new Map<string, Partner>();
  readonly #options: PagePoolOptions;
  readonly #client: RendezvousClient;
  readonly #identity: Identity;
  readonly #own: string;
  readonly #phraseKey: PhraseKey | undefined;
  readonly #guesses = new GuessLimit();
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #welcome: WelcomeMessage | undefined;

  static async join(options: PagePoolOptions): Promise<PagePool> {
    return new PagePool(options, await makeIdentity());
  }

  private constructor(options: PagePoolOptions, identity: Identity) {
    this.#options = options;
    this.#identity = identity;
    const { pool, name, phrase } = options;
    this.#phraseKey = phrase === undefined ? undefined : derivePhraseKey(phrase, pool);
    this.#own = hex(randomBytes(16));
    this.#client = new RendezvousClient({ pool, name, client: this.#own, kind: 'browser' });
    this.#run();
  }

  leave(): void {
    for (const partner of this.partners.values()) partner.leave();
    this.#client.leave();
    this.#run();
  }

  #run(): void {
    this.#client.handleTimeout(performance.now());
    this.#drain();
  }

  #drain(): void {
    for (let effect = this.#client.poll(); effect; effect = this.#client.poll()) {
      if (effect.type === 'connect') this.#connect();
      else if (effect.type === 'send') this.#socket?.send(effect.text);
      else if (effect.type === 'disconnect') this.#disconnect();
      else this.#handle(effect.event);
    }
    clearTimeout(this.#timer);
    const deadline = this.#client.deadline();
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, deadline - performance.now()));
  }

  #connect(): void {
    this.#disconnect();
    const { protocol, host } = location;
    const scheme = protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${host}${SIGNALLING_PATH}`);
    this.#socket = socket;
    const act = (what: (now: number) => void) => () => {
      if (this.#socket !== socket) return;
      what(performance.now());
      this.#drain();
    };
    socket.onopen = act((now) => this.#client.handleOpen(now));
    socket.onclose = act((now) => this.#client.handleClose(now));
    socket.onmessage = ({ data }) => act((now) => this.#client.handleMessage(now, String(data)))();
  }

  #disconnect(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #handle(event: RendezvousClientEvent): void {
    switch (event.type) {
      case 'welcome':
        this.#welcome = event;
        this.#options.onJoined();
        break;
      case 'waiting':
        this.#options.onWaiting(event.ahead);
        break;
      case 'connection':
        this.#options.onConnection(event.isUp);
        break;
      case 'refused':
        this.#options.onRefused(event.error.message);
        break;
      case 'peer':
        this.#meet(event);
        break;
      case 'signal':
        this.partners.get(event.clientTag)?.handleSignal(event.data);
        break;
      case 'peer-left': {
        const partner = this.partners.get(event.clientTag);
        // Behind a mere silence of the server the channel may live.
        if (event.reason === 'timeout' && partner?.state === 'open') break;
        partner?.close();
        this.#client.release(event.clientTag);
        break;
      }
    }
  }

  #meet(event: Extract<RendezvousClientEvent, { type: 'peer' }>): void {
    const { clientTag, isControlling, name, pairKey, seen } = event;
    this.partners.get(clientTag)?.close();
    const partner: Partner = new Partner({
      name,
      ownName: this.#options.name,
      identity: this.#identity,
      isControlling,
      identities: pairIdentities(pairKey, isControlling),
      phraseKey: this.#phraseKey,
      guesses: this.#guesses.of(seen),
      iceServers: () => this.#iceServers(),
      signal: (data) => {
        this.#client.send(
          performance.now(),
          clientTag,
          data as { readonly [field: string]: unknown },
        );
        this.#drain();
      },
      onChange: () => {
        if (partner.state === 'refused' || partner.state === 'closed') {
          if (this.partners.get(clientTag) === partner) this.partners.delete(clientTag);
        }
        if (partner.state === 'refused') setTimeout(() => this.#reject(clientTag), REJECT_MS);
        this.#options.onChange(partner);
      },
      onText: (text) => this.#options.onText(partner, text),
      onOffer: (file) => this.#options.onOffer(partner, file),
      onPostponed: () => this.#options.onPostponed(),
    });
    this.partners.set(clientTag, partner);
    this.#options.onChange(partner);
  }

  /** Somebody without the phrase is to keep nobody waiting. */
  #reject(clientTag: string): void {
    if (this.partners.has(clientTag)) return;
    this.#client.reject(clientTag);
    this.#drain();
  }

  #iceServers(): RTCIceServer[] {
    const welcome = this.#welcome;
    if (welcome === undefined) return [];
    const { hostname } = location;
    const { username, password: credential } = welcome.credentials;
    const { stun, turn, tls } = welcome.ports;
    return [
      { urls: `stun:${hostname}:${stun[0] ?? turn}` },
      {
        urls: [
          `turn:${hostname}:${turn}?transport=udp`,
          `turn:${hostname}:${turn}?transport=tcp`,
          ...(tls ? [`turns:${hostname}:${turn}?transport=tcp`] : []),
        ],
        username,
        credential,
      },
    ];
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
