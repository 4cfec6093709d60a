// What of a hostile member's candidates gets as far as our ICE, which is played here.
import type { PeerConnection } from 'node-datachannel';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import { openPeerConnection } from '../../../src/node/channel/peer-connections.ts';
import { PoolPeer } from '../../../src/node/channel/pool-peer.ts';
import { MAX_UNANSWERED_PROBES, MAX_UNSEEN_ADDRESSES } from '../../../src/path/probe-budget.ts';

vi.mock('../../../src/node/channel/peer-connections.ts', () => ({
  openPeerConnection: vi.fn(),
  closePeerConnection: vi.fn(),
}));

const given: string[] = [];
const certificate = makeCertificate();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  given.length = 0;
  vi.mocked(openPeerConnection).mockReset();
  vi.mocked(openPeerConnection).mockImplementation(() => {
    const ignore = () => {};
    const connection = {
      onStateChange: ignore,
      onLocalCandidate: ignore,
      setLocalDescription: ignore,
      setRemoteDescription: ignore,
      addRemoteCandidate: (line: string) => given.push(line),
    };
    return { connection: connection as unknown as PeerConnection, channels: [] };
  });
});
afterEach(() => {
  vi.useRealTimers();
});

async function flooded(kind: 'browser' | 'terminal', rounds: number, addresses: readonly string[]) {
  const transport = { send() {}, onDatagram() {}, onPath() {}, close() {} };
  const peer = new PoolPeer({
    kind,
    isControlling: true,
    identities: { own: 'a', peer: 'b' },
    certificate,
    signal() {},
    serverAddress: () => '192.0.2.1',
    transport,
  });
  for (let round = 1; round <= rounds; round++) {
    const candidates = Array.from({ length: 32 }, (_, index) => {
      const address = addresses[(32 * round + index) % addresses.length];
      return `candidate:${index} 1 UDP ${9000 - index} ${address} ${100 * round + index} typ host`;
    });
    const ice = { ufrag: 'abcd', password: 'x'.repeat(22) };
    peer.handleSignal({ kind: 'channel', round, fingerprint: 'ab'.repeat(32), ice, candidates });
    await vi.advanceTimersByTimeAsync(60_000);
  }
  peer.close();
  return given.map((line) => line.split(' ')[4]!);
}

it('a third party gets ten checks in the life of a pair, however many ports and rounds are named', async () => {
  expect(await flooded('browser', 40, ['9.9.9.9'])).toHaveLength(MAX_UNANSWERED_PROBES);
});

it('many of them get few in all', async () => {
  const many = Array.from({ length: 300 }, (_, index) => `9.9.${index >> 8}.${index & 255}`);
  const addresses = await flooded('browser', 60, many);
  expect(new Set(addresses).size).toBe(MAX_UNSEEN_ADDRESSES);
});

it('no name is looked up, and nothing of this machine is called', async () => {
  const named = ['localhost', 'host.example', 'x.local', '127.0.0.1', '::1', '224.0.0.251'];
  expect(await flooded('browser', 3, named)).toEqual([]);
});

it('a terminal, which is reached by a path of ours, names none', async () => {
  expect(await flooded('terminal', 3, ['9.9.9.9'])).toEqual([]);
});

it('rounds that never open are followed slowly when they are many', async () => {
  const peer = new PoolPeer({
    kind: 'browser',
    isControlling: true,
    identities: { own: 'a', peer: 'b' },
    certificate,
    signal() {},
  });
  const begin = async (first: number, count: number) => {
    for (let round = first; round < first + count; round++) {
      peer.handleSignal({ kind: 'channel', round, fingerprint: 'ab'.repeat(32) });
      await vi.advanceTimersByTimeAsync(1);
    }
    return vi.mocked(openPeerConnection).mock.calls.length;
  };
  await vi.advanceTimersByTimeAsync(0);
  expect(await begin(2, 100)).toBe(5);
  await vi.advanceTimersByTimeAsync(250);
  expect(await begin(200, 100)).toBe(6);
  await vi.advanceTimersByTimeAsync(500);
  expect(await begin(400, 1)).toBe(7);
  peer.close();
});
