// Facts of a .torrent, for the tests' own use.
import { readFile } from 'node:fs/promises';
import { type Metainfo, parseMetainfo } from '@bt/metainfo';

export async function readTorrent(path: string): Promise<Metainfo> {
  return parseMetainfo(await readFile(path));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
