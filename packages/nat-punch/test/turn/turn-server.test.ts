import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeStunMessage,
  decodeUnknownAttributes,
  encodeChannelData,
  hasIntegrity,
  longTermKey,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  StunWriter,
} from '../../src/index.ts';
import {
  MAX_ALLOCATIONS,
  MAX_ALLOCATIONS_PER_NETWORK,
  MAX_REALM_BYTES,
  REQUEST_BURST,
} from '../../src/turn/relay-limits.ts';
import { FakeLink, PEER, REALM, SERVER, TurnLab, withUdp } from './turn-lab.ts';

const KEY = longTermKey('alice', REALM, 'secret');
const data = Uint8Array.of(1, 2, 3, 4, 5);

/** A client with an allocation. */
function allocated(options: ConstructorParameters<typeof TurnLab>[0] = {}) {
  const lab = new TurnLab(options);
  const link = new FakeLink();
  expect(lab.allocate(link)).toBe('ok');
  return { lab, link, relay: lab.sockets.opened[0]! };
}

describe('authentication', () => {
  it('challenges an Allocate without credentials, and remembers nothing', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const request = withUdp(
      new StunWriter('request', STUN_METHOD.allocate, lab.transactionId()),
    ).finish();
    const answer = lab.handle(link, request)!;
    expect(answer.errorCode()!.code).toBe(401);
    expect(answer.text(STUN_ATTRIBUTE.realm)).toBe(REALM);
    expect(answer.text(STUN_ATTRIBUTE.nonce)).toHaveLength(16);
    expect(answer.has(STUN_ATTRIBUTE.software)).toBe(false);
    expect(link).toMatchObject({ allocation: undefined, isKept: false });
    expect(lab.server.socketsByUser.size).toBe(0);
  });

  it('keeps every challenge to three times its request over UDP, whatever the realm', () => {
    const lab = new TurnLab({ server: { realm: 'x'.repeat(MAX_REALM_BYTES) } });
    const id = lab.transactionId();
    for (const method of [1, 3, 4, 8, 9]) {
      for (const write of [
        (writer: StunWriter) => writer,
        withUdp,
        (writer: StunWriter) => withUdp(writer).uint32(STUN_ATTRIBUTE.lifetime, 600),
        (writer: StunWriter) => withUdp(writer).fingerprint(),
        (writer: StunWriter) => writer.flag(STUN_ATTRIBUTE.messageIntegrity),
      ]) {
        const request = write(new StunWriter('request', method, id)).finish();
        const answer = lab.handle(new FakeLink(), request);
        expect(answer?.bytes.length ?? 0).toBeLessThanOrEqual(3 * request.length);
      }
    }
    const shortest = withUdp(new StunWriter('request', STUN_METHOD.allocate, id)).finish();
    expect(lab.handle(new FakeLink(), shortest)!.errorCode()!.code).toBe(401);
  });

  it('401 for a wrong password and an unknown user, 438 for a nonce of another address', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    expect(lab.allocate(link, undefined, { password: 'wrong' })).toBe(401);
    expect(lab.allocate(link, undefined, { username: 'mallory', password: 'x' })).toBe(401);
    const stolen = lab.signed(link, STUN_METHOD.allocate, withUdp);
    const thief = new FakeLink({ address: '198.51.100.66', port: 1 });
    expect(lab.handle(thief, stolen)!.errorCode()!.code).toBe(438);
    expect(lab.server.allocationCount).toBe(0);
  });

  it('answers with the integrity that the request had', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const answer = lab.handle(link, lab.signed(link, STUN_METHOD.allocate, withUdp))!;
    expect(answer.has(STUN_ATTRIBUTE.messageIntegrity)).toBe(true);
    expect(hasIntegrity(answer, KEY)).toBe(true);
    const sha256 = withUdp(new StunWriter('request', STUN_METHOD.refresh, lab.transactionId()))
      .text(STUN_ATTRIBUTE.username, 'alice')
      .text(STUN_ATTRIBUTE.realm, REALM)
      .text(STUN_ATTRIBUTE.nonce, lab.nonce(link))
      .integrity('sha256', KEY)
      .fingerprint()
      .finish();
    const refreshed = lab.handle(link, sha256)!;
    expect(refreshed.class).toBe('success');
    expect(refreshed.has(STUN_ATTRIBUTE.messageIntegritySha256)).toBe(true);
    expect(refreshed.has(STUN_ATTRIBUTE.fingerprint)).toBe(true);
    expect(hasIntegrity(refreshed, KEY)).toBe(true);
  });

  it('knows where a user is by an authenticated Binding, and by no other', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const plain = new StunWriter('request', STUN_METHOD.binding, lab.transactionId()).finish();
    expect(lab.handle(link, plain)!.class).toBe('success');
    expect(lab.events).toEqual([]);
    const named = new StunWriter('request', STUN_METHOD.binding, lab.transactionId())
      .text(STUN_ATTRIBUTE.username, 'alice')
      .finish();
    expect(lab.handle(link, named)!.errorCode()!.code).toBe(401);
    expect(lab.ask(link, STUN_METHOD.binding, undefined, { password: 'wrong' })).toBe(401);
    expect(lab.events).toEqual([]);
    expect(lab.ask(link, STUN_METHOD.binding)).toBe('ok');
    expect(lab.events).toEqual(['seen alice 198.51.100.9 udp']);
  });

  it('420 for attributes that are not understood, DONT-FRAGMENT among them', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const request = lab.signed(link, STUN_METHOD.allocate, (writer) =>
      withUdp(writer).flag(STUN_ATTRIBUTE.dontFragment).flag(0x7abc),
    );
    const answer = lab.handle(link, request)!;
    expect(answer.errorCode()!.code).toBe(420);
    const unknown = answer.value(STUN_ATTRIBUTE.unknownAttributes)!;
    expect(decodeUnknownAttributes(unknown)).toEqual([STUN_ATTRIBUTE.dontFragment, 0x7abc]);
    expect(hasIntegrity(answer, KEY)).toBe(true);
  });

  it('is silent to answers, indications and unknown methods', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const id = lab.transactionId();
    for (const messageClass of ['success', 'error', 'indication'] as const) {
      for (const method of [1, 3, 4, 6, 7, 8, 9, 0x55]) {
        const bytes = withUdp(new StunWriter(messageClass, method, id)).finish();
        expect(lab.handle(link, bytes)).toBeUndefined();
      }
    }
    const unknown = withUdp(new StunWriter('request', 0x55, id)).finish();
    expect(lab.handle(link, unknown)).toBeUndefined();
    expect(link.sent).toEqual([]);
  });

  it('answers an address so often, and others as well as ever', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const request = new StunWriter('request', STUN_METHOD.binding, lab.transactionId()).finish();
    for (let i = 0; i < REQUEST_BURST + 100; i++) lab.handle(link, request);
    expect(link.sent).toHaveLength(REQUEST_BURST);
    expect(lab.server.statistics.limited).toBe(100);
    const other = new FakeLink({ address: '198.51.100.10', port: 1 });
    expect(lab.handle(other, request)!.class).toBe('success');
  });

  it('a flood in the name of a client does not keep it from refreshing', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    expect(lab.allocate(link)).toBe('ok');
    const refresh = lab.signed(link, STUN_METHOD.refresh);
    const forged = new StunWriter('request', STUN_METHOD.binding, lab.transactionId()).finish();
    for (let i = 0; i < 2 * REQUEST_BURST; i++) lab.handle(link, forged);
    expect(lab.handle(link, forged)).toBeUndefined();
    expect(lab.handle(link, refresh)!.class).toBe('success');
    const tcp = new FakeLink(link.remote, 'tcp');
    expect(lab.handle(tcp, forged)!.class).toBe('success');
  });

  it('arbitrary attributes, signed, throw nothing', () => {
    const { lab, link } = allocated({ server: { requestsPerSecond: Number.POSITIVE_INFINITY } });
    const types = fc.constantFrom(...Object.values(STUN_ATTRIBUTE), 0x7fff);
    const attributes = fc.array(fc.tuple(types, fc.uint8Array({ maxLength: 24, size: 'max' })), {
      maxLength: 4,
    });
    const methods = fc.constantFrom(1, 3, 4, 8, 9);
    fc.assert(
      fc.property(methods, attributes, (method, list) => {
        const sealed = new Set<number>([
          STUN_ATTRIBUTE.messageIntegrity,
          STUN_ATTRIBUTE.messageIntegritySha256,
          STUN_ATTRIBUTE.fingerprint,
        ]);
        const bytes = lab.signed(link, method, (writer) => {
          for (const [type, value] of list) if (!sealed.has(type)) writer.bytes(type, value);
          return writer;
        });
        const answer = lab.handle(link, bytes)!;
        expect(['success', 'error']).toContain(answer.class);
        if (link.allocation === undefined) expect(lab.allocate(link)).toBe('ok');
      }),
      { numRuns: 300 },
    );
  });
});

describe('Allocate', () => {
  it('gives a relayed address, the reflexive one and a lifetime', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const answer = lab.handle(link, lab.signed(link, STUN_METHOD.allocate, withUdp))!;
    expect(answer.xorAddress(STUN_ATTRIBUTE.xorRelayedAddress)).toEqual({
      ...{ address: '192.0.2.1', port: 50_000 },
    });
    expect(answer.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toEqual(link.remote);
    expect(answer.uint32(STUN_ATTRIBUTE.lifetime)).toBe(600);
    expect(link.isKept).toBe(true);
    expect(lab.events).toEqual(['begin alice 50000', 'seen alice 198.51.100.9 udp']);
  });

  it.each([
    [undefined, 600],
    [0, 600],
    [60, 600],
    [1_000, 1_000],
    [3_600, 3_600],
    [86_400, 3_600],
  ])('asked for %s s lasts %i s', (asked, given) => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const request = lab.signed(link, STUN_METHOD.allocate, (writer) =>
      asked === undefined
        ? withUdp(writer)
        : withUdp(writer).uint32(STUN_ATTRIBUTE.lifetime, asked),
    );
    expect(lab.handle(link, request)!.uint32(STUN_ATTRIBUTE.lifetime)).toBe(given);
    lab.pass(1000 * given - 1_000);
    expect(lab.server.allocationCount).toBe(1);
    lab.pass(2_000);
    expect(lab.server.allocationCount).toBe(0);
    expect(lab.sockets.opened[0]!.isClosed).toBe(true);
    expect(link).toMatchObject({ allocation: undefined, isKept: false });
    expect(lab.server.deadline()).toBeUndefined();
  });

  it('repeated is answered alike; another one gets 437', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const id = lab.transactionId();
    expect(lab.allocate(link, undefined, { id })).toBe('ok');
    expect(lab.allocate(link, undefined, { id })).toBe('ok');
    expect(lab.allocate(link)).toBe(437);
    expect(lab.allocate(link, undefined, { id, username: 'bob' })).toBe(437);
    expect(lab.sockets.opened).toHaveLength(1);
  });

  it.each<[string, number, (writer: StunWriter) => StunWriter]>([
    ['without a transport', 400, (writer) => writer],
    ['of TCP', 442, (w) => w.bytes(STUN_ATTRIBUTE.requestedTransport, Uint8Array.of(6, 0, 0, 0))],
    ['of an unknown family', 440, (w) => withUdp(w).bytes(0x17, Uint8Array.of(3, 0, 0, 0))],
    [
      'of one family and another besides',
      400,
      (w) =>
        withUdp(w)
          .bytes(0x17, Uint8Array.of(1, 0, 0, 0))
          .bytes(0x8000, Uint8Array.of(2, 0, 0, 0)),
    ],
    ['of IPv4 besides', 400, (w) => withUdp(w).bytes(0x8000, Uint8Array.of(1, 0, 0, 0))],
    [
      'of a reserved port, and an even one',
      400,
      (w) => withUdp(w).bytes(0x22, new Uint8Array(8)).bytes(0x18, Uint8Array.of(0)),
    ],
    ['of a port that nobody has reserved', 508, (w) => withUdp(w).bytes(0x22, new Uint8Array(8))],
    ['with a token of a wrong length', 400, (w) => withUdp(w).bytes(0x22, new Uint8Array(7))],
  ])('%s: %i', (_, code, write) => {
    const lab = new TurnLab();
    const link = new FakeLink();
    expect(lab.ask(link, STUN_METHOD.allocate, write)).toBe(code);
    expect(link.allocation).toBeUndefined();
    expect(lab.server.socketsByUser.size).toBe(0);
  });

  it('of IPv6, and of both families', () => {
    const lab = new TurnLab();
    const six = new FakeLink();
    expect(lab.allocate(six, (w) => w.bytes(0x17, Uint8Array.of(2, 0, 0, 0)))).toBe('ok');
    expect(lab.sockets.opened[0]!.relayed.address).toBe('2001:db8::1');
    const both = new FakeLink({ address: '198.51.100.9', port: 4001 });
    const dual = lab.signed(both, STUN_METHOD.allocate, (w) =>
      withUdp(w).bytes(0x8000, Uint8Array.of(2, 0, 0, 0)),
    );
    const answer = lab.handle(both, dual)!;
    const relayed = answer.xorAddresses(STUN_ATTRIBUTE.xorRelayedAddress)!;
    expect(relayed.map(({ family }) => family)).toEqual([4, 6]);
    expect(lab.server.socketsByUser.get('alice')).toBe(3);
    expect(lab.permit(both, { address: '2001:db8::7', port: 1 }, PEER)).toBe('ok');
  });

  it('of IPv6 on a host without: 440; of both there: IPv4, and ADDRESS-ERROR-CODE 440', () => {
    const lab = new TurnLab();
    lab.sockets.families = [4];
    const link = new FakeLink();
    expect(lab.allocate(link, (w) => w.bytes(0x17, Uint8Array.of(2, 0, 0, 0)))).toBe(440);
    const dual = lab.signed(link, STUN_METHOD.allocate, (w) =>
      withUdp(w).bytes(0x8000, Uint8Array.of(2, 0, 0, 0)),
    );
    const answer = lab.handle(link, dual)!;
    expect(answer.xorAddresses(STUN_ATTRIBUTE.xorRelayedAddress)).toHaveLength(1);
    expect([...answer.value(STUN_ATTRIBUTE.addressErrorCode)!]).toEqual([2, 0, 4, 40]);
    expect(lab.server.socketsByUser.get('alice')).toBe(1);
    expect(lab.permit(link, { address: '2001:db8::7', port: 1 })).toBe(443);
  });

  it('of an even port and the next one: a token takes it, once, and only its user has it', () => {
    const lab = new TurnLab();
    const first = new FakeLink();
    const request = lab.signed(first, STUN_METHOD.allocate, (w) =>
      withUdp(w).bytes(STUN_ATTRIBUTE.evenPort, Uint8Array.of(0x80)),
    );
    const token = lab.handle(first, request)!.value(STUN_ATTRIBUTE.reservationToken)!;
    const take = (w: StunWriter) => w.bytes(STUN_ATTRIBUTE.reservationToken, token);
    const second = new FakeLink({ address: '198.51.100.9', port: 4001 });
    expect(lab.allocate(second, take, { username: 'bob' })).toBe(508);
    expect(lab.allocate(second, take)).toBe('ok');
    expect(lab.sockets.opened.map(({ relayed }) => relayed.port)).toEqual([50_000, 50_001]);
    expect(lab.server.socketsByUser.get('alice')).toBe(2);
    const third = new FakeLink({ address: '198.51.100.9', port: 4002 });
    expect(lab.allocate(third, take)).toBe(508);
  });

  it('reserves a port for 30 s', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const even = (w: StunWriter) => w.bytes(STUN_ATTRIBUTE.evenPort, Uint8Array.of(0x80));
    expect(lab.allocate(link, even)).toBe('ok');
    lab.pass(29_000);
    expect(lab.sockets.opened[1]!.isClosed).toBe(false);
    lab.pass(2_000);
    expect(lab.sockets.opened[1]!.isClosed).toBe(true);
    expect(lab.server.socketsByUser.get('alice')).toBe(1);
  });

  it('beyond the quota of its user: 486, reserved ports included; freed by an end', () => {
    const lab = new TurnLab({ server: { quota: 2 } });
    const links = [1, 2, 3].map((port) => new FakeLink({ address: '198.51.100.9', port }));
    const even = (w: StunWriter) => w.bytes(STUN_ATTRIBUTE.evenPort, Uint8Array.of(0x80));
    expect(lab.allocate(links[0]!)).toBe('ok');
    expect(lab.allocate(links[1]!, even)).toBe(486);
    expect(lab.allocate(links[1]!)).toBe('ok');
    expect(lab.allocate(links[2]!)).toBe(486);
    expect(lab.allocate(links[2]!, undefined, { username: 'bob' })).toBe('ok');
    expect(lab.refresh(links[0]!, 0)).toBe('ok');
    expect(lab.allocate(links[0]!)).toBe('ok');
  });

  it('beyond the quota of its account, whatever user names it has: 486', () => {
    const lab = new TurnLab({ server: { quota: 2 }, accountOf: () => 'the member' });
    const link = (port: number) => new FakeLink({ address: '198.51.100.9', port });
    const first = link(1);
    expect(lab.allocate(first)).toBe('ok');
    expect(lab.allocate(link(2), undefined, { username: 'bob' })).toBe('ok');
    expect(lab.allocate(link(3), undefined, { username: 'bob' })).toBe(486);
    expect(lab.server.socketsByUser).toEqual(new Map([['the member', 2]]));
    // Whoever has new credentials goes on with what he has.
    expect(lab.refresh(first, 600, 'bob')).toBe('ok');
  });

  it(`beyond ${MAX_ALLOCATIONS_PER_NETWORK} sockets of a client network: 486, whoever asks; others get theirs`, () => {
    const unlimited = Number.POSITIVE_INFINITY;
    const lab = new TurnLab({ server: { quota: 1_000, requestsPerSecond: unlimited } });
    const link = (i: number, address = '2001:db8:1:2::9') => new FakeLink({ address, port: i });
    for (const username of ['alice', 'bob']) {
      const message = decodeStunMessage(
        lab.signed(link(0), STUN_METHOD.allocate, withUdp, { username }),
      )!;
      for (let i = 0; i < 600; i++) lab.server.handleMessage(lab.now, message, link(i));
    }
    expect(lab.server.allocationCount).toBe(MAX_ALLOCATIONS_PER_NETWORK);
    expect(lab.allocate(link(9, '2001:db8:1:2:3::9'))).toBe(486);
    expect(lab.allocate(link(9, '2001:db8:1:3::9'))).toBe('ok');
  });

  it(`beyond ${MAX_ALLOCATIONS} sockets in all: 508`, () => {
    const quota = Number.POSITIVE_INFINITY;
    const lab = new TurnLab({ server: { quota, requestsPerSecond: quota } });
    const link = (i: number) => new FakeLink({ address: '198.51.100.9', port: i });
    const request = lab.signed(link(0), STUN_METHOD.allocate, withUdp);
    const message = decodeStunMessage(request)!;
    for (let i = 0; i < MAX_ALLOCATIONS; i++) lab.server.handleMessage(lab.now, message, link(i));
    expect(lab.server.allocationCount).toBe(MAX_ALLOCATIONS);
    expect(lab.allocate(link(9))).toBe(508);
  });

  it('ends with its account, reserved and half-open ones too', () => {
    const lab = new TurnLab({ accountOf: (username) => `account of ${username}` });
    const link = (port: number) => new FakeLink({ address: '198.51.100.9', port });
    const even = (w: StunWriter) => w.bytes(STUN_ATTRIBUTE.evenPort, Uint8Array.of(0x80));
    const [first, pending, others] = [link(1), link(2), link(3)];
    expect(lab.allocate(first, even)).toBe('ok');
    expect(lab.allocate(others, undefined, { username: 'bob' })).toBe('ok');
    lab.sockets.waiting = [];
    lab.handle(pending, lab.signed(pending, STUN_METHOD.allocate, withUdp));
    lab.server.endAccount('account of alice');
    lab.sockets.waiting[0]!();
    expect(lab.sockets.opened.map(({ isClosed }) => isClosed)).toEqual([true, true, false, true]);
    expect(first).toMatchObject({ allocation: undefined, isKept: false });
    expect(pending).toMatchObject({ allocation: undefined, isKept: false });
    expect(lab.server.socketsByUser).toEqual(new Map([['account of bob', 1]]));
    lab.server.endAccount('account of nobody');
  });

  it('when no port is left, and while the server drains: 508, and nothing is kept', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    lab.sockets.hasPorts = false;
    expect(lab.allocate(link)).toBe(508);
    expect(link).toMatchObject({ allocation: undefined, isKept: false });
    lab.sockets.hasPorts = true;
    expect(lab.allocate(link)).toBe('ok');
    lab.server.drain();
    expect(lab.refresh(link, 600)).toBe('ok');
    expect(lab.allocate(new FakeLink({ address: '198.51.100.9', port: 5 }))).toBe(508);
  });

  it('repeated while its socket is being opened opens no second one', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    lab.sockets.waiting = [];
    const request = lab.signed(link, STUN_METHOD.allocate, withUdp);
    expect(lab.handle(link, request)).toBeUndefined();
    expect(lab.handle(link, request)).toBeUndefined();
    expect(lab.refresh(link, 600)).toBe(437);
    expect(lab.sockets.waiting).toHaveLength(1);
    lab.sockets.waiting[0]!();
    expect(decodeStunMessage(link.sent.at(-1)!.bytes)!.class).toBe('success');
    expect(lab.server.socketsByUser.get('alice')).toBe(1);
  });

  it('of a connection that closes meanwhile leaves nothing', () => {
    const lab = new TurnLab();
    const link = new FakeLink({ address: '198.51.100.9', port: 1 }, 'tcp');
    lab.sockets.waiting = [];
    lab.handle(link, lab.signed(link, STUN_METHOD.allocate, withUdp));
    lab.server.handleLinkClosed(link);
    lab.sockets.waiting[0]!();
    expect(lab.sockets.opened[0]!.isClosed).toBe(true);
    expect(lab.server.socketsByUser.size).toBe(0);
    expect(lab.server.allocationCount).toBe(0);
  });

  it('of a server that closes meanwhile leaves nothing', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    lab.sockets.waiting = [];
    lab.handle(link, lab.signed(link, STUN_METHOD.allocate, withUdp));
    lab.server.close();
    lab.sockets.waiting[0]!();
    expect(lab.sockets.opened[0]!.isClosed).toBe(true);
    expect(lab.server.allocationCount).toBe(0);
  });
});

describe('Refresh', () => {
  it('makes an allocation last, or ends it with 0', () => {
    const { lab, link, relay } = allocated();
    lab.pass(500_000);
    expect(lab.refresh(link, 900)).toBe('ok');
    lab.pass(890_000);
    expect(lab.server.allocationCount).toBe(1);
    expect(lab.refresh(link, 0)).toBe('ok');
    expect(relay.isClosed).toBe(true);
    expect(lab.server.allocationCount).toBe(0);
    expect(lab.events).toContain('end alice 50000');
    expect(lab.refresh(link, 600)).toBe(437);
  });

  it('of another user: 441, as CreatePermission and ChannelBind', () => {
    const { lab, link } = allocated();
    expect(lab.refresh(link, 0, 'bob')).toBe(441);
    const peer = (w: StunWriter) => w.xorAddress(STUN_ATTRIBUTE.xorPeerAddress, PEER);
    const bob = { username: 'bob' };
    expect(lab.ask(link, STUN_METHOD.createPermission, peer, bob)).toBe(441);
    expect(lab.ask(link, STUN_METHOD.channelBind, peer, bob)).toBe(441);
    expect(lab.server.allocationCount).toBe(1);
  });

  it('of a family that it has not: 443; with 0 that family ends alone', () => {
    const lab = new TurnLab();
    const link = new FakeLink();
    const six = (seconds: number) => (w: StunWriter) =>
      w.uint32(STUN_ATTRIBUTE.lifetime, seconds).bytes(0x17, Uint8Array.of(2, 0, 0, 0));
    expect(lab.allocate(link)).toBe('ok');
    expect(lab.ask(link, STUN_METHOD.refresh, six(600))).toBe(443);
    expect(lab.refresh(link, 0)).toBe('ok');
    expect(lab.allocate(link, (w) => w.bytes(0x8000, Uint8Array.of(2, 0, 0, 0)))).toBe('ok');
    expect(lab.ask(link, STUN_METHOD.refresh, six(0))).toBe('ok');
    const [, ipv4, ipv6] = lab.sockets.opened;
    expect([ipv4!.isClosed, ipv6!.isClosed]).toEqual([false, true]);
    expect(lab.server.socketsByUser.get('alice')).toBe(1);
    expect(lab.permit(link, { address: '2001:db8::7', port: 1 })).toBe(443);
    expect(lab.permit(link, PEER)).toBe('ok');
  });
});

describe('peers that are not to be reached', () => {
  const forbidden = [
    '10.1.2.3',
    '127.0.0.1',
    '192.168.0.1',
    '169.254.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
  ];

  it.each(forbidden)('%s: 403 for CreatePermission and ChannelBind, Send is dropped', (address) => {
    const { lab, link, relay } = allocated();
    const peer = { address, port: 7000 };
    expect(lab.permit(link, peer)).toBe(403);
    expect(lab.permit(link, PEER, peer)).toBe(403);
    expect(lab.bindChannel(link, 0x4000, peer)).toBe(403);
    lab.sendIndication(link, peer, data);
    lab.sendIndication(link, PEER, data);
    expect(relay.sent).toEqual([]);
  });

  it("the server's own ports: 403", () => {
    const { lab, link } = allocated({ mayReach: () => 'yes' });
    for (const port of [3478, 3479]) {
      expect(lab.permit(link, { address: SERVER.address, port })).toBe(403);
      expect(lab.bindChannel(link, 0x4000, { address: SERVER.address, port })).toBe(403);
    }
    expect(lab.bindChannel(link, 0x4000, { address: SERVER.address, port: 3480 })).toBe('ok');
  });

  it("are not reached by a permission for another port of the server's address", () => {
    const { lab, link, relay } = allocated();
    expect(lab.permit(link, { address: SERVER.address, port: 50_002 })).toBe('ok');
    lab.sendIndication(link, { address: SERVER.address, port: 3478 }, data);
    expect(relay.sent).toEqual([]);
    lab.sendIndication(link, { address: SERVER.address, port: 50_002 }, data);
    expect(relay.sent).toHaveLength(1);
  });

  it('an IPv4-mapped address: 403, and nothing is sent', () => {
    const { lab, link } = allocated({ mayReach: () => 'yes' });
    const mapped = Uint8Array.of(...new Uint8Array(10), 0xff, 0xff, 203, 0, 113, 7);
    const id = lab.transactionId();
    const value = new Uint8Array(20);
    value[1] = 2;
    const header = new StunWriter('request', 1, id).finish();
    for (let i = 0; i < 16; i++) value[4 + i] = mapped[i]! ^ header[4 + i]!;
    const write = (w: StunWriter) =>
      w
        .bytes(STUN_ATTRIBUTE.channelNumber, Uint8Array.of(0x40, 0, 0, 0))
        .bytes(STUN_ATTRIBUTE.xorPeerAddress, value);
    expect(lab.ask(link, STUN_METHOD.createPermission, write, { id })).toBe(403);
    expect(lab.ask(link, STUN_METHOD.channelBind, write, { id })).toBe(403);
  });

  it('of members: what the pool says counts, whatever the address', () => {
    const reachable = '10.0.0.9';
    const { lab, link } = allocated({
      mayReach: (_, { address }) => (address === reachable ? 'yes' : 'no'),
    });
    expect(lab.permit(link, { address: reachable, port: 1 })).toBe('ok');
    expect(lab.permit(link, PEER)).toBe(403);
  });
});

it('ends with its connection', () => {
  const lab = new TurnLab();
  const link = new FakeLink({ address: '198.51.100.9', port: 1 }, 'tls');
  expect(lab.allocate(link)).toBe('ok');
  lab.server.handleLinkClosed(link);
  expect(lab.server.allocationCount).toBe(0);
  expect(lab.sockets.opened[0]!.isClosed).toBe(true);
  lab.server.handleLinkClosed(link);
  lab.server.handleChannelData(lab.now, encodeChannelData(0x4000, data), link);
});

it('closes with all that is open', () => {
  const { lab, relay } = allocated();
  const even = (w: StunWriter) => w.bytes(STUN_ATTRIBUTE.evenPort, Uint8Array.of(0x80));
  expect(lab.allocate(new FakeLink({ address: '198.51.100.9', port: 5 }), even)).toBe('ok');
  lab.server.close();
  expect(relay.isClosed).toBe(true);
  expect(lab.sockets.opened.every(({ isClosed }) => isClosed)).toBe(true);
  expect(lab.server.socketsByUser.size).toBe(0);
  expect(lab.allocate(new FakeLink())).toBe(508);
});
