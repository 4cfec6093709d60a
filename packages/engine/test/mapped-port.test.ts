// A gateway passes another port on to the one we listen on: who is outside is told of that one.

import { decodeExtendedHandshake } from '@bt/wire';
import { describe, expect, it } from 'vitest';
import { ExternalAddress } from '../src/discovery/external-address.ts';
import { BareTorrent, sentMessages } from './support/bare-torrent.ts';

const PORT = 9;

function start() {
  const externalAddress = new ExternalAddress();
  externalAddress.mappedPort = 50_000;
  const announceTiers = [['http://192.0.2.1/announce']];
  const bare = new BareTorrent({ externalAddress, announceTiers, listenPort: 6881 });
  bare.torrent.start(0);
  return { bare, externalAddress };
}

describe('a mapped port', () => {
  it('is what trackers are told', () => {
    const { bare } = start();
    const ports = bare
      .effects()
      .flatMap((effect) => (effect.type === 'announce' ? [effect.request.port] : []));
    expect(ports).toEqual([50_000]);
  });

  it('is what peers outside are told, and neighbours are not', () => {
    const { bare } = start();
    const portTold = (address: string) => {
      const { transport } = bare.connect({ address, port: 1234 }, `-XX0001-${address}`);
      const sent = Buffer.concat(transport.sent);
      // The extended handshake follows the handshake of 68 bytes: its length, 20, and 0.
      const length = sent.readUInt32BE(68);
      return decodeExtendedHandshake(sent.subarray(74, 72 + length)).listenPort;
    };
    expect(portTold('203.0.113.9')).toBe(50_000);
    expect(portTold('192.168.1.9')).toBe(6881);
  });

  it('of the DHT is what peers outside are told, and neighbours are not', () => {
    const externalAddress = new ExternalAddress();
    const bare = new BareTorrent({ externalAddress, listenPort: 6881, dhtPort: 6882 });
    const portTold = (address: string) => {
      const peer = bare.connect({ address, port: 1234 }, address, 'in', { dht: true });
      const [told] = sentMessages(peer).filter(({ id }) => id === PORT);
      return told && Buffer.from(told.payload).readUInt16BE();
    };
    expect(portTold('203.0.113.8')).toBe(6882);
    externalAddress.mappedDhtPort = 50_001;
    expect(portTold('203.0.113.9')).toBe(50_001);
    expect(portTold('192.168.1.9')).toBe(6882);
  });

  it('is none of a session that does not listen, nor where it is the same', () => {
    const external = new ExternalAddress();
    expect([external.portOf(0), external.portOf(6881)]).toEqual([0, 6881]);
    external.mappedPort = 50_000;
    expect([external.portOf(0), external.portOf(6881)]).toEqual([0, 50_000]);
  });
});
