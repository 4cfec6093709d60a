// A peer of a simulated swarm that is not a Torrent: it says what the test wants, and keeps what it hears of hashes and blocks.

import type { Host, StreamEnd } from '@bt/simulator';
import { type HashRequest, type WireHandler, WireSession } from '@bt/wire';
import type { SimNode, SimSwarm } from './sim-swarm.ts';

const PORT = 6881;

export interface HashAnswer {
  readonly request: HashRequest;
  /** Undefined: it was refused. */
  readonly hashes: Uint8Array | undefined;
}

export class RemotePeer {
  readonly host: Host;
  readonly session: WireSession;
  readonly endpoint: { readonly address: string; readonly port: number };
  /** What the node has asked us. */
  readonly hashRequests: HashRequest[] = [];
  /** What it has answered. */
  readonly hashAnswers: HashAnswer[] = [];
  isClosed = false;
  /** Does what a hash request asks for; by default nothing. */
  onHashRequest: (request: HashRequest) => void = () => {};
  /** Does what a request asks for; by default nothing. */
  onRequest: (pieceIndex: number, blockOffset: number, lengthBytes: number) => void = () => {};
  readonly #stream: StreamEnd;
  readonly #swarm: SimSwarm;

  /** Dials the node and waits for its handshake. It then knows where we listen only as far as we tell. */
  constructor(swarm: SimSwarm, node: SimNode, options: { readonly isV2?: boolean } = {}) {
    const { info } = swarm.content;
    this.#swarm = swarm;
    const { infoHashV2, geometry } = info;
    this.host = swarm.addHost();
    this.endpoint = { address: this.host.address, port: PORT };
    const isV2 = options.isV2 ?? true;
    this.session = new WireSession({
      handshake: {
        infoHash: info.infoHash,
        peerId: Buffer.from(`-XX0000-${this.host.address}`.padEnd(20, '.')),
        features: { fast: true, extended: false, v2: isV2 },
      },
      ...(infoHashV2 === undefined ? {} : { infoHashV2: infoHashV2.subarray(0, 20) }),
      pieces: geometry,
    });
    this.session.sendHandshake();
    const stream = this.host.connect(node.endpoint);
    this.#stream = stream;
    const handler = this.#handler();
    stream.listener = {
      onConnect: () => this.flush(),
      onData: (bytes) => {
        this.session.handleBytes(bytes, handler);
        this.flush();
      },
      onClose: () => {
        this.isClosed = true;
      },
    };
    const isGreeted = () => this.session.remoteHandshake !== undefined;
    swarm.clock.runWhile(() => !isGreeted() && !this.isClosed, swarm.clock.now + 1000);
  }

  /** Sends what the session has written. */
  flush(): void {
    const output = this.session.takeOutput();
    if (output !== undefined && !this.isClosed) this.#stream.send(output);
  }

  /** Sends bytes past the session. */
  send(bytes: Uint8Array): void {
    this.#stream.send(bytes);
  }

  /** From now on what the node sends goes here alone. */
  listen(onData: (chunk: Uint8Array) => void): void {
    this.#stream.listener = { onData, onClose: () => {} };
  }

  /** Asks the node for hashes. */
  ask(...requests: readonly HashRequest[]): void {
    for (const request of requests) this.session.hashRequest(request);
    this.flush();
  }

  /** Has every piece, and sends what it is asked for; `isWrong` says which blocks wrongly. */
  seed(isWrong: (pieceIndex: number, blockOffset: number) => boolean = () => false): this {
    this.session.haveAll();
    this.session.unchoke();
    const { bytes, info } = this.#swarm.content;
    this.onRequest = (pieceIndex, blockOffset, lengthBytes) => {
      const start = pieceIndex * info.pieceLength + blockOffset;
      const block = bytes.slice(start, start + lengthBytes);
      if (isWrong(pieceIndex, blockOffset)) block[0]! ^= 0xff;
      this.sendBlock(pieceIndex, blockOffset, block);
    };
    this.flush();
    return this;
  }

  sendBlock(pieceIndex: number, blockOffset: number, block: Uint8Array): void {
    this.flush();
    this.#stream.send(this.session.blockHeader(pieceIndex, blockOffset, block.length));
    this.#stream.send(block);
  }

  #handler(): WireHandler {
    return {
      onHashRequest: (request) => {
        this.hashRequests.push(request);
        this.onHashRequest(request);
      },
      onHashes: (request, hashes) => {
        this.hashAnswers.push({ request, hashes: hashes.slice() });
      },
      onHashReject: (request) => {
        this.hashAnswers.push({ request, hashes: undefined });
      },
      onRequest: (...block) => this.onRequest(...block),
    };
  }
}
