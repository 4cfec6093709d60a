// Messages of ut_metadata (BEP 9): the info dictionary asked for, sent and refused in pieces of 16 KiB. A data message is a
// dictionary with the piece's bytes behind it.
import { BencodeDict, decodePrefix, encode } from '@bt/bencode';
import { WireError } from './errors.ts';
import { badExtended, DECODE_LIMITS, MAX_METADATA_LENGTH } from './extension.ts';

/** Bytes of every metadata piece but the last (BEP 9). */
export const METADATA_PIECE_LENGTH = 16_384;

export type MetadataMessage =
  | { readonly type: 'request'; readonly pieceIndex: number }
  | { readonly type: 'reject'; readonly pieceIndex: number }
  | {
      readonly type: 'data';
      readonly pieceIndex: number;
      /** Bytes of the whole info dictionary. */
      readonly totalLength: number;
      /** Exactly the piece's bytes. When decoded: a view on the payload. */
      readonly data: Uint8Array;
    };

/** Metadata pieces of an info dictionary of `totalLength` bytes. */
export function metadataPieceCount(totalLength: number): number {
  return Math.ceil(totalLength / METADATA_PIECE_LENGTH);
}

/** Bytes of one metadata piece; 0 when there is no such piece. */
export function metadataPieceLength(pieceIndex: number, totalLength: number): number {
  const rest = totalLength - pieceIndex * METADATA_PIECE_LENGTH;
  return Math.max(0, Math.min(METADATA_PIECE_LENGTH, rest));
}

/**
 * The payload of a ut_metadata message.
 *
 * @throws {WireError} `invalid-argument` (local) when data, index and total length do not fit together.
 */
export function encodeMetadataMessage(message: MetadataMessage): Uint8Array<ArrayBuffer> {
  const { type, pieceIndex: piece } = message;
  const offence = fieldsOffence(message);
  if (offence !== undefined) throw new WireError('invalid-argument', 'local', offence);
  if (message.type !== 'data') return encode({ msg_type: MESSAGE_TYPE[type], piece });
  const head = encode({ msg_type: MESSAGE_TYPE.data, piece, total_size: message.totalLength });
  const payload = new Uint8Array(head.length + message.data.length);
  payload.set(head);
  payload.set(message.data, head.length);
  return payload;
}

/**
 * Decodes the payload of a ut_metadata message; `undefined` for a type that is not known, which BEP 9 wants ignored.
 *
 * @throws {WireError} `bad-extended` (remote) when it does not decode, or its index, length and bytes do not fit together.
 */
export function decodeMetadataMessage(payload: Uint8Array): MetadataMessage | undefined {
  const { dictionary, rest } = decodeHead(payload);
  const type = TYPES[dictionary.integer('msg_type') ?? -1];
  if (type === undefined) return undefined;
  const pieceIndex = dictionary.integer('piece') ?? -1;
  const message: MetadataMessage =
    type === 'data'
      ? { type, pieceIndex, totalLength: dictionary.integer('total_size') ?? -1, data: rest }
      : { type, pieceIndex };
  const offence = fieldsOffence(message);
  if (offence !== undefined) throw badExtended(offence);
  return message;
}

const MESSAGE_TYPE = { request: 0, data: 1, reject: 2 } as const;

const TYPES = ['request', 'data', 'reject'] as const;

function decodeHead(payload: Uint8Array): { dictionary: BencodeDict; rest: Uint8Array } {
  let head: ReturnType<typeof decodePrefix>;
  try {
    head = decodePrefix(payload, DECODE_LIMITS);
  } catch (cause) {
    throw badExtended(cause);
  }
  if (!(head.value instanceof BencodeDict)) throw badExtended('not a dictionary');
  return { dictionary: head.value, rest: payload.subarray(head.bytesRead) };
}

function fieldsOffence(message: MetadataMessage): string | undefined {
  const { pieceIndex } = message;
  const most = metadataPieceCount(MAX_METADATA_LENGTH);
  if (!(Number.isInteger(pieceIndex) && pieceIndex >= 0 && pieceIndex < most)) {
    return `metadata piece ${pieceIndex}`;
  }
  if (message.type !== 'data') return undefined;
  const { totalLength, data } = message;
  if (!(Number.isInteger(totalLength) && totalLength > 0 && totalLength <= MAX_METADATA_LENGTH)) {
    return `metadata of ${totalLength} bytes`;
  }
  const expected = metadataPieceLength(pieceIndex, totalLength);
  if (expected === 0 || data.length !== expected) {
    return `${data.length} bytes for metadata piece ${pieceIndex} of ${totalLength} bytes`;
  }
  return undefined;
}
