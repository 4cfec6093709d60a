import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createRandom,
  type HostOptions,
  Network,
  type NetworkOptions,
  randomBytes,
  type StreamEnd,
  VirtualClock,
} from '../src/index.ts';

function pair(options: NetworkOptions = {}, a?: Partial<HostOptions>, b?: Partial<HostOptions>) {
  const clock = new VirtualClock();
  const network = new Network(clock, createRandom(1), options);
  const left = network.addHost({ address: '10.0.0.1', ...a });
  const right = network.addHost({ address: '10.0.0.2', ...b });
  return { clock, network, left, right };
}

/** Connects the two and gathers what each end hears. */
function connected(net: ReturnType<typeof pair>) {
  const heard = { left: [] as number[], right: [] as number[], closes: [] as string[] };
  let accepted: StreamEnd | undefined;
  net.right.listen(80, (stream) => {
    accepted = stream;
    stream.listener = {
      onData: (bytes) => heard.right.push(...bytes),
      onClose: (error) => heard.closes.push(`right ${error}`),
    };
  });
  const stream = net.left.connect({ address: '10.0.0.2', port: 80 });
  stream.listener = {
    onData: (bytes) => heard.left.push(...bytes),
    onClose: (error) => heard.closes.push(`left ${error}`),
  };
  net.clock.runUntil(net.clock.now + 100);
  return { stream, accepted: accepted as unknown as StreamEnd, heard };
}

describe('streams', () => {
  it('carry every byte in order, whatever the pieces, pauses and rates', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 30 }),
        fc.record({
          packetBytes: fc.integer({ min: 1, max: 64 }),
          windowBytes: fc.integer({ min: 1, max: 256 }),
        }),
        fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 8 }),
        (chunks, options, pauses) => {
          const net = pair(options, { upBytesPerSecond: 50_000 }, { downBytesPerSecond: 80_000 });
          const { stream, accepted, heard } = connected(net);
          for (const chunk of chunks) stream.send(chunk);
          for (const pause of pauses) {
            net.clock.after(pause * 10, () => accepted.pause());
            net.clock.after(pause * 10 + 15, () => accepted.resume());
          }
          net.clock.after(1, () => stream.close());
          net.clock.runUntil(60_000);
          expect(heard.right).toEqual(chunks.flatMap((chunk) => [...chunk]));
          expect(heard.closes.sort()).toEqual(['left undefined', 'right undefined']);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('pass at the rate of the slower line, shared evenly', () => {
    const net = pair({ latencyMs: 10 }, { upBytesPerSecond: 1_000_000 });
    const third = net.network.addHost({ address: '10.0.0.3' });
    const ends: number[] = [];
    for (const host of [net.right, third]) {
      let received = 0;
      host.listen(80, (stream) => {
        stream.listener = {
          onData: (bytes) => {
            received += bytes.length;
            if (received === 500_000) ends.push(net.clock.now);
          },
          onClose: () => {},
        };
      });
      net.left.connect({ address: host.address, port: 80 }).send(new Uint8Array(500_000));
    }
    net.clock.runUntil(10_000);
    expect(ends).toHaveLength(2);
    for (const end of ends) expect(Math.abs(end - 1030)).toBeLessThan(40);
  });

  it('stop the sender at the window while the receiver is paused', () => {
    const net = pair({ windowBytes: 10_000 });
    const { stream, accepted, heard } = connected(net);
    accepted.pause();
    stream.send(randomBytes(createRandom(2), 50_000));
    net.clock.runUntil(5_000);
    expect([stream.queuedBytes, heard.right.length]).toEqual([40_000, 0]);
    accepted.resume();
    net.clock.runUntil(10_000);
    expect([stream.queuedBytes, heard.right.length]).toEqual([0, 50_000]);
  });

  it('are refused where nobody listens, unreachable where nobody is, reset when cut', () => {
    const net = pair();
    const errors: string[] = [];
    for (const address of ['10.0.0.2', '10.0.0.9']) {
      const stream = net.left.connect({ address, port: 81 });
      stream.listener = { onData: () => {}, onClose: (error) => errors.push(`${error}`) };
    }
    net.clock.runUntil(30_000);
    expect(errors).toEqual(['refused', 'unreachable']);
    const { stream, heard } = connected(net);
    stream.cut();
    net.clock.runUntil(31_000);
    expect(heard.closes.sort()).toEqual(['left reset', 'right reset']);
  });

  it('stall while a host is offline and go on afterwards', () => {
    const net = pair();
    const { stream, heard } = connected(net);
    net.right.goOfflineFor(60_000);
    stream.send(new Uint8Array(1000));
    net.clock.runUntil(50_000);
    expect(heard.right.length).toBe(0);
    net.clock.runUntil(70_000);
    expect(heard.right.length).toBe(1000);
  });
});

describe('datagrams', () => {
  it('arrive after the latency, less the loss, and replay from the seed', () => {
    const run = () => {
      const net = pair({ latencyMs: 20, datagramLoss: 0.25 });
      const arrived: number[] = [];
      net.right.bindDatagrams(5, (bytes, from) => {
        expect(from).toEqual({ address: '10.0.0.1', port: 6 });
        expect(net.clock.now).toBe(20);
        arrived.push(bytes[0]! * 256 + bytes[1]!);
      });
      for (let i = 0; i < 1000; i += 1) {
        net.left.sendDatagram(6, { address: '10.0.0.2', port: 5 }, Uint8Array.of(i >> 8, i & 255));
      }
      net.clock.runUntil(1000);
      return arrived;
    };
    const arrived = run();
    expect(Math.abs(arrived.length - 750)).toBeLessThan(50);
    expect(run()).toEqual(arrived);
  });
});
