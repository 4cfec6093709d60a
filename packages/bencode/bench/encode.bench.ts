// Encoding beside npm bencode 4.0.1, from the same plain objects.
import bencode from 'bencode';
import { bench, describe } from 'vitest';
import { encode } from './built.ts';
import { messages, torrent, torrentBytes } from './documents.ts';

describe(`encode a .torrent of ${torrentBytes.length} bytes`, () => {
  bench('@bt/bencode', () => {
    encode(torrent);
  });
  bench('npm bencode', () => {
    bencode.encode(torrent);
  });
});

describe(`encode ${messages.length} DHT messages`, () => {
  bench('@bt/bencode', () => {
    for (const message of messages) encode(message);
  });
  bench('npm bencode', () => {
    for (const message of messages) bencode.encode(message);
  });
});
