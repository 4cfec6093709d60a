// How long each message is (BEP 3, 5, 6, 10, 52): the value of its length prefix, and how much of it is read as a whole before
// its payload is handed on or gathered.
import {
  BLOCK_HEADER_LENGTH,
  HASH_HEADER_LENGTH,
  HASH_LENGTH,
  MAX_HASH_REQUEST_LENGTH,
  MAX_PROOF_LAYERS,
  MESSAGE_ID,
} from './constants.ts';

export interface MessageLengthRule {
  /** The smallest length prefix; the only one when `isFixed`. */
  readonly least: number;
  readonly isFixed: boolean;
  /** Bytes with the length prefix that are read as a whole. */
  readonly headLength: number;
}

/** The longest `hashes` message that any request can bring. */
export const MAX_HASHES_LENGTH =
  HASH_HEADER_LENGTH + HASH_LENGTH * (MAX_HASH_REQUEST_LENGTH + MAX_PROOF_LAYERS + 1);

/** By message id; unknown ids are holes. */
export const MESSAGE_LENGTHS: readonly (MessageLengthRule | undefined)[] = /* @__PURE__ */ (() => {
  const rules: (MessageLengthRule | undefined)[] = new Array(256).fill(undefined);
  const fixed = (least: number, ...ids: number[]) => {
    for (const id of ids) rules[id] = { least, isFixed: true, headLength: 4 + least };
  };
  const open = (least: number, headLength: number, id: number) => {
    rules[id] = { least, isFixed: false, headLength };
  };
  const id = MESSAGE_ID;
  fixed(1, id.choke, id.unchoke, id.interested, id.notInterested, id.haveAll, id.haveNone);
  fixed(5, id.have, id.suggest, id.allowedFast);
  fixed(13, id.request, id.cancel, id.reject);
  fixed(3, id.port);
  fixed(HASH_HEADER_LENGTH, id.hashRequest, id.hashReject);
  open(1, 5, id.bitfield);
  open(10, BLOCK_HEADER_LENGTH, id.piece);
  open(2, 6, id.extended);
  open(HASH_HEADER_LENGTH, 4 + HASH_HEADER_LENGTH, id.hashes);
  return rules;
})();
