// KRPC messages as they arrive (BEP 5, with the fields of BEP 32, 33, 42, 43, 44, 46 and 51).

export type MessageType = 'query' | 'response' | 'error';

export type Method =
  | 'ping'
  | 'find_node'
  | 'get_peers'
  | 'announce_peer'
  | 'get'
  | 'put'
  | 'sample_infohashes';

/**
 * What to do with a datagram. `ok`: {@link Message} says what is in it. `refuse`: a query that gets an error in answer, with
 * `message.errorCode` and `message.reason`; its transaction id is there and its `id` may be (`idAt`). `drop`: nothing.
 */
export type DecodeOutcome = 'ok' | 'refuse' | 'drop';

/**
 * A message, as places in the datagram: `At` is an offset in `bytes`, -1 for a field that is not there. One object serves
 * for all datagrams, so whatever is to outlive the next `decodeMessage` has to be copied; {@link Message.view} and
 * {@link Message.copy} give arrays.
 */
export class Message {
  /** The datagram. */
  bytes: Uint8Array = new Uint8Array();
  type: MessageType = 'query';
  /** A query's; undefined with a method that we don't know (error 204), and for answers. */
  method: Method | undefined;
  /** Why it is refused or dropped, in plain words; empty when it is not. */
  reason = '';

  /** `t`: up to 20 bytes. */
  transactionAt = -1;
  transactionLength = 0;
  /** `v`, the client's name: opaque, usually 4 bytes. */
  versionAt = -1;
  versionLength = 0;
  /** BEP 42 `ip`: how the answering node sees us, a compact endpoint of 6 or 18 bytes. */
  ipAt = -1;
  ipLength = 0;
  /** BEP 43: the sender answers no queries and belongs in no table. */
  readOnly = false;
  /** 20 bytes, there in every query and response with the outcome `ok`. */
  idAt = -1;

  /** A query's `target`, or its `info_hash`: 20 bytes. For a `put` there is none. */
  targetAt = -1;
  /** BEP 32 `want`. Both false when it is not there: then the family of the datagram is meant. */
  wantsIpv4 = false;
  wantsIpv6 = false;
  /** announce_peer: 0 when it is not there (with `impliedPort` that is right). */
  port = 0;
  impliedPort = false;
  /** BEP 33: the announcing peer is a seed; the asker wants filters; the asker wants no seeds. */
  seed = false;
  scrape = false;
  noSeed = false;
  /** A query's or a response's token: 1 to 64 bytes, opaque. */
  tokenAt = -1;
  tokenLength = 0;

  /** BEP 44 `v`: the bencoded value, as it stands. */
  valueAt = -1;
  valueLength = 0;
  /** BEP 44 `k`, 32 bytes; `sig`, 64 bytes; `salt`. */
  publicKeyAt = -1;
  signatureAt = -1;
  saltAt = -1;
  saltLength = 0;
  /** BEP 44 `seq` and `cas`: 0 to 2^63 - 1. */
  sequence: bigint | undefined;
  compareSequence: bigint | undefined;

  /** Compact nodes: a multiple of 26 and of 38 bytes. */
  nodesAt = -1;
  nodesLength = 0;
  nodes6At = -1;
  nodes6Length = 0;
  /** The bencoded strings of `values`, without the list around them; see `forEachValue`. */
  valuesAt = -1;
  valuesLength = 0;
  /** BEP 33 `BFsd` and `BFpe`: 256 bytes. */
  seedFilterAt = -1;
  peerFilterAt = -1;
  /** BEP 51: -1 when they are not there. */
  intervalSeconds = -1;
  hashCount = -1;
  samplesAt = -1;
  samplesLength = 0;

  /** An error's number (201 when it has none), or the one to answer a refused query with. */
  errorCode = 0;
  /** What an error says, a stranger's bytes: up to 128 of them. */
  errorTextAt = -1;
  errorTextLength = 0;

  /** Every field as if it were not there. */
  clear(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.type = 'query';
    this.method = undefined;
    this.reason = '';
    this.transactionAt = -1;
    this.transactionLength = 0;
    this.versionAt = -1;
    this.versionLength = 0;
    this.ipAt = -1;
    this.ipLength = 0;
    this.readOnly = false;
    this.idAt = -1;
    this.targetAt = -1;
    this.wantsIpv4 = false;
    this.wantsIpv6 = false;
    this.port = 0;
    this.impliedPort = false;
    this.seed = false;
    this.scrape = false;
    this.noSeed = false;
    this.tokenAt = -1;
    this.tokenLength = 0;
    this.valueAt = -1;
    this.valueLength = 0;
    this.publicKeyAt = -1;
    this.signatureAt = -1;
    this.saltAt = -1;
    this.saltLength = 0;
    this.sequence = undefined;
    this.compareSequence = undefined;
    this.nodesAt = -1;
    this.nodesLength = 0;
    this.nodes6At = -1;
    this.nodes6Length = 0;
    this.valuesAt = -1;
    this.valuesLength = 0;
    this.seedFilterAt = -1;
    this.peerFilterAt = -1;
    this.intervalSeconds = -1;
    this.hashCount = -1;
    this.samplesAt = -1;
    this.samplesLength = 0;
    this.errorCode = 0;
    this.errorTextAt = -1;
    this.errorTextLength = 0;
  }

  /** A view on the datagram. */
  view(at: number, length: number): Uint8Array {
    return this.bytes.subarray(at, at + length);
  }

  /** A copy of a part of the datagram. */
  copy(at: number, length: number): Uint8Array<ArrayBuffer> {
    // Not `slice`, which makes a view of a Node Buffer.
    const copy = new Uint8Array(length);
    copy.set(this.bytes.subarray(at, at + length));
    return copy;
  }
}
