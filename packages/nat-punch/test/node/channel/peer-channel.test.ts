import { afterEach, expect, it } from 'vitest';
import type { ChannelSignal } from '../../../src/channel/channel-handshake.ts';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import { PeerChannel } from '../../../src/node/channel/peer-channel.ts';

const channels: PeerChannel[] = [];
afterEach(() => {
  for (const channel of channels.splice(0)) channel.close();
});

it('makes another channel at once, not when its turn comes, if the other end waits in one', async () => {
  const said: ChannelSignal[] = [];
  let failed = () => {};
  const failure = new Promise<void>((resolve) => {
    failed = resolve;
  });
  const channel = new PeerChannel(
    {
      isControlling: true,
      identities: { own: 'a', peer: 'b' },
      certificate: makeCertificate(),
      signal: (data) => said.push(data),
      onOpen: () => {},
      onMessage: () => {},
      onWritable: () => {},
      onClose: () => {},
      onRefused: () => {},
    },
    {
      isIceEndToEnd: false,
      open: async () => {
        // The channel dies of this in the turns that follow.
        setImmediate(failed);
        throw new Error('no socket');
      },
    },
  );
  channels.push(channel);
  await failure;
  expect(said.map(({ round }) => round)).toEqual([1]);
  channel.handleSignal({ kind: 'channel', round: 2, fingerprint: 'bb'.repeat(32) });
  expect(said.map(({ round }) => round)).toEqual([1, 2]);
});
