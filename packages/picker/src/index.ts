/**
 * BitTorrent piece picker: rarest first, end game, sequential, priorities. Pure and constant-time.
 *
 * @module
 */
export { PickerError, type PickerErrorCode } from './errors.ts';
export { Picker } from './picker.ts';
export {
  type CancelSink,
  type PeerHandle,
  type PickerOptions,
  type PickerStatistics,
  type PickerView,
  type PickOptions,
  type PickSink,
  PRIORITY_DEFAULT,
  PRIORITY_URGENT,
} from './view.ts';
