// What a member can do that runs another program than ours: it has a channel, and says what it likes.
import { afterEach, expect, it } from 'vitest';
import type { Lane } from '../../../src/channel/lane.ts';
import { ReliableMessages } from '../../../src/channel/reliable-messages.ts';
import { encodeChatFrame, encodeFileFrame } from '../../../src/chat/chat-frame.ts';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import { type PeerTransport, PoolPeer } from '../../../src/node/channel/pool-peer.ts';
import { SecureChannel } from '../../../src/node/channel/secure-channel.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** An honest member, and the raw channel that a hostile one has to it. */
async function meet(): Promise<{ victim: PoolPeer; channel: SecureChannel; ended: Promise<void> }> {
  const transport: PeerTransport = {
    send: (datagram) => channel.handleDatagram(datagram),
    onDatagram: () => {},
    onPath: () => {},
    close: () => {},
  };
  const victim = new PoolPeer({
    kind: 'terminal',
    isControlling: true,
    identities: { own: 'a', peer: 'b' },
    certificate: makeCertificate(),
    signal: (data) => setImmediate(() => channel.handleSignal(data)),
    transport,
  });
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const channel = new SecureChannel({
    isControlling: false,
    identities: { own: 'b', peer: 'a' },
    certificate: makeCertificate(),
    signal: (data) => setImmediate(() => victim.handleSignal(data)),
    send: (datagram) => transport.onDatagram(datagram),
    onOpen: open,
    onMessage: () => {},
    onWritable: () => {},
    onClose: () => {},
    onRefused: () => {},
  });
  closing.push(
    () => victim.close(),
    () => channel.close(),
  );
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const victimOpened = new Promise<void>((resolve) => {
    victim.onState = () => {
      if (victim.state === 'open') resolve();
      if (victim.state === 'closed') end();
    };
  });
  await Promise.all([opened, victimOpened]);
  return { victim, channel, ended };
}

/** Frames as an honest end would number them. */
function numbered(messages: readonly Uint8Array[]): Uint8Array[] {
  const end = new ReliableMessages({ stream: new Uint8Array(8).fill(9) });
  end.handleOpen();
  for (const message of messages) end.send(message);
  const frames: Uint8Array[] = [];
  for (let frame = end.poll(0); frame; frame = end.poll(0)) frames.push(frame);
  return frames;
}

const text = (bytes: Uint8Array) => Uint8Array.of(1, ...bytes);

it.each<[what: string, lane: Lane, frames: Uint8Array[]]>([
  ['no frame', 'chat', [Uint8Array.of(99, 1, 2, 3)]],
  ['an empty frame', 'file', [new Uint8Array(0)]],
  ['talk that is no UTF-8', 'chat', numbered([text(Uint8Array.of(0xff, 0xfe))])],
  ['talk of an unknown type', 'chat', numbered([Uint8Array.of(77)])],
  [
    'a chunk of a file that was never asked for',
    'file',
    numbered([
      encodeFileFrame({ type: 'accept', transfer: 5, offset: 0, checksum: new Uint8Array(32) }),
    ]),
  ],
  [
    'one file offered twice',
    'file',
    numbered(
      [1, 1].map((transfer) =>
        encodeFileFrame({
          type: 'offer',
          transfer,
          lengthBytes: 1,
          key: new Uint8Array(16),
          name: 'x',
        }),
      ),
    ),
  ],
])('is cut off for %s', async (_, lane, frames) => {
  const { victim, channel, ended } = await meet();
  victim.onOffer = () => {};
  for (const frame of frames) channel.send(lane, frame);
  await ended;
  expect(victim.closeReason).toBe('invalid-message');
});

it('is refused when it reveals what it has not committed to', async () => {
  const { victim, channel } = await meet();
  const refused = new Promise<void>((resolve) => {
    victim.onState = () => {
      if (victim.state === 'refused') resolve();
    };
  });
  channel.send('chat', Uint8Array.of(17, ...new Uint8Array(32)));
  await refused;
  expect(victim.refusal).toBe('wrong-commitment');
});

it('gets no more than so many files on offer', async () => {
  const { victim, channel } = await meet();
  let offers = 0;
  victim.onOffer = () => {
    offers += 1;
  };
  const offer = (transfer: number) =>
    encodeFileFrame({
      type: 'offer',
      transfer,
      lengthBytes: 1,
      key: new Uint8Array(16),
      name: 'x',
    });
  const frames = numbered(Array.from({ length: 50 }, (_, index) => offer(index)));
  for (const frame of frames) channel.send('file', frame);
  for (const frame of numbered([encodeChatFrame({ type: 'text', text: 'done' })])) {
    channel.send('chat', frame);
  }
  const reader = victim.messages();
  expect((await reader.next()).value).toBe('done');
  expect(offers).toBeLessThanOrEqual(8);
});

it('says what it likes through signalling, and nothing happens', async () => {
  const { victim } = await meet();
  for (const data of [
    null,
    5,
    { kind: 'channel' },
    { kind: 'channel', round: 1, fingerprint: 'zz' },
    { kind: 'pake', round: 1, confirmation: '00'.repeat(32) },
    { kind: 'ice', round: 1, candidate: 'candidate:nonsense' },
  ]) {
    victim.handleSignal(data);
  }
  expect(victim.state).toBe('open');
});
