// Writers of messages (BEP 3, 5, 6, 10, 52). Each writes into the caller's buffer at an offset and returns the offset behind
// it, so that many messages go out in one write and nothing is allocated. They check that the message fits and its numbers
// are 32-bit; whether it may be sent now is the session's to judge.

import { isUint32, writeUint32 } from './bytes.ts';
import { HASH_HEADER_LENGTH, HASH_LENGTH, MESSAGE_ID } from './constants.ts';
import { WireError } from './errors.ts';
import { answerHashCount, type HashRequest, isHashRequestSound } from './hash-request.ts';

/** Bytes of a message whose length never varies, with its length prefix. */
export const MESSAGE_LENGTH = {
  keepAlive: 4,
  /** choke, unchoke, interested, not interested, have all, have none */
  bare: 5,
  /** have, suggest, allowed fast */
  piece: 9,
  /** request, cancel, reject */
  block: 17,
  /** in front of a block's bytes */
  blockHeader: 13,
  port: 7,
  /** hash request, hash reject; in front of the hashes of `hashes` */
  hash: 4 + HASH_HEADER_LENGTH,
} as const;

export function writeKeepAlive(target: Uint8Array, offset: number): number {
  checkRoom(target, offset, 4);
  return writeUint32(target, offset, 0);
}

export function writeChoke(target: Uint8Array, offset: number): number {
  return writeBare(target, offset, MESSAGE_ID.choke);
}

export function writeUnchoke(target: Uint8Array, offset: number): number {
  return writeBare(target, offset, MESSAGE_ID.unchoke);
}

export function writeInterested(target: Uint8Array, offset: number): number {
  return writeBare(target, offset, MESSAGE_ID.interested);
}

export function writeNotInterested(target: Uint8Array, offset: number): number {
  return writeBare(target, offset, MESSAGE_ID.notInterested);
}

export function writeHaveAll(target: Uint8Array, offset: number): number {
  return writeBare(target, offset, MESSAGE_ID.haveAll);
}

export function writeHaveNone(target: Uint8Array, offset: number): number {
  return writeBare(target, offset, MESSAGE_ID.haveNone);
}

export function writeHave(target: Uint8Array, offset: number, pieceIndex: number): number {
  return writePieceMessage(target, offset, MESSAGE_ID.have, pieceIndex);
}

export function writeSuggest(target: Uint8Array, offset: number, pieceIndex: number): number {
  return writePieceMessage(target, offset, MESSAGE_ID.suggest, pieceIndex);
}

export function writeAllowedFast(target: Uint8Array, offset: number, pieceIndex: number): number {
  return writePieceMessage(target, offset, MESSAGE_ID.allowedFast, pieceIndex);
}

/** `bits` as {@link Bitfield.bytes} has them. */
export function writeBitfield(target: Uint8Array, offset: number, bits: Uint8Array): number {
  checkRoom(target, offset, 5 + bits.length);
  target.set(bits, writeHead(target, offset, 1 + bits.length, MESSAGE_ID.bitfield));
  return offset + 5 + bits.length;
}

export function writeRequest(
  target: Uint8Array,
  offset: number,
  pieceIndex: number,
  blockOffset: number,
  lengthBytes: number,
): number {
  return writeBlockMessage(
    target,
    offset,
    MESSAGE_ID.request,
    pieceIndex,
    blockOffset,
    lengthBytes,
  );
}

export function writeCancel(
  target: Uint8Array,
  offset: number,
  pieceIndex: number,
  blockOffset: number,
  lengthBytes: number,
): number {
  return writeBlockMessage(target, offset, MESSAGE_ID.cancel, pieceIndex, blockOffset, lengthBytes);
}

export function writeReject(
  target: Uint8Array,
  offset: number,
  pieceIndex: number,
  blockOffset: number,
  lengthBytes: number,
): number {
  return writeBlockMessage(target, offset, MESSAGE_ID.reject, pieceIndex, blockOffset, lengthBytes);
}

/** The 13 bytes in front of a block of `lengthBytes` bytes. */
export function writeBlockHeader(
  target: Uint8Array,
  offset: number,
  pieceIndex: number,
  blockOffset: number,
  lengthBytes: number,
): number {
  checkRoom(target, offset, MESSAGE_LENGTH.blockHeader);
  checkUint32(pieceIndex, blockOffset, 9 + lengthBytes);
  let at = writeHead(target, offset, 9 + lengthBytes, MESSAGE_ID.piece);
  at = writeUint32(target, at, pieceIndex);
  return writeUint32(target, at, blockOffset);
}

/** `port` is the UDP port of our DHT node (BEP 5). */
export function writePort(target: Uint8Array, offset: number, port: number): number {
  checkRoom(target, offset, MESSAGE_LENGTH.port);
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new WireError('invalid-argument', 'local', `not a port: ${port}`);
  }
  const at = writeHead(target, offset, 3, MESSAGE_ID.port);
  target[at] = port >>> 8;
  target[at + 1] = port;
  return at + 2;
}

/** `extendedId` is the id that the remote's extended handshake gave to the extension; 0 is the handshake (BEP 10). */
export function writeExtended(
  target: Uint8Array,
  offset: number,
  extendedId: number,
  payload: Uint8Array,
): number {
  checkRoom(target, offset, 6 + payload.length);
  if (!Number.isInteger(extendedId) || extendedId < 0 || extendedId > 255) {
    throw new WireError('invalid-argument', 'local', `not an extended id: ${extendedId}`);
  }
  const at = writeHead(target, offset, 2 + payload.length, MESSAGE_ID.extended);
  target[at] = extendedId;
  target.set(payload, at + 1);
  return offset + 6 + payload.length;
}

export function writeHashRequest(target: Uint8Array, offset: number, request: HashRequest): number {
  return writeHashHeader(target, offset, MESSAGE_ID.hashRequest, request, 0);
}

/** Repeats the request, whatever it asked for: one that breaks the rules is answered too (BEP 52). */
export function writeHashReject(target: Uint8Array, offset: number, request: HashRequest): number {
  return writeHashFields(target, offset, MESSAGE_ID.hashReject, request, 0);
}

/** `hashes` are as many as the request asks for, 32 bytes each, the base layer first (BEP 52). */
export function writeHashes(
  target: Uint8Array,
  offset: number,
  request: HashRequest,
  hashes: Uint8Array,
): number {
  const expected = HASH_LENGTH * answerHashCount(request.length, request.proofLayers);
  if (hashes.length !== expected) {
    throw new WireError(
      'invalid-argument',
      'local',
      `the request is answered by ${expected} bytes of hashes, not ${hashes.length}`,
    );
  }
  const at = writeHashHeader(target, offset, MESSAGE_ID.hashes, request, hashes.length);
  target.set(hashes, at);
  return at + hashes.length;
}

function writeHead(target: Uint8Array, offset: number, length: number, id: number): number {
  const at = writeUint32(target, offset, length);
  target[at] = id;
  return at + 1;
}

function writeBare(target: Uint8Array, offset: number, id: number): number {
  checkRoom(target, offset, MESSAGE_LENGTH.bare);
  return writeHead(target, offset, 1, id);
}

function writePieceMessage(
  target: Uint8Array,
  offset: number,
  id: number,
  pieceIndex: number,
): number {
  checkRoom(target, offset, MESSAGE_LENGTH.piece);
  checkUint32(pieceIndex, 0, 0);
  return writeUint32(target, writeHead(target, offset, 5, id), pieceIndex);
}

function writeBlockMessage(
  target: Uint8Array,
  offset: number,
  id: number,
  pieceIndex: number,
  blockOffset: number,
  lengthBytes: number,
): number {
  checkRoom(target, offset, MESSAGE_LENGTH.block);
  checkUint32(pieceIndex, blockOffset, lengthBytes);
  let at = writeHead(target, offset, 13, id);
  at = writeUint32(target, at, pieceIndex);
  at = writeUint32(target, at, blockOffset);
  return writeUint32(target, at, lengthBytes);
}

function writeHashHeader(
  target: Uint8Array,
  offset: number,
  id: number,
  request: HashRequest,
  hashesLength: number,
): number {
  if (!isHashRequestSound(request)) {
    throw new WireError('invalid-argument', 'local', 'not a hash request that BEP 52 allows');
  }
  return writeHashFields(target, offset, id, request, hashesLength);
}

function writeHashFields(
  target: Uint8Array,
  offset: number,
  id: number,
  request: HashRequest,
  hashesLength: number,
): number {
  const { piecesRoot, baseLayer, index, length, proofLayers } = request;
  checkRoom(target, offset, MESSAGE_LENGTH.hash + hashesLength);
  checkUint32(baseLayer, index, length);
  checkUint32(proofLayers, 0, 0);
  if (piecesRoot.length !== HASH_LENGTH) {
    throw new WireError('invalid-argument', 'local', 'a pieces root has 32 bytes');
  }
  let at = writeHead(target, offset, HASH_HEADER_LENGTH + hashesLength, id);
  target.set(piecesRoot, at);
  at = writeUint32(target, at + HASH_LENGTH, baseLayer);
  at = writeUint32(target, at, index);
  at = writeUint32(target, at, length);
  return writeUint32(target, at, proofLayers);
}

function checkRoom(target: Uint8Array, offset: number, lengthBytes: number): void {
  if (!(offset >= 0 && offset + lengthBytes <= target.length)) {
    throw new WireError('no-room', 'local', `no room for ${lengthBytes} bytes at ${offset}`);
  }
}

function checkUint32(a: number, b: number, c: number): void {
  if (!(isUint32(a) && isUint32(b) && isUint32(c))) {
    throw new WireError('invalid-argument', 'local', `not 32-bit numbers: ${a}, ${b}, ${c}`);
  }
}
