import { encodeHandshake, type Handshake, HandshakeReader } from '@bt/wire';
import { describe, expect, it } from 'vitest';
import { greeting } from '../../src/swarm/greeting.ts';

const peerId = new Uint8Array(20).fill(9);
const v1 = new Uint8Array(20).fill(1);
const v2 = new Uint8Array(32).fill(2);
const short = v2.subarray(0, 20);

function heard(infoHash: Uint8Array, offersV2: boolean): Handshake {
  const reader = new HandshakeReader();
  reader.handleBytes(encodeHandshake({ infoHash, peerId, features: { v2: offersV2 } }));
  return reader.handshake!;
}

describe('a handshake', () => {
  it.each([
    ['v1, to anybody', { infoHash: v1 }, undefined, false, v1, false],
    ['v1, to who offers v2', { infoHash: v1 }, heard(v1, true), false, v1, false],
    ['v2, dialling', { infoHash: short, infoHashV2: v2 }, undefined, false, short, true],
    ['v2, accepting', { infoHash: short, infoHashV2: v2 }, heard(short, false), false, short, true],
    ['hybrid, dialling', { infoHash: v1, infoHashV2: v2 }, undefined, false, v1, true],
    ['hybrid, dialling into v2', { infoHash: v1, infoHashV2: v2 }, undefined, true, short, true],
    ['hybrid, called in v1', { infoHash: v1, infoHashV2: v2 }, heard(v1, false), true, v1, true],
    ['hybrid, offered v2', { infoHash: v1, infoHashV2: v2 }, heard(v1, true), false, short, true],
    [
      'hybrid, called in v2',
      { infoHash: v1, infoHashV2: v2 },
      heard(short, false),
      false,
      short,
      true,
    ],
  ])('of a torrent of %s', (_, hashes, remote, isV2Dialled, infoHash, offersV2) => {
    const said = greeting({ hashes, peerId, hasDht: false, remote, isV2Dialled });
    expect(said.infoHash).toEqual(infoHash);
    expect(said.features?.v2).toBe(offersV2);
  });
});
