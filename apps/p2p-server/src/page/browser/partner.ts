// One other member, seen from a page: what is said to it is kept while there is no channel, and delivered once and in order.
import {
  type ChannelRefusal,
  type ChatFrame,
  decodeChatFrame,
  encodeChatFrame,
  type Guesses,
  LANES,
  type Lane,
  type PhraseKey,
  ReliableMessages,
  TalkRate,
} from '@bt/nat-punch';
import { BrowserChannel, type Identity } from './browser-channel.ts';
import { type IncomingPageFile, type PageFile, PageFiles } from './page-files.ts';
import { randomBytes } from './random.ts';

/** A file is read ahead of what the other end has taken by no more than this. */
const FILE_AHEAD_BYTES = 2 * 1024 * 1024;

export interface PartnerOptions {
  readonly name: string | undefined;
  readonly ownName: string | undefined;
  readonly identity: Identity;
  readonly isControlling: boolean;
  readonly identities: { readonly own: string; readonly peer: string };
  readonly phraseKey: PhraseKey | undefined;
  readonly guesses: Guesses;
  iceServers(): RTCIceServer[];
  signal(data: object): void;
  /** Its name or its state is another. */
  onChange(): void;
  onText(text: string): void;
  onOffer(file: IncomingPageFile): void;
  onPostponed(): void;
}

export class Partner {
  name: string | undefined;
  state: 'connecting' | 'open' | 'refused' | 'closed' = 'connecting';
  /** There has been a channel. */
  wasOpen = false;
  refusal: ChannelRefusal | undefined;
  readonly #options: PartnerOptions;
  readonly #channel: BrowserChannel;
  readonly #lanes: Readonly<Record<Lane, ReliableMessages>>;
  readonly #timers = new Map<Lane, ReturnType<typeof setTimeout>>();
  readonly #files: PageFiles;
  readonly #rate = new TalkRate();
  #talkTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PartnerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#lanes = { chat: newLane(), file: newLane() };
    const { file } = this.#lanes;
    this.#files = new PageFiles({
      send: (message) => {
        file.send(message);
        this.#pump('file');
      },
      hasRoom: () => file.keptBytes < FILE_AHEAD_BYTES,
      onOffer: (offer) => options.onOffer(offer),
    });
    if (options.ownName !== undefined) this.#send({ type: 'name', name: options.ownName });
    this.#channel = new BrowserChannel({
      ...options,
      onOpen: () => {
        for (const lane of LANES) this.#lanes[lane].handleOpen();
        this.#setState('open');
        for (const lane of LANES) this.#pump(lane);
      },
      onMessage: (lane, message) => this.#handleMessage(lane, message),
      onWritable: (lane) => this.#pump(lane),
      onClose: () => {
        for (const lane of LANES) this.#lanes[lane].handleClose();
        if (this.state === 'open') this.#setState('connecting');
      },
      onShortCode: () => options.onChange(),
      onRefused: (reason) => {
        this.refusal = reason;
        this.#end('refused');
      },
    });
  }

  get shortCode(): string | undefined {
    return this.#channel.shortCode;
  }

  get isAuthenticated(): boolean {
    return this.#channel.isAuthenticated;
  }

  pathKind(): Promise<'direct' | 'relay' | undefined> {
    return this.#channel.pathKind();
  }

  handleSignal(data: unknown): void {
    this.#channel.handleSignal(data);
  }

  /** False: so much is undelivered that it has no room. */
  say(text: string): boolean {
    return this.#send({ type: 'text', text });
  }

  /** Undefined when too many are on their way. */
  sendFile(source: File): PageFile | undefined {
    return this.#files.offer(source);
  }

  /** We go. */
  leave(): void {
    this.#send({ type: 'bye' });
    this.close();
  }

  close(): void {
    this.#end('closed');
  }

  #send(frame: ChatFrame): boolean {
    const isKept = this.#lanes.chat.send(encodeChatFrame(frame));
    // Not before the channel is made.
    if (this.state === 'open') this.#pump('chat');
    return isKept;
  }

  #handleMessage(lane: Lane, message: Uint8Array): void {
    try {
      this.#lanes[lane].handleFrame(performance.now(), message);
      if (lane === 'chat') this.#readTalk();
      else this.#readFiles();
    } catch {
      // It breaks the protocol.
      this.#end('closed');
      return;
    }
    this.#pump(lane);
  }

  #readTalk(): void {
    for (;;) {
      const now = performance.now();
      if (!this.#rate.take(now)) {
        clearTimeout(this.#talkTimer);
        this.#talkTimer = setTimeout(() => this.#readTalk(), this.#rate.nextAt(now) - now);
        break;
      }
      const message = this.#lanes.chat.take(now);
      if (message === undefined) {
        this.#rate.giveBack();
        break;
      }
      const frame = decodeChatFrame(message);
      if (frame.type === 'text') this.#options.onText(frame.text);
      else if (frame.type === 'name') {
        this.name = frame.name;
        this.#options.onChange();
      } else if (frame.type === 'bye') {
        this.#pump('chat', true);
        this.#end('closed');
        return;
      }
    }
    this.#pump('chat');
  }

  #readFiles(): void {
    const { file } = this.#lanes;
    for (let next = file.take(performance.now()); next; next = file.take(performance.now())) {
      this.#files.handleMessage(next);
    }
    // It may have said what it has taken.
    this.#files.handleRoom();
  }

  #pump(lane: Lane, tellsTaken = false): void {
    clearTimeout(this.#timers.get(lane));
    if (this.state !== 'open') return;
    const messages = this.#lanes[lane];
    const ahead = tellsTaken ? 1000 : 0;
    while (this.#channel.isWritable(lane)) {
      const frame = messages.poll(performance.now() + ahead);
      if (frame === undefined) break;
      this.#channel.send(lane, frame as Uint8Array<ArrayBuffer>);
    }
    const deadline = messages.deadline();
    if (deadline === undefined) return;
    const wait = Math.max(0, deadline - performance.now());
    this.#timers.set(
      lane,
      setTimeout(() => this.#pump(lane), wait),
    );
  }

  #setState(state: 'connecting' | 'open'): void {
    this.state = state;
    if (state === 'open') this.wasOpen = true;
    this.#options.onChange();
  }

  #end(state: 'refused' | 'closed'): void {
    if (this.state === 'refused' || this.state === 'closed') return;
    this.state = state;
    clearTimeout(this.#talkTimer);
    this.#files.close();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    // Who says goodbye waits to hear that it was heard; and ours may still be on its way.
    setTimeout(() => this.#channel.close(), 250);
    this.#options.onChange();
  }
}

function newLane(): ReliableMessages {
  return new ReliableMessages({ stream: randomBytes(8) });
}
