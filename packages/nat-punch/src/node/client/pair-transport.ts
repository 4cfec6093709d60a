// Datagrams between the two members of a pair over the best path that there is: joins the machine (puncher.ts) with a pair's sockets.
import { randomBytes } from 'node:crypto';
import type { PathDescription } from '../../path/path.ts';
import { Puncher } from '../../path/puncher.ts';
import type { PuncherEffect } from '../../path/puncher-options.ts';
import type { Gatherer } from './gatherer.ts';
import type { PairSockets } from './pair-sockets.ts';
import { Wakeup } from './wakeup.ts';

export interface PairTransportOptions {
  /** Whose sockets are used. */
  readonly gatherer: Gatherer;
  /** 32 bytes that only the two members and the server know. */
  readonly pairKey: Uint8Array;
  /** Of two sides exactly one is. */
  readonly isControlling: boolean;
  /** IP addresses that the server has seen the peer send from. */
  readonly peerSeen: readonly string[];
  readonly startInMs?: number;
  /** To the peer, through signalling: it has to come through once and in order. False when it was dropped, and has to be said again. */
  signal(data: object): boolean;
}

export class PairTransport {
  /** A datagram of the peer: a view, good until this returns. */
  onDatagram: (datagram: Uint8Array) => void = () => {};
  /** There is another path, or none. */
  onPath: (path: PathDescription | undefined) => void = () => {};
  readonly #options: PairTransportOptions;
  readonly #sockets: PairSockets;
  readonly #puncher: Puncher;
  readonly #wakeup: Wakeup;
  #path: PathDescription | undefined;
  #isDraining = false;
  #isClosed = false;

  constructor(options: PairTransportOptions) {
    this.#options = options;
    const { gatherer, pairKey, isControlling, peerSeen } = options;
    this.#sockets = gatherer.take();
    const { serverAddress } = gatherer;
    this.#puncher = new Puncher(performance.now(), {
      pairKey,
      isControlling,
      peerSeen,
      startInMs: options.startInMs ?? 0,
      serverAddresses: [serverAddress],
      allowLoopback: serverAddress === '::1' || serverAddress.startsWith('127.'),
      random: Math.random,
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
    });
    this.#wakeup = new Wakeup(() => this.#call((now) => this.#puncher.handleTimeout(now)));
    this.#sockets.isInUse = (id) => this.#puncher.isInUse(performance.now(), id);
    this.#sockets.onChange = () => this.#setLocal();
    this.#sockets.onDatagram = (socketId, from, bytes) => {
      if (this.#isClosed) return;
      if (this.#puncher.handleDatagram(performance.now(), socketId, from, bytes)) {
        this.onDatagram(bytes);
      } else {
        this.#drain();
      }
    };
    // The caller sets its callbacks first.
    queueMicrotask(() => {
      if (this.#sockets.local.sockets.length > 0) this.#setLocal();
      else this.#drain();
    });
  }

  get path(): PathDescription | undefined {
    return this.#path;
  }

  /** Dropped when there is no path. */
  send(datagram: Uint8Array): void {
    const path = this.#puncher.path;
    if (path !== undefined && !this.#isClosed) {
      this.#sockets.send(path.socketId, path.remote, datagram);
    }
  }

  /** What came from the peer through signalling; kinds other than `candidates` and `punch` are left alone. */
  handleSignal(data: unknown): void {
    this.#call((now) => this.#puncher.handleSignal(now, data));
  }

  /** The server has seen the peer at these IP addresses. */
  setPeerSeen(addresses: readonly string[]): void {
    this.#call((now) => this.#puncher.setPeerSeen(now, addresses));
  }

  /** Signalling is back after a cut, or comes from another address: what was known of our network may hold no longer. */
  networkChanged(): void {
    this.#sockets.restartRelays();
    this.#call((now) => this.#puncher.networkChanged(now));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#puncher.close();
    this.#wakeup.set(Number.POSITIVE_INFINITY);
    this.#options.gatherer.giveBack(this.#sockets);
  }

  #setLocal(): void {
    this.#call((now) => this.#puncher.setLocal(now, this.#sockets.local));
  }

  #call(run: (now: number) => void): void {
    if (this.#isClosed) return;
    run(performance.now());
    this.#drain();
  }

  #drain(): void {
    // What an effect sets off may come back here at once.
    if (this.#isDraining) return;
    this.#isDraining = true;
    const puncher = this.#puncher;
    for (let effect = puncher.poll(); effect !== undefined; effect = puncher.poll()) {
      this.#carryOut(effect);
    }
    this.#isDraining = false;
    this.#wakeup.set(puncher.deadline());
  }

  #carryOut(effect: PuncherEffect): void {
    const sockets = this.#sockets;
    switch (effect.type) {
      case 'send':
        sockets.send(effect.socketId, effect.to, effect.bytes, effect.ttl);
        break;
      case 'signal':
        if (!this.#options.signal(effect.data)) {
          this.#puncher.handleSignalDropped(performance.now(), effect.data);
        }
        break;
      case 'gather':
        if (effect.isFresh) void sockets.renew().then(() => this.#setLocal());
        else sockets.verify();
        break;
      case 'open':
        void this.#openGuesses(effect.way, effect.count);
        break;
      case 'release':
        sockets.release(effect.socketIds);
        break;
      case 'permit':
        sockets.permit(effect.peer);
        break;
      case 'path':
        this.#handlePath(effect.path);
        break;
    }
  }

  #handlePath(path: PathDescription | undefined): void {
    this.#path = path;
    const current = this.#puncher.path;
    if (path?.kind === 'relay' && current !== undefined) {
      this.#sockets.bindChannel(current.socketId, current.remote);
    }
    this.onPath(path);
  }

  async #openGuesses(way: 'prediction' | 'birthday', count: number): Promise<void> {
    const { sockets, mappedPort } = await this.#sockets.openGuesses(way, count);
    this.#call((now) => this.#puncher.addGuessSockets(now, way, sockets, mappedPort));
  }
}
