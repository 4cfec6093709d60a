// The documents that are measured: a .torrent of 20,000 files (1.7 MB) and DHT messages of 47 to 283 bytes (BEP 5), each as the
// plain values that an encoder takes. Deterministic.
import type { BencodeInput } from '@bt/bencode';

type Plain = { [key: string]: BencodeInput };

/** The measured torrent has as many files. */
const FILE_COUNT = 20_000;

/** Bytes that look random, the same at every run. */
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

const files: Plain[] = [];
for (let i = 0; i < FILE_COUNT; i++) {
  const folder = `folder-${String(Math.floor(i / 100)).padStart(4, '0')}`;
  const name = `file-${String(i).padStart(5, '0')}-${'abcdefghijklmnopqrstuvwxyz'.slice(i % 26)}.bin`;
  files.push({ length: (i * 7919) % 5_000_000, path: [folder, `part-${i % 7}`, name] });
}

export const torrent: Plain = {
  announce: 'http://tracker.example:6969/announce',
  'created by': 'bench',
  'creation date': 1_700_000_000,
  info: { files, name: 'sample', 'piece length': 262_144, pieces: noise(20 * 4000, 1) },
};

const id = noise(20, 2);
const target = noise(20, 3);
const query = (q: string, a: Plain): Plain => ({ a: { id, ...a }, q, t: noise(2, 4), y: 'q' });
const response = (r: Plain): Plain => ({ r: { id, ...r }, t: noise(2, 5), y: 'r' });

export const messages: Plain[] = [
  query('ping', {}),
  query('find_node', { target }),
  query('get_peers', { info_hash: target }),
  query('announce_peer', { implied_port: 1, info_hash: target, port: 6881, token: noise(8, 6) }),
  response({}),
  response({ nodes: noise(26 * 8, 7) }),
  response({ nodes: noise(26 * 8, 8), token: noise(8, 9) }),
  response({ token: noise(8, 10), values: [noise(6, 11), noise(6, 12), noise(6, 13)] }),
];

/** All messages so many times are one operation: long enough to be timed. */
export const BATCHES = 250;
