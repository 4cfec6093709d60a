import { describe, expect, it } from 'vitest';
import {
  decodeStunMessage,
  encodeChannelData,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  StunWriter,
} from '../../src/index.ts';
import { MAX_CHANNELS, MAX_PERMISSIONS } from '../../src/turn/relay-limits.ts';
import { FakeLink, PEER, SERVER, TurnLab } from './turn-lab.ts';

const DATA = Uint8Array.of(1, 2, 3, 4, 5);
const OTHER = { address: '203.0.113.8', port: 7000 };

function allocated(options: ConstructorParameters<typeof TurnLab>[0] = {}, link = new FakeLink()) {
  const requestsPerSecond = Number.POSITIVE_INFINITY;
  const lab = new TurnLab({ ...options, server: { requestsPerSecond, ...options.server } });
  expect(lab.allocate(link)).toBe('ok');
  const relay = lab.sockets.opened[0]!;
  link.sent.length = 0;
  return { lab, link, relay };
}

describe('permissions', () => {
  it('let datagrams through in both directions, from any port of their address, for five minutes', () => {
    const { lab, link, relay } = allocated();
    relay.onDatagram(lab.now, DATA, PEER.address, 1);
    expect(link.sent).toEqual([]);
    expect(lab.permit(link, PEER)).toBe('ok');
    link.sent.length = 0;
    relay.onDatagram(lab.now, DATA, PEER.address, 999);
    relay.onDatagram(lab.now, DATA, OTHER.address, OTHER.port);
    expect(link.sent).toHaveLength(1);
    const indication = decodeStunMessage(link.sent[0]!.bytes)!;
    expect(indication).toMatchObject({ class: 'indication', method: STUN_METHOD.data });
    expect(indication.xorAddress(STUN_ATTRIBUTE.xorPeerAddress)).toEqual({ ...PEER, port: 999 });
    expect(indication.value(STUN_ATTRIBUTE.data)).toEqual(DATA);
    lab.pass(299_000);
    lab.sendIndication(link, PEER, DATA);
    expect(relay.sent).toEqual([{ bytes: DATA, to: PEER }]);
    lab.pass(1_000);
    lab.sendIndication(link, PEER, DATA);
    relay.onDatagram(lab.now, DATA, PEER.address, 999);
    expect(relay.sent).toHaveLength(1);
    expect(link.sent).toHaveLength(1);
  });

  it('need an address, of the right family: 400, 443', () => {
    const { lab, link } = allocated();
    expect(lab.ask(link, STUN_METHOD.createPermission)).toBe(400);
    const broken = (w: StunWriter) => w.bytes(STUN_ATTRIBUTE.xorPeerAddress, new Uint8Array(7));
    expect(lab.ask(link, STUN_METHOD.createPermission, broken)).toBe(400);
    expect(lab.permit(link, { address: '2001:db8::7', port: 1 })).toBe(443);
  });

  it(`are ${MAX_PERMISSIONS} at most: 508; those that have run out make room`, () => {
    const { lab, link } = allocated();
    const peer = (i: number) => ({ address: `203.0.${i >>> 8}.${i & 255}`, port: 1 });
    for (let i = 0; i < MAX_PERMISSIONS; i++) expect(lab.permit(link, peer(i))).toBe('ok');
    expect(lab.permit(link, peer(MAX_PERMISSIONS))).toBe(508);
    expect(lab.bindChannel(link, 0x4000, peer(MAX_PERMISSIONS))).toBe(508);
    expect(lab.permit(link, peer(0), peer(1))).toBe('ok');
    lab.pass(300_000);
    expect(lab.permit(link, peer(MAX_PERMISSIONS))).toBe('ok');
  });

  it('are needed by Send, which is dropped with anything that is not understood', () => {
    const { lab, link, relay } = allocated();
    lab.permit(link, PEER);
    const send = (write: (w: StunWriter) => StunWriter) =>
      lab.handle(
        link,
        write(new StunWriter('indication', STUN_METHOD.send, lab.transactionId())).finish(),
      );
    const peer = (w: StunWriter) => w.xorAddress(STUN_ATTRIBUTE.xorPeerAddress, PEER);
    send((w) => peer(w).bytes(STUN_ATTRIBUTE.data, DATA).flag(STUN_ATTRIBUTE.dontFragment));
    send((w) => peer(w));
    send((w) => w.bytes(STUN_ATTRIBUTE.data, DATA));
    lab.sendIndication(link, { ...PEER, port: 0 }, DATA);
    lab.sendIndication(link, OTHER, DATA);
    expect(relay.sent).toEqual([]);
    expect(lab.server.statistics.droppedPackets).toBe(5);
    lab.sendIndication(link, PEER, new Uint8Array());
    expect(relay.sent).toEqual([{ bytes: new Uint8Array(), to: PEER }]);
  });
});

describe('permissions for an endpoint alone, as for an allocation on another server', () => {
  const relayed = { address: '203.0.113.2', port: 50_000 };
  const strangers = [3478, 53, 51_234].map((port) => ({ ...relayed, port }));

  it('open no other port of its address, in either direction', () => {
    const { lab, link, relay } = allocated({
      mayReach: (_, { port }) => (port === relayed.port ? 'endpoint' : 'no'),
    });
    expect(lab.permit(link, strangers[0]!)).toBe(403);
    expect(lab.permit(link, relayed)).toBe('ok');
    expect(lab.bindChannel(link, 0x4000, relayed)).toBe('ok');
    link.sent.length = 0;
    for (const peer of [...strangers, relayed]) {
      lab.sendIndication(link, peer, DATA);
      relay.onDatagram(lab.now, DATA, peer.address, peer.port);
    }
    expect(relay.sent).toEqual([{ bytes: DATA, to: relayed }]);
    expect(link.sent.map(({ bytes }) => bytes)).toEqual([encodeChannelData(0x4000, DATA)]);
  });

  it('narrow one for the whole address when they are the last to be granted, and the other way round', () => {
    let answer: 'yes' | 'endpoint' = 'yes';
    const { lab, link, relay } = allocated({
      mayReach: (_, { port }) => (port === relayed.port ? answer : 'no'),
    });
    lab.permit(link, relayed);
    for (const peer of strangers) lab.sendIndication(link, peer, DATA);
    expect(relay.sent).toHaveLength(3);
    answer = 'endpoint';
    lab.permit(link, relayed);
    for (const peer of strangers) lab.sendIndication(link, peer, DATA);
    expect(relay.sent).toHaveLength(3);
    answer = 'yes';
    lab.permit(link, relayed);
    for (const peer of strangers) lab.sendIndication(link, peer, DATA);
    expect(relay.sent).toHaveLength(6);
  });
});

describe('channels', () => {
  it('carry datagrams in both directions', () => {
    const { lab, link, relay } = allocated();
    expect(lab.bindChannel(link, 0x4001, PEER)).toBe('ok');
    lab.server.handleChannelData(lab.now, encodeChannelData(0x4001, DATA), link);
    expect(relay.sent).toEqual([{ bytes: DATA, to: PEER }]);
    link.sent.length = 0;
    relay.onDatagram(lab.now, DATA, PEER.address, PEER.port);
    expect(link.sent[0]!.bytes).toEqual(encodeChannelData(0x4001, DATA));
    // Another port of the same address has the permission, and no channel.
    relay.onDatagram(lab.now, DATA, PEER.address, PEER.port + 1);
    expect(decodeStunMessage(link.sent[1]!.bytes)!.method).toBe(STUN_METHOD.data);
    expect(lab.server.statistics).toMatchObject({ relayedPackets: 3, relayedBytes: 15 });
  });

  it('over TCP are padded with zeros to four bytes, and padding that comes is passed over', () => {
    const tcp = new FakeLink({ address: '198.51.100.9', port: 1 }, 'tcp');
    const { lab, link, relay } = allocated({}, tcp);
    lab.bindChannel(link, 0x4001, PEER);
    link.sent.length = 0;
    relay.onDatagram(lab.now, DATA, PEER.address, PEER.port);
    expect(link.sent[0]!.bytes).toEqual(encodeChannelData(0x4001, DATA, true));
    lab.server.handleChannelData(lab.now, encodeChannelData(0x4001, DATA, true), link);
    expect(relay.sent).toEqual([{ bytes: DATA, to: PEER }]);
  });

  it('that are not bound, or shorter than they say, are dropped', () => {
    const { lab, link, relay } = allocated();
    lab.bindChannel(link, 0x4001, PEER);
    const bytes = encodeChannelData(0x4001, DATA);
    for (let end = 0; end < bytes.length; end++) {
      lab.server.handleChannelData(lab.now, bytes.subarray(0, end), link);
    }
    lab.server.handleChannelData(lab.now, encodeChannelData(0x4002, DATA), link);
    expect(relay.sent).toEqual([]);
    lab.server.handleChannelData(lab.now, encodeChannelData(0x4001, new Uint8Array()), link);
    expect(relay.sent).toHaveLength(1);
  });

  it('bind one number to one peer: 400 for another of either', () => {
    const { lab, link } = allocated();
    expect(lab.bindChannel(link, 0x4001, PEER)).toBe('ok');
    expect(lab.bindChannel(link, 0x4001, PEER)).toBe('ok');
    expect(lab.bindChannel(link, 0x4001, OTHER)).toBe(400);
    expect(lab.bindChannel(link, 0x4002, PEER)).toBe(400);
    expect(lab.bindChannel(link, 0x4002, OTHER)).toBe('ok');
    expect(lab.bindChannel(link, 0x3fff, { ...PEER, port: 1 })).toBe(400);
    expect(lab.bindChannel(link, 0x8000, { ...PEER, port: 1 })).toBe(400);
    expect(lab.bindChannel(link, 0x4003, { ...PEER, port: 0 })).toBe(400);
  });

  it('last ten minutes, their permission five', () => {
    const { lab, link, relay } = allocated();
    lab.refresh(link, 3_600);
    lab.bindChannel(link, 0x4001, PEER);
    const send = () => lab.server.handleChannelData(lab.now, encodeChannelData(0x4001, DATA), link);
    lab.pass(299_000);
    send();
    expect(relay.sent).toHaveLength(1);
    lab.pass(1_000);
    send();
    expect(relay.sent).toHaveLength(1);
    lab.permit(link, PEER);
    send();
    expect(relay.sent).toHaveLength(2);
    lab.pass(299_000);
    send();
    expect(relay.sent).toHaveLength(3);
    lab.permit(link, PEER);
    lab.pass(1_000);
    send();
    expect(relay.sent).toHaveLength(3);
    // What has run out can be bound anew, crosswise too.
    expect(lab.bindChannel(link, 0x4001, OTHER)).toBe('ok');
    expect(lab.bindChannel(link, 0x4002, PEER)).toBe('ok');
  });

  it(`are ${MAX_CHANNELS} at most: 508; those that have run out make room`, () => {
    const { lab, link } = allocated();
    for (let i = 0; i < MAX_CHANNELS; i++) {
      expect(lab.bindChannel(link, 0x4000 + i, { ...PEER, port: 1 + i })).toBe('ok');
    }
    expect(lab.bindChannel(link, 0x4fff, { ...PEER, port: 9999 })).toBe(508);
    expect(lab.bindChannel(link, 0x4000, { ...PEER, port: 1 })).toBe('ok');
    lab.refresh(link, 3_600);
    lab.pass(600_000);
    expect(lab.bindChannel(link, 0x4fff, { ...PEER, port: 9999 })).toBe('ok');
  });
});

describe('between two allocations of one server', () => {
  it('what the pool says is asked for the very endpoint, in both directions', () => {
    const friends = new Set<number>([50_000, 50_002]);
    const { lab, link, relay } = allocated({
      mayReach: (_, { port }) => (friends.has(port) ? 'yes' : 'no'),
    });
    const friend = { address: SERVER.address, port: 50_002 };
    const stranger = { address: SERVER.address, port: 50_004 };
    expect(lab.permit(link, friend)).toBe('ok');
    expect(lab.permit(link, stranger)).toBe(403);
    link.sent.length = 0;
    // The permission is for the address of the server, where the stranger's relay is as well.
    relay.onDatagram(lab.now, DATA, stranger.address, stranger.port);
    expect(link.sent).toEqual([]);
    relay.onDatagram(lab.now, DATA, friend.address, friend.port);
    expect(link.sent).toHaveLength(1);
    lab.sendIndication(link, stranger, DATA);
    expect(relay.sent).toEqual([]);
    lab.sendIndication(link, friend, DATA);
    expect(relay.sent).toHaveLength(1);
    relay.sent.length = 0;
    friends.delete(50_002);
    lab.sendIndication(link, friend, DATA);
    expect(relay.sent).toEqual([]);
  });

  it('a channel ends with the allocation at its other end: its port may be a stranger’s next', () => {
    const { lab, link, relay } = allocated();
    const other = new FakeLink({ address: '198.51.100.10', port: 1 });
    expect(lab.allocate(other, undefined, { username: 'bob' })).toBe('ok');
    const peer = lab.sockets.opened[1]!.relayed;
    expect(lab.bindChannel(link, 0x4000, peer)).toBe('ok');
    expect(lab.permit(other, relay.relayed, 'bob')).toBe('ok');
    other.sent.length = 0;
    link.sent.length = 0;
    const send = () => lab.server.handleChannelData(lab.now, encodeChannelData(0x4000, DATA), link);
    send();
    relay.onDatagram(lab.now, DATA, peer.address, peer.port);
    expect([other.sent.length, link.sent.length]).toEqual([1, 1]);
    expect(lab.refresh(other, 0, 'bob')).toBe('ok');
    other.sent.length = 0;
    // The same client, with the same port, as it were a stranger's.
    expect(lab.allocate(other, undefined, { username: 'bob' })).toBe('ok');
    expect(lab.permit(other, relay.relayed, 'bob')).toBe('ok');
    other.sent.length = 0;
    send();
    relay.onDatagram(lab.now, DATA, peer.address, peer.port);
    expect([other.sent.length, link.sent.length, relay.sent.length]).toEqual([0, 1, 0]);
  });

  it('datagrams go straight from one to the other, where the other has a permission', () => {
    const { lab, link, relay } = allocated();
    const other = new FakeLink({ address: '198.51.100.10', port: 1 });
    expect(lab.allocate(other, undefined, { username: 'bob' })).toBe('ok');
    const peer = lab.sockets.opened[1]!.relayed;
    expect(lab.permit(link, peer)).toBe('ok');
    other.sent.length = 0;
    lab.sendIndication(link, peer, DATA);
    expect(other.sent).toEqual([]);
    expect(lab.permit(other, relay.relayed, 'bob')).toBe('ok');
    other.sent.length = 0;
    lab.sendIndication(link, peer, DATA);
    const indication = decodeStunMessage(other.sent[0]!.bytes)!;
    expect(indication.xorAddress(STUN_ATTRIBUTE.xorPeerAddress)).toEqual(relay.relayed);
    expect(indication.value(STUN_ATTRIBUTE.data)).toEqual(DATA);
    expect(lab.bindChannel(link, 0x4000, peer)).toBe('ok');
    lab.server.handleChannelData(lab.now, encodeChannelData(0x4000, DATA), link);
    expect(decodeStunMessage(other.sent[1]!.bytes)!.value(STUN_ATTRIBUTE.data)).toEqual(DATA);
    expect(relay.sent).toEqual([]);
  });
});

describe('what is too much', () => {
  it('of bytes for a user, all his allocations together, is dropped until time has passed', () => {
    const { lab, link, relay } = allocated({ server: { bytesPerSecond: 12 } });
    const second = new FakeLink({ address: '198.51.100.9', port: 4001 });
    expect(lab.allocate(second)).toBe('ok');
    lab.bindChannel(link, 0x4000, PEER);
    lab.permit(second, PEER);
    lab.server.handleChannelData(lab.now, encodeChannelData(0x4000, DATA), link);
    link.sent.length = 0;
    second.sent.length = 0;
    lab.sockets.opened[1]!.onDatagram(lab.now, DATA, PEER.address, PEER.port);
    expect(second.sent).toHaveLength(1);
    relay.onDatagram(lab.now, DATA, PEER.address, PEER.port);
    lab.sendIndication(second, PEER, DATA);
    expect(link.sent).toEqual([]);
    expect(lab.sockets.opened[1]!.sent).toEqual([]);
    lab.pass(1_000);
    relay.onDatagram(lab.now, DATA, PEER.address, PEER.port);
    expect(link.sent).toHaveLength(1);
  });

  it('of bytes for an account stays too much when its allocation ends and another begins', () => {
    const { lab, link, relay } = allocated({ server: { bytesPerSecond: 5 } });
    lab.permit(link, PEER);
    lab.sendIndication(link, PEER, DATA);
    expect(relay.sent).toHaveLength(1);
    expect(lab.refresh(link, 0)).toBe('ok');
    expect(lab.allocate(link)).toBe('ok');
    lab.permit(link, PEER);
    lab.sendIndication(link, PEER, DATA);
    expect(lab.sockets.opened[1]!.sent).toEqual([]);
    lab.pass(1_000);
    lab.sendIndication(link, PEER, DATA);
    expect(lab.sockets.opened[1]!.sent).toHaveLength(1);
    // Nothing is kept of it in the end.
    expect(lab.refresh(link, 0)).toBe('ok');
    lab.pass(3_000);
    expect(lab.server.deadline()).toBeUndefined();
  });

  it('of bytes for a client network, four times a user’s, is dropped, whoever its users are', () => {
    let names = 0;
    const accountOf = () => `member ${++names}`;
    const { lab } = allocated({ server: { bytesPerSecond: 5 }, accountOf });
    for (let port = 1; port <= 6; port++) {
      const link = new FakeLink({ address: port === 6 ? '198.51.100.10' : '198.51.100.9', port });
      names = 10 * port;
      expect(lab.allocate(link)).toBe('ok');
      names = 10 * port;
      lab.permit(link, PEER);
      lab.sendIndication(link, PEER, DATA);
    }
    const relays = lab.sockets.opened.slice(1);
    expect(relays.map(({ sent }) => sent.length)).toEqual([1, 1, 1, 1, 0, 1]);
  });

  it('of bytes in all, where it is told how many, is dropped', () => {
    const { lab, link, relay } = allocated({ server: { totalBytesPerSecond: 9 } });
    const other = new FakeLink({ address: '203.0.113.44', port: 1 });
    expect(lab.allocate(other, undefined, { username: 'bob' })).toBe('ok');
    lab.permit(link, PEER);
    lab.permit(other, PEER, 'bob');
    lab.sendIndication(link, PEER, DATA);
    lab.sendIndication(other, PEER, DATA);
    expect(relay.sent).toHaveLength(1);
    expect(lab.sockets.opened[1]!.sent).toEqual([]);
  });

  it('for a client that takes nothing is dropped', () => {
    const { lab, link, relay } = allocated();
    lab.bindChannel(link, 0x4000, PEER);
    link.sent.length = 0;
    link.isWritable = false;
    relay.onDatagram(lab.now, DATA, PEER.address, PEER.port);
    relay.onDatagram(lab.now, DATA, PEER.address, 1);
    expect(link.sent).toEqual([]);
    expect(lab.server.statistics.droppedPackets).toBe(2);
  });
});
