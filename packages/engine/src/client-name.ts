// The client's name from its peer id (BEP 20): two letters and a version between dashes, as in -TR3000-. And our own, with the
// version of this package.
import manifest from '../package.json' with { type: 'json' };

/** What we call ourselves to peers, trackers and web servers. */
export const OWN_NAME = 'bt-engine';
export const OWN_VERSION: string = manifest.version;

const CLIENTS: ReadonlyMap<string, string> = new Map([
  ['7T', 'aTorrent'],
  ['A2', 'aria2'],
  ['AZ', 'Vuze'],
  ['BC', 'BitComet'],
  ['BE', OWN_NAME],
  ['BT', 'BitTorrent'],
  ['DE', 'Deluge'],
  ['KT', 'KTorrent'],
  ['LT', 'libtorrent'],
  ['lt', 'rTorrent'],
  ['qB', 'qBittorrent'],
  ['RQ', 'rqbit'],
  ['TR', 'Transmission'],
  ['UT', 'uTorrent'],
  ['WW', 'WebTorrent'],
]);

/** What may be shown of a peer id: a name and version, or its printable beginning. */
export function clientName(peerId: Uint8Array): string {
  const text = Array.from(peerId.subarray(0, 8), (byte) => String.fromCharCode(byte)).join('');
  const match = /^-([A-Za-z0-9]{2})([A-Za-z0-9]{4})-$/.exec(text);
  if (match === null) return text.replace(/[^\x21-\x7e]/g, '').replace(/-+$/, '') || 'unknown';
  const name = CLIENTS.get(match[1]!) ?? match[1]!;
  // Most versions have three numbers, and a 0 behind them.
  return `${name} ${[...match[2]!.replace(/0$/, '')].join('.')}`;
}

/** A peer id of ours: `-BE0100-` for version 0.1.0, and twelve bytes of chance. */
export function makePeerId(random: () => number): Uint8Array {
  const id = new Uint8Array(20);
  for (let i = 0; i < PREFIX.length; i += 1) id[i] = PREFIX.charCodeAt(i);
  for (let i = PREFIX.length; i < 20; i += 1) id[i] = random() * 256;
  return id;
}

const PREFIX = `-BE${versionDigits(OWN_VERSION)}-`;

/** `0100` of 0.1.0 and of what comes before its release, 0.1.0-dev; a number beyond 9 is a letter, as in hexadecimal. */
function versionDigits(version: string): string {
  const numbers = version.split('-')[0]!.split('.').map(Number);
  return [...numbers, 0].map((number) => Math.min(number, 35).toString(36).toUpperCase()).join('');
}
