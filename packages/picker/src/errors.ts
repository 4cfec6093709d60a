// The one error of this package. All of them are the caller's mistakes: what a remote sends is judged by @bt/wire.

export type PickerErrorCode =
  | 'unknown-peer'
  | 'piece-out-of-range'
  | 'block-out-of-range'
  | 'bad-argument';

export class PickerError extends Error {
  readonly code: PickerErrorCode;

  constructor(code: PickerErrorCode, message: string) {
    super(message);
    this.name = 'PickerError';
    this.code = code;
  }
}
