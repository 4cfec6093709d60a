// Web seeds beside peers and alone, on virtual time.

import { StorageError } from '@bt/storage';
import { describe, expect, it } from 'vitest';
import { type Content, makeContent } from '../support/content.ts';
import { checkInvariants, stopAll } from '../support/invariants.ts';
import { type NodeOptions, type SimNode, SimSwarm } from '../support/sim-swarm.ts';
import { SimWebServer, type SimWebServerOptions } from '../support/sim-web-server.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const content = makeContent(24 * MiB, 128 * KiB);

function setUp(used: Content, servers: readonly SimWebServerOptions[], seed = 7) {
  const swarm = new SimSwarm(used, { seed });
  const webServers = servers.map(
    (options, i) => new SimWebServer(swarm.clock, used, `http://seed-${i}.example/pub/`, options),
  );
  const addLeecher = (options: NodeOptions = {}) =>
    swarm.addNode({ announces: false, webServers, ...options });
  const addSeed = (options: NodeOptions = {}) =>
    swarm.addNode({ announces: false, isSeed: true, ...options }).start();
  return { swarm, webServers, server: webServers[0]!, addLeecher, addSeed };
}

const webEvents = (node: SimNode) =>
  node.events.flatMap((event) => (event.type === 'web-seed' ? [event] : []));
const outcomes = (node: SimNode) => webEvents(node).map(({ outcome }) => outcome);
const bannedPeers = (node: SimNode) => node.events.filter(({ type }) => type === 'peer-banned');

describe('a web seed alone', () => {
  it('completes a torrent in few requests, each byte once', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ bytesPerSecond: 2 * MiB }]);
    const leecher = addLeecher().start();
    expect(swarm.runUntilDone(MINUTE)).toBeLessThan(12.5 * SECOND);
    expect(server.sentBytes).toBe(content.bytes.length);
    expect(server.requests.length).toBeLessThan(8);
    expect(leecher.stats).toMatchObject({
      duplicateBytes: 0,
      webSeedBytes: content.bytes.length,
      webSeedsServing: 0,
    });
    expect(webEvents(leecher)).toEqual([
      expect.objectContaining({ outcome: 'serving', index: 0, url: 'http://seed-0.example' }),
    ]);
    checkInvariants(swarm, 'alone');
    stopAll(swarm, 'alone');
  });

  it('completes files of any length, and is never asked for padding or empty files', () => {
    const files = [300_001, 0, 2_000_000, 97_151, 16_384, 1, 0, 500_000, 24_288];
    const total = files.reduce((sum, length) => sum + length, 0);
    const several = makeContent(total, 64 * KiB, { files, pads: [3, 8] });
    const { swarm, server, addLeecher } = setUp(several, [{}]);
    const leecher = addLeecher().start();
    expect(swarm.runUntilDone(MINUTE)).toBeDefined();
    const asked = new Set(server.requests.map(({ fileIndex }) => fileIndex));
    expect([...asked].sort()).toEqual([0, 2, 4, 5, 7]);
    expect(server.sentBytes).toBe(total - files[3]! - files[8]!);
    expect(leecher.stats.duplicateBytes).toBe(0);
    checkInvariants(swarm, 'files');
  });

  it('asks for small files ahead of their turn', () => {
    const files = new Array<number>(200).fill(10_000);
    const small = makeContent(2_000_000, 64 * KiB, { files });
    const { swarm, server, addLeecher } = setUp(small, [{ latencyMs: 100 }]);
    addLeecher().start();
    // One after the other would take 20 s.
    expect(swarm.runUntilDone(MINUTE)).toBeLessThan(8 * SECOND);
    expect(server.mostOpen).toBe(6);
    expect(server.sentBytes).toBe(2_000_000);
  });

  it('is asked for what it sends in ten seconds, within 1 and 64 MiB', () => {
    const large = makeContent(200 * MiB, MiB);
    const lengthsAt = (used: Content, bytesPerSecond: number, ms: number) => {
      const { swarm, server, addLeecher } = setUp(used, [{ bytesPerSecond }]);
      addLeecher().start();
      swarm.clock.runUntil(ms);
      return server.requests.map(({ start, end }) => (end - start) / MiB);
    };
    const [first, ...slow] = lengthsAt(content, 40 * KiB, 5 * MINUTE);
    expect(first).toBe(4);
    expect(slow.length).toBeGreaterThan(2);
    expect(new Set(slow)).toEqual(new Set([1]));
    const [, middle] = lengthsAt(content, MiB, 10 * SECOND);
    expect(middle).toBeGreaterThan(8);
    expect(middle).toBeLessThan(12);
    const fast = lengthsAt(large, 40 * MiB, 10 * SECOND);
    expect(Math.max(...fast)).toBe(64);
  });

  it('is asked anew after ten minutes with one range', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ bytesPerSecond: 3 * KiB }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(11 * MINUTE);
    expect(server.requests.map(({ atMs }) => Math.round(atMs / SECOND))).toEqual([0, 600]);
    expect(outcomes(leecher)).toEqual(['serving']);
  });

  it('reads only what is wanted', () => {
    const files = [MiB, 4 * MiB, MiB, 2 * MiB];
    const several = makeContent(8 * MiB, 128 * KiB, { files });
    const { swarm, server, addLeecher } = setUp(several, [{}]);
    const leecher = addLeecher();
    leecher.act(() => leecher.torrent.selectFiles(0, [0, 2]));
    leecher.start();
    expect(swarm.runUntilDone(MINUTE)).toBeDefined();
    expect(new Set(server.requests.map(({ fileIndex }) => fileIndex))).toEqual(new Set([0, 2]));
    expect(server.sentBytes).toBe(2 * MiB);
  });

  it('goes in order where pieces are wanted in order', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ bytesPerSecond: 4 * MiB }]);
    addLeecher({ sequential: true }).start();
    expect(swarm.runUntilDone(MINUTE)).toBeDefined();
    const starts = server.requests.map(({ start }) => start);
    expect(starts[0]).toBe(0);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
  });

  it('begins where chance says, so that those who share it get different pieces', () => {
    const starts = [1, 2, 3, 4, 5].map((seed) => {
      const { swarm, server, addLeecher } = setUp(content, [{}], seed);
      addLeecher().start();
      swarm.clock.runUntil(SECOND);
      return server.requests[0]!.start;
    });
    expect(new Set(starts).size).toBe(5);
  });

  it('leaves a reader of a file waiting for no more than a new request', () => {
    const { swarm, addLeecher } = setUp(content, [{ bytesPerSecond: MiB }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(5 * SECOND);
    const lastPiece = content.info.geometry.pieceCount - 1;
    const [wanted] = [lastPiece, 0].filter((piece) => !leecher.torrent.has(piece));
    let readMs: number | undefined;
    leecher.onChunk = () => {
      readMs ??= swarm.clock.now;
    };
    const { now } = swarm.clock;
    const start = wanted! * 128 * KiB;
    leecher.act(() => {
      const reader = leecher.torrent.openReader(now, 0, start, 64 * KiB);
      leecher.torrent.pull(now, reader);
    });
    swarm.clock.runUntil(now + 2 * SECOND);
    expect(readMs).toBeLessThan(now + SECOND);
  });

  it('is heard of in the statistics, and keeps the torrent from being useless', () => {
    const { swarm, addLeecher } = setUp(content, [{ bytesPerSecond: 100 * KiB }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(90 * SECOND);
    expect(leecher.stats).toMatchObject({ webSeedsServing: 1, uselessMs: 0 });
    expect(leecher.stats.downRate).toBeGreaterThan(80 * KiB);
  });

  it('is let go when the torrent stops', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ bytesPerSecond: MiB }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(3 * SECOND);
    expect(server.open).toBe(1);
    leecher.stop();
    expect(server.open).toBe(0);
    stopAll(swarm, 'stop');
  });

  it('keeps to the download limit', () => {
    const { swarm, addLeecher } = setUp(content, [{ bytesPerSecond: 10 * MiB }]);
    const leecher = addLeecher({ downBytesPerSecond: 250 * KiB }).start();
    swarm.clock.runUntil(20 * SECOND);
    expect(leecher.stats.downloadedBytes).toBeGreaterThan(0.85 * 20 * 250 * KiB);
    expect(leecher.stats.downloadedBytes).toBeLessThan(1.1 * 20 * 250 * KiB);
  });

  it('is not read while the disk is behind', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ bytesPerSecond: 100 * MiB }]);
    const leecher = addLeecher({ bufferBytes: 2 * MiB, diskDelayMs: 2_000 }).start();
    swarm.clock.runUntil(SECOND);
    expect(server.sentBytes).toBeLessThan(4 * MiB);
    expect(swarm.runUntilDone(5 * MINUTE)).toBeDefined();
    expect(leecher.stats.duplicateBytes).toBe(0);
  });

  it('is not read while the disk takes nothing, and goes on afterwards', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ bytesPerSecond: MiB }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(2 * SECOND);
    leecher.disk.isRepaired = false;
    leecher.disk.stall(new StorageError('no-space', 'no space left'));
    swarm.clock.runUntil(3 * SECOND);
    const { sentBytes } = server;
    swarm.clock.runUntil(3 * MINUTE);
    expect(server.sentBytes).toBe(sentBytes);
    expect(leecher.stats.uselessMs).toBe(0);
    expect(outcomes(leecher)).toEqual(['serving']);
    leecher.disk.isRepaired = true;
    expect(swarm.runUntilDone(MINUTE)).toBeDefined();
    expect(server.sentBytes).toBe(content.bytes.length);
  });
});

describe.each([1, 2, 3])('web seeds and peers, with seed %i', (seed) => {
  it('share the work and double almost nothing', () => {
    const { swarm, server, addLeecher, addSeed } = setUp(content, [{ bytesPerSecond: MiB }], seed);
    const leecher = addLeecher().start();
    leecher.connectTo(addSeed({ lineUp: MiB }));
    // 24 s from either alone.
    expect(swarm.runUntilDone(MINUTE, [leecher])).toBeLessThan(15 * SECOND);
    expect(leecher.stats.webSeedBytes).toBeGreaterThan(9 * MiB);
    expect(leecher.stats.duplicateBytes).toBeLessThan(MiB);
    expect(server.requests.length).toBeLessThan(24);
    checkInvariants(swarm, `beside a peer, seed ${seed}`);
    stopAll(swarm, `beside a peer, seed ${seed}`);
  });

  it('share the work among several seeds', () => {
    const servers = [2 * MiB, MiB, 500 * KiB].map((bytesPerSecond) => ({ bytesPerSecond }));
    const { swarm, webServers, addLeecher } = setUp(content, servers, seed);
    const leecher = addLeecher().start();
    // 6.9 s if all were busy up to the end.
    expect(swarm.runUntilDone(MINUTE)).toBeLessThan(10 * SECOND);
    for (const { sentBytes } of webServers) expect(sentBytes).toBeGreaterThan(2 * MiB);
    expect(leecher.stats.duplicateBytes).toBeLessThan(2 * MiB);
    checkInvariants(swarm, `several, seed ${seed}`);
  });

  it('do not wait for a slow one', () => {
    const { swarm, addLeecher, addSeed } = setUp(content, [{ bytesPerSecond: 5 * KiB }], seed);
    const leecher = addLeecher().start();
    leecher.connectTo(addSeed({ lineUp: 2 * MiB }));
    expect(swarm.runUntilDone(MINUTE, [leecher])).toBeLessThan(16 * SECOND);
  });

  it('feed a swarm in which nobody has everything', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ bytesPerSecond: MiB }], seed);
    const leechers = [0, 1, 2, 3].map(() => addLeecher({ lineUp: 2 * MiB }).start());
    for (const leecher of leechers) leecher.connectTo(...leechers.filter((l) => l !== leecher));
    expect(swarm.runUntilDone(2 * MINUTE)).toBeLessThan(50 * SECOND);
    // Four times the content without the peers.
    expect(server.sentBytes).toBeLessThan(2 * content.bytes.length);
    checkInvariants(swarm, `swarm, seed ${seed}`);
  });

  it('drop a seed that sends wrong bytes, and nobody else', () => {
    const wrong = { bytesPerSecond: MiB, misbehave: () => ({ isWrong: true }) };
    const right = { bytesPerSecond: MiB };
    const { swarm, addLeecher, addSeed, webServers } = setUp(content, [wrong, right], seed);
    const leecher = addLeecher().start();
    leecher.connectTo(addSeed({ lineUp: 300 * KiB }), addSeed({ lineUp: 300 * KiB }));
    expect(swarm.runUntilDone(2 * MINUTE, [leecher])).toBeDefined();
    expect(bannedPeers(leecher)).toEqual([]);
    const events = webEvents(leecher).filter(({ outcome }) => outcome === 'banned');
    expect(events.map(({ index }) => index)).toEqual([0]);
    expect(webServers[0]!.open).toBe(0);
    checkInvariants(swarm, `wrong bytes, seed ${seed}`);
  });

  it('drop a seed that is wrong now and then in the end game, and nobody else', () => {
    const misbehave = ({ number }: { number: number }) => ({ isWrong: number % 2 === 1 });
    const large = makeContent(8 * MiB, MiB);
    const { swarm, addLeecher, addSeed } = setUp(
      large,
      [{ bytesPerSecond: 400 * KiB, misbehave }],
      seed,
    );
    const leecher = addLeecher({ strategies: { bbsPlus: true } }).start();
    leecher.connectTo(addSeed({ lineUp: 100 * KiB }), addSeed({ lineUp: 100 * KiB }));
    expect(swarm.runUntilDone(4 * MINUTE, [leecher])).toBeDefined();
    swarm.clock.runUntil(swarm.clock.now + 5 * SECOND);
    expect(bannedPeers(leecher)).toEqual([]);
    expect(outcomes(leecher)).toContain('banned');
    checkInvariants(swarm, `now and then, seed ${seed}`);
  });

  it('go on where each answer breaks off', () => {
    const misbehave = () => ({ endAfter: 700_000 });
    const { swarm, server, addLeecher } = setUp(content, [{ misbehave }], seed);
    const leecher = addLeecher().start();
    expect(swarm.runUntilDone(10 * MINUTE)).toBeDefined();
    expect(server.sentBytes).toBeLessThan(1.05 * content.bytes.length);
    expect(leecher.stats.duplicateBytes).toBe(0);
  });
});

describe('a web seed that fails', () => {
  it('is asked again after 5, 10, 20... seconds', () => {
    const misbehave = () => ({ answer: { status: 502 } });
    const { swarm, server, addLeecher } = setUp(content, [{ misbehave }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(10 * MINUTE);
    const times = server.requests.map(({ atMs }) => atMs);
    for (const [i, atMs] of times.slice(1).entries()) {
      const waited = atMs - times[i]!;
      expect(waited).toBeGreaterThan(0.75 * 5 * SECOND * 2 ** i);
      expect(waited).toBeLessThan(1.25 * 5 * SECOND * 2 ** i + 100);
    }
    expect(times.length).toBeGreaterThan(5);
    expect(leecher.stats).toMatchObject({ webSeedsServing: 0, uselessMs: 10 * MINUTE });
    // Nothing runs meanwhile but the answers and the waking up.
    expect(swarm.clock.steps).toBeLessThan(200);
  });

  it('is asked again when it says so, within an hour', () => {
    for (const [retryAfterMs, limitMs] of [
      [90 * SECOND, 90 * SECOND],
      [1e12, 60 * MINUTE],
    ] as const) {
      const misbehave = ({ number }: { number: number }) =>
        number === 0 ? { answer: { status: 503, retryAfterMs } } : undefined;
      const { swarm, server, addLeecher } = setUp(content, [{ misbehave }]);
      addLeecher().start();
      expect(swarm.runUntilDone(2 * 60 * MINUTE)).toBeDefined();
      expect(server.requests[1]!.atMs).toBeGreaterThanOrEqual(limitMs);
      expect(server.requests[1]!.atMs).toBeLessThan(limitMs + SECOND);
    }
  });

  it('with one file has that file alone taken from it', () => {
    const files = [2 * MiB + 5, 3 * MiB, 3 * MiB - 5];
    const several = makeContent(8 * MiB, 128 * KiB, { files });
    const misbehave = ({ fileIndex }: { fileIndex: number }) =>
      fileIndex === 1 ? { answer: { status: 404 } } : undefined;
    const { swarm, server, addLeecher, addSeed } = setUp(several, [{ misbehave }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(MINUTE);
    const { pieceCount } = several.info.geometry;
    const pieces = several.info.geometry.filePieces(1)!;
    for (let piece = 0; piece < pieceCount; piece += 1) {
      expect(leecher.torrent.has(piece)).toBe(piece < pieces.first || piece > pieces.last);
    }
    expect(server.requests.filter(({ fileIndex }) => fileIndex === 1)).toHaveLength(1);
    expect(webEvents(leecher).filter(({ outcome }) => outcome === 'no-file')).toEqual([
      expect.objectContaining({ fileIndex: 1, message: 'HTTP status 404' }),
    ]);
    leecher.connectTo(addSeed());
    expect(swarm.runUntilDone(MINUTE, [leecher])).toBeDefined();
  });

  it('with every file is given up, and ten events say so at most', () => {
    const files = new Array<number>(30).fill(100_000);
    const several = makeContent(3_000_000, 64 * KiB, { files });
    const misbehave = () => ({ answer: { status: 403 } });
    const { swarm, server, addLeecher } = setUp(several, [{ misbehave }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(10 * MINUTE);
    expect(outcomes(leecher).filter((outcome) => outcome === 'no-file')).toHaveLength(10);
    expect(outcomes(leecher).at(-1)).toBe('dropped');
    expect(server.requests.length).toBeLessThanOrEqual(6 * 30);
    expect(leecher.torrent.deadline()).toBeGreaterThan(10 * MINUTE);
  });

  it.each([
    ['another range', { contentRange: 'bytes 5-99/25165824' }],
    ['no word on the range', { contentRange: undefined }],
  ])('by answering %s is given up at the third time', (_, answer) => {
    const { swarm, server, addLeecher } = setUp(content, [{ misbehave: () => ({ answer }) }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(10 * MINUTE);
    expect(server.requests).toHaveLength(3);
    expect(outcomes(leecher)).toEqual(['waiting', 'waiting', 'dropped']);
    expect(leecher.stats.downloadedBytes).toBe(0);
  });

  it('by sending more than was asked for is given up, and what it sent is used', () => {
    const misbehave = () => ({ extraBytes: 100_000 });
    const { swarm, server, addLeecher } = setUp(content, [{ misbehave }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(10 * MINUTE);
    expect(server.requests.length).toBeLessThanOrEqual(4);
    expect(leecher.stats.piecesHave).toBeGreaterThan(0);
    expect(leecher.stats.rejectedBytes).toBe(0);
  });

  it('by silence waits, and what it was asked for comes from others', () => {
    const misbehave = () => ({ isSilent: true });
    const { swarm, server, addLeecher, addSeed } = setUp(content, [{ misbehave }]);
    const leecher = addLeecher().start();
    leecher.connectTo(addSeed({ lineUp: 2 * MiB }));
    expect(swarm.runUntilDone(MINUTE, [leecher])).toBeLessThan(16 * SECOND);
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['never answers', { isSilent: true }, 30],
    ['sends a byte now and then', { bytesPerSecond: 200 }, 60],
  ])('because it %s is let go', (_, misbehaviour, seconds) => {
    const { swarm, server, addLeecher } = setUp(content, [{ misbehave: () => misbehaviour }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil((seconds + 1) * SECOND);
    expect(server.cancelled).toBe(1);
    expect(outcomes(leecher).at(-1)).toBe('waiting');
    swarm.clock.runUntil((seconds + 8) * SECOND);
    expect(server.requests).toHaveLength(2);
  });

  it('on an address where it may not be is never asked again', () => {
    const failure = { code: 'forbidden', message: 'forbidden' } as const;
    const { swarm, server, addLeecher } = setUp(content, [{ misbehave: () => ({ failure }) }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(60 * MINUTE);
    expect(server.requests).toHaveLength(1);
    expect(outcomes(leecher)).toEqual(['dropped']);
  });
});

describe('a server that cuts ranges short', () => {
  it('is asked for the rest', () => {
    const misbehave = ({ start, end }: { start: number; end: number }) => {
      const last = Math.min(end, start + MiB) - 1;
      return {
        answer: { contentRange: `bytes ${start}-${last}/${content.bytes.length}` },
        endAfter: last - start + 1,
      };
    };
    const { swarm, server, addLeecher } = setUp(content, [{ misbehave }]);
    const leecher = addLeecher().start();
    expect(swarm.runUntilDone(MINUTE)).toBeLessThan(10 * SECOND);
    expect(server.sentBytes).toBe(content.bytes.length);
    expect(outcomes(leecher)).toEqual(['serving']);
  });
});

describe('a server that answers with less than a block', () => {
  const misbehave = ({ start }: { start: number }) => ({
    answer: { contentRange: `bytes ${start}-${start}/${content.bytes.length}` },
    endAfter: 1,
  });

  it('is given up at the third time, and counts for nothing', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ misbehave }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(MINUTE);
    expect(server.requests).toHaveLength(3);
    expect(outcomes(leecher)).toEqual([
      'serving',
      'waiting',
      'serving',
      'waiting',
      'serving',
      'dropped',
    ]);
    expect(leecher.stats).toMatchObject({ uselessMs: MINUTE, downloadedBytes: 0 });
  });

  it('holds up nobody else', () => {
    const { swarm, server, addLeecher, addSeed } = setUp(content, [{ misbehave }]);
    const leecher = addLeecher({ strategies: { endGame: false } }).start();
    leecher.connectTo(addSeed({ lineUp: MiB }));
    expect(swarm.runUntilDone(MINUTE, [leecher])).toBeLessThan(30 * SECOND);
    expect(server.requests).toHaveLength(3);
  });

  it('is asked on where it has sent a block before', () => {
    // Blocks of 16 KiB, and every third answer too short.
    const sometimes = ({ start, end, number }: { start: number; end: number; number: number }) => {
      const last = Math.min(end, start + (number % 3 === 1 ? 1 : MiB)) - 1;
      return {
        answer: { contentRange: `bytes ${start}-${last}/${content.bytes.length}` },
        endAfter: last - start + 1,
      };
    };
    const { swarm, addLeecher } = setUp(content, [{ misbehave: sometimes }]);
    addLeecher().start();
    expect(swarm.runUntilDone(10 * MINUTE)).toBeDefined();
  });
});

it('a web seed that trickles its first block is of no use meanwhile', () => {
  const { swarm, addLeecher } = setUp(content, [{ misbehave: () => ({ bytesPerSecond: 200 }) }]);
  const leecher = addLeecher().start();
  swarm.clock.runUntil(5 * MINUTE);
  expect(leecher.stats.uselessMs).toBe(5 * MINUTE);
});

describe('a server that sends whole files only', () => {
  it('is read from the beginning of a file to its end, once', () => {
    const { swarm, server, addLeecher } = setUp(content, [{ ignoresRanges: true }]);
    const leecher = addLeecher().start();
    expect(swarm.runUntilDone(MINUTE)).toBeDefined();
    expect(server.sentBytes).toBe(content.bytes.length);
    expect(server.requests).toHaveLength(1);
    expect(leecher.stats.duplicateBytes).toBe(0);
    checkInvariants(swarm, 'whole file');
  });

  it('is read file by file, with pieces that span files', () => {
    const files = [3_000_001, 40_000, 0, 1, 2_500_000, 5_000];
    const total = files.reduce((sum, length) => sum + length, 0);
    const several = makeContent(total, 64 * KiB, { files });
    const { swarm, server, addLeecher } = setUp(several, [{ ignoresRanges: true }]);
    addLeecher().start();
    expect(swarm.runUntilDone(MINUTE)).toBeDefined();
    // The file that the range began in, and the ends of two files that share a piece, may come twice.
    expect(server.sentBytes).toBeLessThan(3 * total);
    checkInvariants(swarm, 'whole files');
  });

  it('is left alone where most of the file would be thrown away', () => {
    const large = makeContent(40 * MiB, MiB);
    const have = Array.from({ length: 36 }, (_, piece) => piece);
    const { swarm, server, addLeecher } = setUp(large, [{ ignoresRanges: true }]);
    const leecher = addLeecher({ have }).start();
    swarm.clock.runUntil(MINUTE);
    expect(outcomes(leecher)).toEqual(['no-file', 'dropped']);
    expect(server.sentBytes).toBeLessThan(MiB);
  });

  it('is read past what is there where that is not much', () => {
    const have = Array.from({ length: 64 }, (_, piece) => piece);
    const { swarm, server, addLeecher } = setUp(content, [{ ignoresRanges: true }]);
    const leecher = addLeecher({ have }).start();
    expect(swarm.runUntilDone(MINUTE)).toBeDefined();
    expect(server.sentBytes).toBe(content.bytes.length);
    expect(leecher.stats.duplicateBytes).toBe(8 * MiB);
  });

  it('is given up for a file of another length', () => {
    const misbehave = () => ({ answer: { contentLength: '1234' } });
    const { swarm, addLeecher } = setUp(content, [{ ignoresRanges: true, misbehave }]);
    const leecher = addLeecher().start();
    swarm.clock.runUntil(MINUTE);
    expect(outcomes(leecher)).toEqual(['no-file', 'dropped']);
    expect(leecher.stats.downloadedBytes).toBe(0);
  });
});

describe('many web seeds', () => {
  it('are used eight at a time, and the next when one fails', () => {
    const servers = Array.from({ length: 20 }, (_, i) => ({
      bytesPerSecond: 50 * KiB,
      misbehave: () => (i % 2 === 0 ? { answer: { status: 500 } } : undefined),
    }));
    const { swarm, webServers, addLeecher } = setUp(content, servers);
    addLeecher().start();
    let mostOpen = 0;
    for (let i = 0; i < 40; i += 1) {
      swarm.clock.runUntil(swarm.clock.now + 500);
      mostOpen = Math.max(mostOpen, webServers.filter(({ open }) => open > 0).length);
    }
    expect(mostOpen).toBe(8);
    const working = webServers.filter((_, i) => i % 2 === 1 && webServers[i]!.open > 0);
    expect(working).toHaveLength(8);
  });

  it('beyond a hundred, other schemes and doubles are left aside', () => {
    const swarm = new SimSwarm(content, { seed: 1 });
    const server = (url: string) => new SimWebServer(swarm.clock, content, url, {});
    const ftp = server('ftp://seed.example/');
    const twice = [server('http://same.example/'), server('http://same.example/')];
    const many = Array.from({ length: 120 }, (_, i) => server(`http://seed-${i}.example/`));
    const webServers = [ftp, ...twice, ...many];
    swarm.addNode({ announces: false, webServers }).start();
    expect(swarm.runUntilDone(MINUTE)).toBeDefined();
    expect(ftp.requests).toEqual([]);
    expect(twice[1]!.requests).toEqual([]);
    for (const ignored of many.slice(99)) expect(ignored.requests).toEqual([]);
  });
});
