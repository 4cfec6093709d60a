// A peer that speaks the protocol well and lies where it is told to: a seed of one file that may send wrong blocks, and wrong
// metadata, or none. It knows no choking and no limits.
import { type FileHandle, open } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Metainfo } from '@bt/metainfo';
import {
  decodeExtendedHandshake,
  decodeMetadataMessage,
  EXTENDED_HANDSHAKE_ID,
  encodeExtendedHandshake,
  encodeMetadataMessage,
  type HashRequest,
  METADATA_PIECE_LENGTH,
  metadataPieceLength,
  WireSession,
} from '@bt/wire';

/** What it does with a request for metadata (BEP 9). */
export type MetadataManners = 'honest' | 'wrong-bytes' | 'wrong-size' | 'silent' | 'reject';

export interface ScriptedPeerOptions {
  readonly address: string;
  readonly port: number;
  readonly torrent: Metainfo;
  /** The one file of the torrent. Absent: it has no piece. */
  readonly dataFile?: string;
  readonly metadata?: MetadataManners;
  /** Whether this block is sent with wrong bytes. */
  readonly corrupts?: (pieceIndex: number, blockOffset: number) => boolean;
}

const METADATA_ID = 1;
/** What it sends instead of a block. */
const WRONG_BYTE = 0x5a;

export class ScriptedPeer {
  /** Blocks asked of it, by piece. */
  readonly asked = new Map<number, number>();
  metadataRequests = 0;
  readonly #options: ScriptedPeerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #file: FileHandle | undefined;

  constructor(options: ScriptedPeerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#talk(socket));
  }

  async listen(): Promise<void> {
    const { dataFile, address, port } = this.#options;
    if (dataFile !== undefined) this.#file = await open(dataFile);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, address, resolve);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#file?.close();
  }

  #talk(socket: Socket): void {
    const { info } = this.#options.torrent;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    const session = new WireSession({
      handshake: {
        infoHash: info.infoHash,
        peerId: Buffer.from(`-XX0001-${this.#options.port}scripted`.padEnd(20, '-').slice(0, 20)),
        features: { fast: true, extended: true, v2: info.infoHashV2 !== undefined },
      },
      pieces: info.geometry,
      ...(info.infoHashV2 === undefined ? {} : { infoHashV2: info.infoHashV2.subarray(0, 20) }),
    });
    let metadataId = 0;
    let answers = Promise.resolve();
    const flush = () => {
      const bytes = session.takeOutput();
      if (bytes !== undefined) socket.write(bytes);
    };
    session.sendHandshake();
    flush();
    socket.on('data', (chunk) => {
      try {
        session.handleBytes(chunk, {
          onHandshake: () => {
            session.extended(EXTENDED_HANDSHAKE_ID, this.#ownHandshake());
            if (this.#file === undefined) session.haveNone();
            else session.haveAll();
          },
          onInterested: () => session.unchoke(),
          onExtended: (id, payload) => {
            if (id === EXTENDED_HANDSHAKE_ID) {
              metadataId = decodeExtendedHandshake(payload).messages.get('ut_metadata') ?? 0;
            } else if (id === METADATA_ID) {
              this.#answerMetadata(session, metadataId, payload);
            }
          },
          onHashRequest: (request: HashRequest) => session.hashReject(request),
          onRequest: (pieceIndex, blockOffset, lengthBytes) => {
            this.asked.set(pieceIndex, (this.asked.get(pieceIndex) ?? 0) + 1);
            answers = answers.then(() =>
              this.#sendBlock(socket, session, pieceIndex, blockOffset, lengthBytes),
            );
          },
        });
        flush();
      } catch {
        socket.destroy();
      }
    });
  }

  #ownHandshake(): Uint8Array {
    const { metadata, torrent } = this.#options;
    const lengthBytes = torrent.info.bytes.length;
    return encodeExtendedHandshake({
      messages: new Map([['ut_metadata', METADATA_ID]]),
      client: 'scripted',
      requestQueue: 500,
      ...(metadata === undefined
        ? {}
        : { metadataLength: metadata === 'wrong-size' ? lengthBytes + 40_000 : lengthBytes }),
    });
  }

  #answerMetadata(session: WireSession, id: number, payload: Uint8Array): void {
    const message = decodeMetadataMessage(payload);
    if (message?.type !== 'request' || id === 0) return;
    this.metadataRequests += 1;
    const { metadata = 'reject', torrent } = this.#options;
    if (metadata === 'silent') return;
    const { pieceIndex } = message;
    if (metadata === 'reject') {
      session.extended(id, encodeMetadataMessage({ type: 'reject', pieceIndex }));
      return;
    }
    const totalLength = torrent.info.bytes.length + (metadata === 'wrong-size' ? 40_000 : 0);
    const data = new Uint8Array(metadataPieceLength(pieceIndex, totalLength)).fill(WRONG_BYTE);
    if (metadata === 'honest') {
      data.set(
        torrent.info.bytes.subarray(pieceIndex * METADATA_PIECE_LENGTH).subarray(0, data.length),
      );
    }
    session.extended(id, encodeMetadataMessage({ type: 'data', pieceIndex, totalLength, data }));
  }

  async #sendBlock(
    socket: Socket,
    session: WireSession,
    pieceIndex: number,
    blockOffset: number,
    lengthBytes: number,
  ): Promise<void> {
    const { torrent, corrupts } = this.#options;
    const block = Buffer.alloc(lengthBytes, WRONG_BYTE);
    if (corrupts?.(pieceIndex, blockOffset) !== true) {
      const position = pieceIndex * torrent.info.pieceLength + blockOffset;
      await this.#file?.read(block, 0, lengthBytes, position);
    }
    if (session.isClosed || socket.destroyed) return;
    try {
      socket.write(session.blockHeader(pieceIndex, blockOffset, lengthBytes));
      socket.write(block);
    } catch {
      socket.destroy();
    }
  }
}
