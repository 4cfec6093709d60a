import { describe, expect, it } from 'vitest';
import { RelayPolicy } from '../../src/turn/relay-policy.ts';

function policy(
  answer: 'yes' | 'endpoint' | 'no' | 'class',
  allowPeers: readonly string[] = [],
): RelayPolicy {
  const made = new RelayPolicy({ mayReach: () => answer, allowPeers });
  made.addOwnAddress('192.0.2.1');
  made.addOwnAddress('10.0.0.1');
  made.addOwnPort(3478);
  made.addOwnPort(3479);
  return made;
}

const reaches = (of: RelayPolicy, address: string, port = 7000) =>
  of.reach('alice', { address, port }) !== undefined;

const NOT_PUBLIC = [
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '127.0.0.1',
  '169.254.169.254',
  '::1',
  'fc00::1',
  'fd12::1',
  'fe80::1',
  '64:ff9b::7f00:1',
  '64:ff9b::a01:203',
  '64:ff9b:1::a00:1',
];
const NEVER = [
  '0.0.0.0',
  '0.1.2.3',
  '::',
  '224.0.0.1',
  '239.255.255.250',
  '255.255.255.255',
  '240.0.0.1',
  'ff02::1',
  '64:ff9b::e000:1',
  '64:ff9b::ffff:ffff',
];

describe('whom a relay reaches', () => {
  it.each(['203.0.113.7', '8.8.8.8', '2001:db8::7', '64:ff9b::808:808'])(
    'public %s: yes',
    (address) => {
      expect(reaches(policy('class'), address)).toBe(true);
      expect(reaches(policy('no'), address)).toBe(false);
    },
  );

  it.each(NOT_PUBLIC)(
    '%s, which is not public: only as a member or where it is allowed',
    (address) => {
      expect(reaches(policy('class'), address)).toBe(false);
      expect(reaches(policy('class', ['0.0.0.0/0', '::/0']), address)).toBe(true);
      expect(reaches(policy('yes'), address)).toBe(true);
    },
  );

  it.each(NEVER)('%s, where nobody is: never', (address) => {
    expect(reaches(policy('class', ['0.0.0.0/0', '::/0']), address)).toBe(false);
    expect(reaches(policy('yes'), address)).toBe(false);
  });

  it('an allowed range and nothing beside it', () => {
    const lab = policy('class', ['10.7.0.0/16']);
    expect(reaches(lab, '10.7.255.255')).toBe(true);
    expect(reaches(lab, '10.8.0.0')).toBe(false);
    // NAT64 is a way around that the range doesn't name.
    expect(reaches(lab, '64:ff9b::a07:1')).toBe(false);
  });

  it.each([
    '192.0.2.1',
    '10.0.0.1',
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '64:ff9b::c000:201',
    '64:ff9b::7f00:1',
  ])(
    "the server's own listening ports at %s: never; other ports there may be allocations",
    (address) => {
      const open = policy('yes', ['0.0.0.0/0', '::/0']);
      expect(reaches(open, address, 3478)).toBe(false);
      expect(reaches(open, address, 3479)).toBe(false);
      expect(reaches(open, address, 3480)).toBe(true);
      expect(open.isOwn(address)).toBe(true);
    },
  );

  it('this host’s addresses are those that it has now', () => {
    const open = policy('yes');
    open.setOwnAddresses(['198.51.100.1']);
    expect(open.isOwn('192.0.2.1')).toBe(false);
    expect(reaches(open, '198.51.100.1', 3478)).toBe(false);
  });

  it('the same ports of others: as any port', () => {
    expect(reaches(policy('class'), '203.0.113.7', 3478)).toBe(true);
    expect(policy('class').isOwn('203.0.113.7')).toBe(false);
  });

  it('as far as a permission goes: an address, or the very endpoint', () => {
    const peer = { address: '203.0.113.7', port: 7000 };
    const own = { address: '192.0.2.1', port: 50_000 };
    expect(policy('yes').reach('alice', peer)).toBe('address');
    expect(policy('class').reach('alice', peer)).toBe('address');
    expect(policy('endpoint').reach('alice', peer)).toBe('endpoint');
    expect(policy('yes').reach('alice', own)).toBe('endpoint');
    expect(policy('no').reach('alice', peer)).toBeUndefined();
  });

  it('refuses a range that is none', () => {
    expect(() => policy('class', ['10.0.0.0/40'])).toThrow('not a range of addresses');
  });
});
