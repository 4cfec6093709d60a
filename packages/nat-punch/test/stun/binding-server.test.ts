import { describe, expect, it } from 'vitest';
import {
  decodeStunMessage,
  decodeUnknownAttributes,
  type ServerPlace,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  StunWriter,
} from '../../src/index.ts';
import { FakeLink, TurnLab } from '../turn/turn-lab.ts';

const IPV4 = { address: '198.51.100.9', port: 4000 };
const IPV6 = { address: '2001:db8::9', port: 4000 };
const ONE: ServerPlace = { address: '192.0.2.1', port: 3478, otherPort: 3479 };
const TWO: ServerPlace = { ...ONE, otherAddress: '192.0.2.2' };
const TWO_IPV6: ServerPlace = {
  ...{ address: '2001:db8::1', port: 3478, otherPort: 3479 },
  otherAddress: '2001:db8::2',
};
const BOTH = 0x06;
const ADDRESS = 0x04;
const PORT = 0x02;

/** A Binding request, and what it makes the server send. */
function bind(
  link: FakeLink,
  write: (writer: StunWriter) => StunWriter = (writer) => writer,
  lab = new TurnLab(),
) {
  const id = lab.transactionId();
  const request = write(new StunWriter('request', STUN_METHOD.binding, id)).finish();
  lab.server.handleMessage(lab.now, decodeStunMessage(request)!, link);
  const sent = link.sent.at(-1);
  const answer = sent === undefined ? undefined : decodeStunMessage(sent.bytes)!;
  return { request, answer, from: sent?.from };
}

const change = (flags: number) => (writer: StunWriter) =>
  writer.uint32(STUN_ATTRIBUTE.changeRequest, flags);

describe('a Binding request', () => {
  it.each([IPV4, IPV6])('is answered with its address: $address', (remote) => {
    const { answer } = bind(new FakeLink(remote));
    expect(answer).toMatchObject({ class: 'success', method: STUN_METHOD.binding });
    expect(answer!.attributeTypes).toEqual([STUN_ATTRIBUTE.xorMappedAddress]);
    expect(answer!.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toEqual(remote);
  });

  it('with a fingerprint has one answered', () => {
    const { answer } = bind(new FakeLink(), (writer) => writer.fingerprint());
    expect(answer!.has(STUN_ATTRIBUTE.fingerprint)).toBe(true);
  });

  it('with attributes that have to be understood and are not: 420, and which', () => {
    const { answer } = bind(new FakeLink(), (writer) =>
      writer.flag(STUN_ATTRIBUTE.padding).flag(0x7abc).flag(0xcafe),
    );
    expect(answer!.errorCode()!.code).toBe(420);
    const unknown = answer!.value(STUN_ATTRIBUTE.unknownAttributes)!;
    expect(decodeUnknownAttributes(unknown)).toEqual([STUN_ATTRIBUTE.padding, 0x7abc]);
  });

  it('to be answered at another port of the client (RESPONSE-PORT): 420', () => {
    const { answer } = bind(new FakeLink(), (writer) =>
      writer.bytes(STUN_ATTRIBUTE.responsePort, Uint8Array.of(0, 53)),
    );
    expect(answer!.errorCode()!.code).toBe(420);
  });
});

describe('RFC 5780 with two addresses', () => {
  it('tells the origin of the answer and the other address', () => {
    const { answer } = bind(new FakeLink(IPV4, 'udp', TWO));
    expect(answer!.address(STUN_ATTRIBUTE.responseOrigin)).toEqual({
      ...{ address: '192.0.2.1', port: 3478 },
    });
    expect(answer!.address(STUN_ATTRIBUTE.otherAddress)).toEqual({
      ...{ address: '192.0.2.2', port: 3479 },
    });
  });

  it.each([
    [BOTH, '192.0.2.2', 3479],
    [ADDRESS, '192.0.2.2', 3478],
    [PORT, '192.0.2.1', 3479],
    [0, '192.0.2.1', 3478],
  ])('CHANGE-REQUEST %i is answered from %s port %i', (flags, address, port) => {
    const { answer, from } = bind(new FakeLink(IPV4, 'udp', TWO), change(flags));
    expect(from).toEqual({ address: (flags & ADDRESS) !== 0, port: (flags & PORT) !== 0 });
    expect(answer!.address(STUN_ATTRIBUTE.responseOrigin)).toEqual({ address, port });
  });
});

describe('one address with two ports', () => {
  it('answers from the other port, and says nothing of another address', () => {
    const { answer, from } = bind(new FakeLink(IPV4, 'udp', ONE), change(PORT));
    expect(answer!.class).toBe('success');
    expect(from).toEqual({ address: false, port: true });
    expect(answer!.has(STUN_ATTRIBUTE.otherAddress)).toBe(false);
  });

  it.each([ADDRESS, BOTH])('can not change the address: CHANGE-REQUEST %i is unknown', (flags) => {
    const { answer } = bind(new FakeLink(IPV4, 'udp', ONE), change(flags));
    expect(answer!.errorCode()!.code).toBe(420);
    const unknown = answer!.value(STUN_ATTRIBUTE.unknownAttributes)!;
    expect(decodeUnknownAttributes(unknown)).toEqual([STUN_ATTRIBUTE.changeRequest]);
  });

  it('nor anything over TCP', () => {
    const tcp = new FakeLink(IPV4, 'tcp', { address: '192.0.2.1', port: 3478 });
    expect(bind(tcp, change(PORT)).answer!.errorCode()!.code).toBe(420);
  });
});

describe('amplification', () => {
  const requests: ((writer: StunWriter) => StunWriter)[] = [
    (writer) => writer,
    change(0),
    change(PORT),
    change(BOTH),
    (writer) => writer.fingerprint(),
    (writer) => change(PORT)(writer).fingerprint(),
    (writer) => writer.flag(0x7000),
    (writer) => writer.flag(0x7000).flag(0x7001),
    (writer) => writer.flag(0x7000).flag(0x7001).flag(0x7002).fingerprint(),
    (writer) => writer.flag(STUN_ATTRIBUTE.username),
    (writer) => writer.flag(STUN_ATTRIBUTE.messageIntegrity),
    (writer) => writer.flag(STUN_ATTRIBUTE.messageIntegrity).fingerprint(),
  ];
  it.each([
    ['IPv4 with one address', IPV4, ONE, 1.6],
    ['IPv6 with one address', IPV6, { ...TWO_IPV6, otherAddress: undefined }, 2.2],
    ['IPv4 with two', IPV4, TWO, 3],
    ['IPv6 with two', IPV6, TWO_IPV6, 4.6],
  ])('of a Binding request over %s', (_, remote, place, factor) => {
    for (const write of requests) {
      const { request, answer } = bind(new FakeLink(remote, 'udp', place), write);
      if (answer === undefined) continue;
      const isChallenge = answer.has(STUN_ATTRIBUTE.nonce);
      expect(answer.bytes.length).toBeLessThanOrEqual((isChallenge ? 3 : factor) * request.length);
    }
  });
});
