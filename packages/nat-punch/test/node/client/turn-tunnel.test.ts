// The tunnel between node-datachannel's ICE and our relay, with no other way between the two.
import { afterEach, expect, it } from 'vitest';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import { IceChannel } from '../../../src/node/channel/ice-channel.ts';
import { RelayServer } from '../../../src/node/server/relay-server.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it('lets two meet by the relay over TCP when nothing else leads from one to the other', async () => {
  const relay = await RelayServer.start({
    port: 0,
    realm: 'test',
    addresses: ['127.0.0.1'],
    access: { passwordOf: () => 'secret', mayReach: () => 'yes' },
  });
  closing.push(() => relay.close());
  const log: string[] = [];
  let wake = () => {};
  const note = (text: string) => {
    log.push(text);
    wake();
  };
  const ends: IceChannel[] = [0, 1].map(
    (index) =>
      new IceChannel({
        isControlling: index === 0,
        identities: index === 0 ? { own: 'a', peer: 'b' } : { own: 'b', peer: 'a' },
        certificate: makeCertificate(),
        iceServers: () => [],
        serverAddress: () => '127.0.0.1',
        relayOverTcp: () => ({
          server: { address: '127.0.0.1', port: relay.port },
          tls: false,
          username: 'user',
          password: 'secret',
        }),
        signal: (data) => {
          const {
            kind,
            candidate = '',
            candidates,
          } = data as {
            kind: string;
            candidate?: string;
            candidates?: string[];
          };
          // Relayed candidates alone: nothing else leads through.
          if (kind === 'ice' && !candidate.includes('typ relay')) return;
          const told = candidates?.filter((one) => one.includes('typ relay'));
          const passed = told === undefined ? data : { ...data, candidates: told };
          setImmediate(() => ends[1 - index]!.handleSignal(passed));
        },
        onOpen: () => note(`${index} open`),
        onMessage: (_, message) => note(`${index} ${new TextDecoder().decode(message)}`),
        onWritable: () => {},
        onClose: () => {},
        onRefused: () => {},
      }),
  );
  for (const end of ends) closing.push(() => end.close());
  const until = async (text: string) => {
    while (!log.includes(text)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await until('0 open');
  await until('1 open');
  ends[0]!.send('chat', new TextEncoder().encode('x'.repeat(5001)));
  await until(`1 ${'x'.repeat(5001)}`);
  // Once met, the two may find that loopback joins them directly: that they met is what the tunnel did.
  expect(relay.statistics.relayedPackets).toBeGreaterThan(0);
});
