// The one error class of this package. A remote's mistake ends the connection; a local one is a mistake of the caller, and
// leaves the session as it was.

/**
 * Mistakes of the remote:
 * - `not-bittorrent`: the handshake does not begin with the protocol's name.
 * - `wrong-info-hash`: the handshake answers with another torrent.
 * - `message-too-long`: the length prefix exceeds what its message, or any message, may have.
 * - `wrong-length`: the length prefix does not fit the message.
 * - `unknown-flood`: more bytes in messages of unknown ids than the limit.
 * - `not-negotiated`: a message of an extension that not both handshakes offered.
 * - `out-of-turn`: the message is not legal in this phase, such as a second bitfield.
 * - `piece-out-of-range`: a piece index beyond the torrent.
 * - `block-out-of-range`: a block that is empty, too long, or not inside its piece.
 * - `spare-bits`: bits set behind the last piece of a bitfield.
 * - `unasked-hashes`: hashes or a hash reject that answer no request of ours.
 * - `bad-extended`: the payload of an extended message does not decode.
 *
 * Mistakes of the caller (any of the above may be local too, when it is ours to send):
 * - `choked`: a request to a peer that chokes us, without the fast extension.
 * - `invalid-argument`: a number or byte string of the wrong kind or size.
 * - `no-room`: the message does not fit behind the offset.
 * - `closed`: used after an error or after `close()`, or from inside one of its own callbacks.
 */
export type WireErrorCode =
  | 'not-bittorrent'
  | 'wrong-info-hash'
  | 'message-too-long'
  | 'wrong-length'
  | 'unknown-flood'
  | 'not-negotiated'
  | 'out-of-turn'
  | 'piece-out-of-range'
  | 'block-out-of-range'
  | 'spare-bits'
  | 'unasked-hashes'
  | 'bad-extended'
  | 'choked'
  | 'invalid-argument'
  | 'no-room'
  | 'closed';

/** Who broke the rules. */
export type WireFault = 'remote' | 'local';

/** Everything this package throws. Match on `code` and `fault`. */
export class WireError extends Error {
  readonly code: WireErrorCode;
  readonly fault: WireFault;

  constructor(
    code: WireErrorCode,
    fault: WireFault,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'WireError';
    this.code = code;
    this.fault = fault;
  }
}
