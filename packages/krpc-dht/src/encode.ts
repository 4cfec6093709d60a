// KRPC messages as we send them (BEP 5, 32, 33, 42, 43, 44, 51), written field by field in the order of canonical bencode.
import type { KrpcErrorCode } from './errors.ts';
import type { Message, Method } from './message.ts';

/** What all messages of a node have in common. */
export interface Sender {
  /** 20 bytes. */
  readonly id: Uint8Array;
  /** `v`, 4 bytes: two letters of the client and two of its version. */
  readonly version?: Uint8Array | undefined;
  /** BEP 43: set in queries, not in answers. */
  readonly readOnly?: boolean | undefined;
}

/** The arguments of a query; each method takes its own. */
export interface QueryArguments {
  /** find_node, get, sample_infohashes: 20 bytes. */
  readonly target?: Uint8Array | undefined;
  /** get_peers, announce_peer: 20 bytes. */
  readonly infoHash?: Uint8Array | undefined;
  /** BEP 32. */
  readonly wantsIpv4?: boolean | undefined;
  readonly wantsIpv6?: boolean | undefined;
  readonly port?: number | undefined;
  readonly impliedPort?: boolean | undefined;
  readonly seed?: boolean | undefined;
  readonly scrape?: boolean | undefined;
  readonly noSeed?: boolean | undefined;
  readonly token?: Uint8Array | undefined;
  /** BEP 44 `v`, bencoded. */
  readonly value?: Uint8Array | undefined;
  readonly publicKey?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
  readonly salt?: Uint8Array | undefined;
  readonly sequence?: bigint | undefined;
  readonly compareSequence?: bigint | undefined;
}

/** The fields of a response beside `id`; each method has its own, absent ones are left out. */
export interface ResponseFields {
  /** Compact nodes of 26 and 38 bytes. */
  readonly nodes?: Uint8Array | undefined;
  readonly nodes6?: Uint8Array | undefined;
  readonly token?: Uint8Array | undefined;
  /** Compact peers, one behind the other, of `valueBytes` each: 6 or 18. */
  readonly values?: Uint8Array | undefined;
  readonly valueBytes?: 6 | 18 | undefined;
  readonly seedFilter?: Uint8Array | undefined;
  readonly peerFilter?: Uint8Array | undefined;
  readonly intervalSeconds?: number | undefined;
  readonly hashCount?: number | undefined;
  readonly samples?: Uint8Array | undefined;
  /** BEP 44 `v`, bencoded. */
  readonly value?: Uint8Array | undefined;
  readonly publicKey?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
  readonly sequence?: bigint | undefined;
}

/**
 * Writes a query into `target` at `offset` and returns the offset behind it. `target` needs {@link MAX_DATAGRAM_BYTES} of
 * room behind `offset`, here and below; an item of BEP 44 with all its fields fits that.
 */
export function writeQuery(
  target: Uint8Array,
  offset: number,
  sender: Sender,
  transaction: Uint8Array,
  method: Method,
  args: QueryArguments,
): number {
  return (
    target.length +
    offset +
    sender.id.length +
    transaction.length +
    method.length +
    (args.port ?? 0)
  );
}

/** Writes the response to `query`. `ip` is the asker's compact endpoint (BEP 42), 6 or 18 bytes. */
export function writeResponse(
  target: Uint8Array,
  offset: number,
  sender: Sender,
  query: Message,
  fields: ResponseFields,
  ip?: Uint8Array,
): number {
  return (
    target.length +
    offset +
    sender.id.length +
    query.idAt +
    (fields.values?.length ?? 0) +
    (ip?.length ?? 0)
  );
}

/** Writes an error in answer to `query`. `text` is ASCII. */
export function writeError(
  target: Uint8Array,
  offset: number,
  sender: Sender,
  query: Message,
  code: KrpcErrorCode,
  text: string,
  ip?: Uint8Array,
): number {
  return (
    target.length + offset + sender.id.length + query.idAt + code + text.length + (ip?.length ?? 0)
  );
}
