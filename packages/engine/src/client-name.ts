// The client's name from its peer id (BEP 20): two letters and a version between dashes, as in -TR3000-.

const CLIENTS: ReadonlyMap<string, string> = new Map([
  ['7T', 'aTorrent'],
  ['A2', 'aria2'],
  ['AZ', 'Vuze'],
  ['BC', 'BitComet'],
  ['BE', 'bt-engine'],
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
  return `${name} ${[...match[2]!].join('.')}`;
}

/** A peer id of ours: `-BE0100-` and twelve bytes of chance. */
export function makePeerId(random: () => number): Uint8Array {
  const id = new Uint8Array(20);
  for (let i = 0; i < PREFIX.length; i += 1) id[i] = PREFIX.charCodeAt(i);
  for (let i = PREFIX.length; i < 20; i += 1) id[i] = random() * 256;
  return id;
}

const PREFIX = '-BE0100-';
