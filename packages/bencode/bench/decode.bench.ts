// Decoding beside npm bencode 4.0.1, which hands out everything at once: so each row also reads what a program would read.
import bencode from 'bencode';
import { bench, describe } from 'vitest';
import type { BencodeDict, BencodeValue } from '../src/index.ts';
import { BencodeList, decode, decodeDict } from './built.ts';
import { messageBytes, torrentBytes } from './documents.ts';

/** Consumed, so that no read is optimised away. */
export let total = 0;

function visit(value: BencodeValue): void {
  if (typeof value === 'number') total += value;
  else if (typeof value === 'bigint') total += Number(value);
  else if (value instanceof Uint8Array) total += value.length;
  else if (value instanceof BencodeList) for (const item of value) visit(item);
  else {
    for (const [key, member] of value) {
      total += key.length;
      visit(member);
    }
  }
}

type NpmValue = number | Uint8Array | NpmValue[] | { [key: string]: NpmValue };

function visitNpm(value: NpmValue): void {
  if (typeof value === 'number') total += value;
  else if (value instanceof Uint8Array) total += value.length;
  else if (Array.isArray(value)) for (const item of value) visitNpm(item);
  else {
    for (const key in value) {
      total += key.length;
      visitNpm(value[key] as NpmValue);
    }
  }
}

function readTorrent(torrent: BencodeDict): void {
  total += torrent.bytes('announce')!.length + torrent.bytes('created by')!.length;
  total += torrent.integer('creation date')!;
  const info = torrent.dict('info')!;
  total += info.bytes('name')!.length + info.integer('piece length')!;
  total += info.bytes('pieces')!.length;
  const files = info.list('files')!;
  for (let i = 0; i < files.length; i++) {
    const file = files.dict(i)!;
    total += file.integer('length')!;
    const path = file.list('path')!;
    for (let j = 0; j < path.length; j++) total += path.bytes(j)!.length;
  }
}

describe(`decode a .torrent of ${torrentBytes.length} bytes and visit every value`, () => {
  bench('@bt/bencode, generic walk', () => visit(decode(torrentBytes)));
  bench('@bt/bencode, by key', () => readTorrent(decodeDict(torrentBytes)));
  bench('npm bencode, generic walk', () => visitNpm(bencode.decode(torrentBytes)));
});

describe(`decode ${messageBytes.length} DHT messages and read t, y, q, id, target`, () => {
  bench('@bt/bencode', () => {
    for (const bytes of messageBytes) {
      const message = decodeDict(bytes);
      const query = message.equals('y', 'q');
      total += message.bytes('t')!.length;
      if (query) total += message.text('q')!.length;
      const body = message.dict(query ? 'a' : 'r')!;
      total += body.bytes('id')!.length + (body.bytes('target')?.length ?? 0);
    }
  });
  bench('npm bencode', () => {
    for (const bytes of messageBytes) {
      const message = bencode.decode(bytes);
      const query = message.y[0] === 0x71;
      total += message.t.length;
      if (query) total += message.q.length;
      const body = query ? message.a : message.r;
      total += body.id.length + (body.target?.length ?? 0);
    }
  });
});
