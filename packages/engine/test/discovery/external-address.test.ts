import { encodeExtendedHandshake } from '@bt/wire';
import { describe, expect, it } from 'vitest';
import { ExternalAddress } from '../../src/discovery/external-address.ts';
import { PeerPriorities, peerPriority } from '../../src/discovery/peer-priority.ts';
import { MAX_ADDRESS_VOTES } from '../../src/limits.ts';
import { BareTorrent, extendedMessage } from '../support/bare-torrent.ts';

const OWN = '93.184.216.34';
const WRONG = '198.51.100.7';

describe('the address that others see us under', () => {
  it('is what more than half of the networks say', () => {
    const external = new ExternalAddress();
    expect(external.of(4)).toBeUndefined();
    external.vote('1.1.1.1', OWN);
    expect(external.of(4)).toBe(OWN);
    external.vote('2.2.2.2', WRONG);
    expect(external.of(4)).toBeUndefined();
    external.vote('tracker.example', OWN);
    expect(external.of(4)).toBe(OWN);
  });

  it('is not decided by one network with many addresses', () => {
    const external = new ExternalAddress();
    external.vote('1.1.1.1', OWN);
    external.vote('2.2.2.2', OWN);
    for (let host = 0; host < 200; host += 1) external.vote(`3.3.3.${host}`, WRONG);
    expect(external.of(4)).toBe(OWN);
    for (let host = 0; host < 200; host += 1) external.vote(`2001:db8:0:${host}::1`, WRONG);
    external.vote('4.4.4.4', OWN);
    expect(external.of(4)).toBe(OWN);
  });

  it('follows a network that has changed its mind', () => {
    const external = new ExternalAddress();
    external.vote('1.1.1.1', WRONG);
    const { version } = external;
    external.vote('1.1.1.2', OWN);
    expect(external.of(4)).toBe(OWN);
    expect(external.version).toBeGreaterThan(version);
    const later = external.version;
    external.vote('1.1.1.3', OWN);
    expect(external.version).toBe(later);
  });

  it('is public, and one for each family', () => {
    const external = new ExternalAddress();
    for (const told of ['10.0.0.1', '127.0.0.1', '0.0.0.0', 'fe80::1']) {
      external.vote('1.1.1.1', told);
    }
    expect([external.of(4), external.of(6)]).toEqual([undefined, undefined]);
    external.vote('1.1.1.1', '2001:db8::9');
    expect([external.of(4), external.of(6)]).toEqual([undefined, '2001:db8::9']);
  });

  it('is the bound one as long as nobody says anything', () => {
    const external = new ExternalAddress('10.0.0.1');
    expect([external.of(4), external.of(6)]).toEqual(['10.0.0.1', undefined]);
    external.vote('1.1.1.1', OWN);
    expect(external.of(4)).toBe(OWN);
    expect(new ExternalAddress('0.0.0.0').of(4)).toBeUndefined();
    expect(new ExternalAddress('::').of(6)).toBeUndefined();
  });

  it('forgets the oldest of many votes', () => {
    const external = new ExternalAddress();
    for (let network = 0; network < MAX_ADDRESS_VOTES; network += 1) {
      external.vote(`1.1.${network}.1`, WRONG);
    }
    for (let network = 0; network < MAX_ADDRESS_VOTES; network += 1) {
      external.vote(`2.2.${network}.1`, OWN);
    }
    expect(external.of(4)).toBe(OWN);
  });
});

describe('our own endpoint', () => {
  it('is not dialled when somebody names it', () => {
    const bare = new BareTorrent({ externalAddress: new ExternalAddress(OWN) });
    const named = [
      { address: OWN, port: 6881 },
      { address: OWN, port: 6882 },
    ];
    bare.torrent.handleCandidates(0, named, 'dht', false);
    const dials = bare.effects().flatMap((effect) => (effect.type === 'dial' ? [effect] : []));
    expect(dials.map(({ endpoint }) => endpoint.port)).toEqual([6882]);
  });
});

describe('the priorities of peers', () => {
  it('are 0 until our address is known', () => {
    const external = new ExternalAddress();
    const priorities = new PeerPriorities(external, 6881);
    const peer = { address: '1.2.3.4', port: 1 };
    expect(priorities.of(peer)).toBe(0);
    external.vote('1.1.1.1', OWN);
    expect(priorities.version).toBe(external.version);
    expect(priorities.of(peer)).toBe(peerPriority({ address: OWN, port: 6881 }, peer));
    expect(priorities.of({ address: '2001:db8::1', port: 1 })).toBe(0);
  });
});

describe('a torrent', () => {
  it('hears its address from peers (BEP 10) and trackers (BEP 24)', () => {
    const externalAddress = new ExternalAddress();
    const bare = new BareTorrent({
      externalAddress,
      announceTiers: [['http://10.9.9.9/announce']],
    });
    const peer = bare.connect({ address: '1.1.1.1', port: 6881 }, 'peer');
    const handshake = encodeExtendedHandshake({ messages: new Map(), yourAddress: WRONG });
    bare.receive(peer, extendedMessage(0, handshake));
    expect(externalAddress.of(4)).toBe(WRONG);
    bare.torrent.start(0);
    const announce = bare.effects().find((effect) => effect.type === 'announce');
    if (announce?.type !== 'announce') throw new Error('nothing was announced');
    const response = { intervalSeconds: 1800, peers: [], externalAddress: OWN };
    bare.torrent.handleAnnounced(0, announce.requestId, announce.url, response);
    expect(externalAddress.of(4)).toBeUndefined();
    externalAddress.vote('2.2.2.2', OWN);
    expect(externalAddress.of(4)).toBe(OWN);
  });
});
