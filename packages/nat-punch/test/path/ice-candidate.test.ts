import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  IceCandidateFilter,
  parseIceCandidate,
  printIceCandidate,
} from '../../src/path/ice-candidate.ts';
import { MAX_UNANSWERED_PROBES, MAX_UNSEEN_ADDRESSES } from '../../src/path/probe-budget.ts';

const remote = { allowLoopback: false };
const read = (line: string) => {
  const candidate = parseIceCandidate(line, remote);
  return candidate && printIceCandidate(candidate);
};

describe('a candidate', () => {
  it.each([
    [
      'Chromium, mapped',
      'candidate:842163049 1 udp 1677729535 203.0.113.9 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag EEtu network-cost 999',
      'candidate:842163049 1 UDP 1677729535 203.0.113.9 46154 typ srflx',
    ],
    [
      'libjuice, of its host',
      'candidate:1 1 UDP 2122317823 10.0.0.2 40000 typ host',
      'candidate:1 1 UDP 2122317823 10.0.0.2 40000 typ host',
    ],
    [
      'IPv6',
      'candidate:2 1 UDP 2130706175 2001:DB8:0::1 5000 typ relay raddr :: rport 0',
      'candidate:2 1 UDP 2130706175 2001:db8::1 5000 typ relay',
    ],
  ])('of %s is read', (_, line, printed) => expect(read(line)).toBe(printed));

  it.each([
    ['multicast DNS', '4e0e8bdc-4c58-4b38-9d0e-0f1a2b3c4d5e.local 40000 typ host'],
    ['another name', 'printer.example 631 typ host'],
    ['a name', 'localhost 40000 typ host'],
    ['loopback', '127.0.0.1 40000 typ host'],
    ['loopback in IPv6', '::1 40000 typ host'],
    ['loopback, mapped', '::ffff:127.0.0.1 40000 typ host'],
    ['no address', '0.0.0.0 40000 typ host'],
    ['multicast', '239.1.2.3 40000 typ host'],
    ['broadcast', '255.255.255.255 40000 typ host'],
    ['port 0', '10.0.0.2 0 typ host'],
    ['a port that is none', '10.0.0.2 65536 typ host'],
    ['what peers find themselves', '10.0.0.2 40000 typ prflx'],
    ['an address in a short form', '10.2 40000 typ host'],
  ])('with %s is none', (_, rest) => expect(read(`candidate:1 1 UDP 1 ${rest}`)).toBeUndefined());

  it('over TCP, of another component, or with a priority beyond its bits is none', () => {
    for (const start of ['1 1 TCP 1', '1 2 UDP 1', '1 1 UDP 2147483648', '1  1 UDP 1']) {
      expect(read(`candidate:${start} 10.0.0.2 40000 typ host`)).toBeUndefined();
    }
  });

  it('may be on loopback where the server is there', () => {
    const line = 'candidate:1 1 UDP 1 127.0.0.1 40000 typ host';
    expect(parseIceCandidate(line, { allowLoopback: true })?.address).toBe('127.0.0.1');
  });

  it('is nothing that arbitrary text makes, and what is read is read alike when it is printed', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), fc.nat(70_000), fc.ipV4(), (text, port, ip) => {
        expect(read(`candidate:${text}`)).toBeUndefined();
        const printed = read(`candidate:1 1 UDP 7 ${ip} ${port} typ srflx ${text}`);
        if (printed !== undefined) expect(read(printed)).toBe(printed);
      }),
    );
  });
});

describe('ICE is given', () => {
  const line = (address: string, port: number) => `candidate:1 1 UDP 1 ${address} ${port} typ host`;
  const admitted = (filter: IceCandidateFilter, address: string, count: number) =>
    Array.from({ length: count }, (_, i) =>
      filter.admit(line(address, 1 + i), '8.0.0.1', remote),
    ).filter((printed) => printed !== undefined).length;

  it('ten ports of an address, in all rounds together, until the channel has opened there', () => {
    const filter = new IceCandidateFilter();
    expect(admitted(filter, '9.9.9.9', 100)).toBe(MAX_UNANSWERED_PROBES);
    expect(admitted(filter, '9.9.9.8', 5)).toBe(5);
    filter.handleOpen('9.9.9.8');
    expect(admitted(filter, '9.9.9.8', 100)).toBe(100);
    expect(admitted(filter, '9.9.9.9', 100)).toBe(0);
  });

  it('so many addresses, and those of the relay', () => {
    const filter = new IceCandidateFilter();
    const counts = Array.from({ length: 100 }, (_, i) => admitted(filter, `9.9.9.${i}`, 1));
    expect(counts.filter((count) => count === 1)).toHaveLength(MAX_UNSEEN_ADDRESSES);
    expect(admitted(filter, '8.0.0.1', 100)).toBe(100);
  });
});
