import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  decodeStunMessage,
  encodeChannelData,
  NatPunchError,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  StunWriter,
} from '../../../src/index.ts';
import { RelayServer, type RelayServerOptions } from '../../../src/node/index.ts';
import type { RelayLogEvent } from '../../../src/node/server/relay-server.ts';
import { StunPeer, writerOf } from './stun-peer.ts';

const DATA = Uint8Array.of(1, 2, 3, 4, 5);
const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function start(options: Partial<RelayServerOptions> = {}): Promise<RelayServer> {
  const server = await RelayServer.start({
    ...{ port: 0, realm: 'p2p', addresses: ['127.0.0.1'], allowPeers: ['127.0.0.0/8', '::1'] },
    access: {
      passwordOf: (username) => (username === 'alice' ? 'secret' : undefined),
      mayReach: () => 'class',
    },
    ...options,
  });
  open.push(server);
  return server;
}

async function udp(
  server: RelayServer,
  address = '127.0.0.1',
  port = server.port,
): Promise<StunPeer> {
  const peer = await StunPeer.udp({ address, port });
  open.push(peer);
  return peer;
}

const changePort = (writer: StunWriter) => writer.uint32(STUN_ATTRIBUTE.changeRequest, 2);
const changeBoth = (writer: StunWriter) => writer.uint32(STUN_ATTRIBUTE.changeRequest, 6);
const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1');

describe('Binding', () => {
  it('is answered on both ports, with the address that it came from', async () => {
    const server = await start();
    for (const port of [server.port, server.port + 1]) {
      const peer = await udp(server, '127.0.0.1', port);
      const answer = await peer.bind();
      expect(answer.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toEqual(peer.local);
      expect(answer.from).toEqual({ address: '127.0.0.1', port });
    }
    expect(server.statistics.bindings).toBe(2);
  });

  it.runIf(hasIpv6)('is answered over IPv6', async () => {
    const server = await start({ addresses: ['127.0.0.1', '::1'] });
    const peer = await udp(server, '::1');
    const answer = await peer.bind();
    expect(answer.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toEqual(peer.local);
  });

  it('is answered from the other port when asked to', async () => {
    const server = await start();
    const peer = await udp(server);
    const answer = await peer.ask(changePort(writerOf(STUN_METHOD.binding)));
    expect(answer.from).toEqual({ address: '127.0.0.1', port: server.port + 1 });
  });

  it('is answered from the other address when there is one', async () => {
    const server = await start({ alternateAddress: '127.0.0.2' });
    for (const [own, other] of [
      ['127.0.0.1', '127.0.0.2'],
      ['127.0.0.2', '127.0.0.1'],
    ]) {
      const peer = await udp(server, own);
      const answer = await peer.ask(changeBoth(writerOf(STUN_METHOD.binding)));
      const otherAddress = { address: other, port: server.port + 1 };
      expect(answer.from).toEqual(otherAddress);
      expect(answer.address(STUN_ATTRIBUTE.otherAddress)).toEqual(otherAddress);
      expect(answer.address(STUN_ATTRIBUTE.responseOrigin)).toEqual(otherAddress);
    }
  });

  it('garbage gets no answer: the first one is that of the request behind it', async () => {
    const server = await start();
    const peer = await udp(server);
    const request = writerOf(STUN_METHOD.binding).fingerprint().finish();
    const broken = Uint8Array.from(request);
    broken[12]! ^= 1;
    for (const bytes of [new Uint8Array(), DATA, Uint8Array.of(0x47, 0x45), broken])
      peer.send(bytes);
    peer.send(new Uint8Array(60_000).fill(0xff));
    peer.send(encodeChannelData(0x4000, DATA));
    peer.send(request);
    const { bytes } = await peer.receive();
    const id = decodeStunMessage(request)!.transactionId;
    expect(decodeStunMessage(bytes)!.answers(id)).toBe(true);
  });
});

describe('a relay over UDP', () => {
  it('carries datagrams by a channel and by indications', async () => {
    const seen: string[] = [];
    const server = await start({
      onBinding: (username, reflexive) => seen.push(`${username} ${reflexive.port}`),
      onAllocation: (username, relayed) => seen.push(`${username} at ${relayed.address}`),
      onAllocationEnd: (username) => seen.push(`${username} ends`),
    });
    const client = await udp(server);
    const relayed = await client.allocate();
    const peer = await StunPeer.udp(relayed);
    open.push(peer);
    expect((await client.bindChannel(0x4000, peer.local)).class).toBe('success');
    client.send(encodeChannelData(0x4000, DATA));
    expect(await peer.receive()).toEqual({ bytes: DATA, from: relayed });
    peer.send(DATA);
    expect((await client.receive()).bytes).toEqual(encodeChannelData(0x4000, DATA));

    const second = await StunPeer.udp(relayed);
    open.push(second);
    second.send(DATA);
    const indication = decodeStunMessage((await client.receive()).bytes)!;
    expect(indication.xorAddress(STUN_ATTRIBUTE.xorPeerAddress)).toEqual(second.local);
    expect(indication.value(STUN_ATTRIBUTE.data)).toEqual(DATA);
    const send = new StunWriter('indication', STUN_METHOD.send, new Uint8Array(12))
      .xorAddress(STUN_ATTRIBUTE.xorPeerAddress, second.local)
      .bytes(STUN_ATTRIBUTE.data, DATA);
    client.send(send.finish());
    expect(await second.receive()).toEqual({ bytes: DATA, from: relayed });

    expect(server.statistics).toMatchObject({ allocations: 1, relayedPackets: 4 });
    expect(server.socketsByUser).toEqual(new Map([['alice', 1]]));
    const zero = (writer: StunWriter) => writer.uint32(STUN_ATTRIBUTE.lifetime, 0);
    await client.askSigned(STUN_METHOD.refresh, zero);
    expect(server.statistics.allocations).toBe(0);
    expect(seen[0]).toBe('alice at 127.0.0.1');
    expect(seen.at(-1)).toBe(`alice ${client.local.port}`);
    expect(seen).toContain('alice ends');
  });

  it.runIf(hasIpv6)('is of both families where it is asked for', async () => {
    const server = await start({ addresses: ['127.0.0.1', '::1'] });
    const client = await udp(server);
    const answer = await client.askSigned(STUN_METHOD.allocate, (writer) =>
      writer
        .bytes(STUN_ATTRIBUTE.requestedTransport, Uint8Array.of(17, 0, 0, 0))
        .bytes(STUN_ATTRIBUTE.additionalAddressFamily, Uint8Array.of(2, 0, 0, 0)),
    );
    const relayed = answer.xorAddresses(STUN_ATTRIBUTE.xorRelayedAddress)!;
    expect(relayed.map(({ endpoint }) => endpoint.address)).toEqual(['127.0.0.1', '::1']);
    const peer = await StunPeer.udp(relayed[1]!.endpoint);
    open.push(peer);
    expect((await client.bindChannel(0x4000, peer.local)).class).toBe('success');
    client.send(encodeChannelData(0x4000, DATA));
    expect((await peer.receive()).bytes).toEqual(DATA);
    peer.send(DATA);
    expect((await client.receive()).bytes).toEqual(encodeChannelData(0x4000, DATA));
  });

  it('is told to be at the address that is given, and taken from the ports that are', async () => {
    const server = await start({
      relayAddress: '203.0.113.1',
      relayPorts: { min: 40_100, max: 40_131 },
    });
    const relayed = await (await udp(server)).allocate();
    expect(relayed.address).toBe('203.0.113.1');
    expect(relayed.port).toBeGreaterThanOrEqual(40_100);
    expect(relayed.port).toBeLessThanOrEqual(40_131);
  });

  it.runIf(hasIpv6)('takes the address that is given however it is written', async () => {
    const server = await start({ addresses: ['::1'], relayAddress: '2001:DB8:0:0::1' });
    const [a, b] = [await udp(server, '::1'), await udp(server, '::1')];
    const ofIpv6 = async (peer: StunPeer) => {
      const answer = await peer.askSigned(STUN_METHOD.allocate, (writer) =>
        writer
          .bytes(STUN_ATTRIBUTE.requestedTransport, Uint8Array.of(17, 0, 0, 0))
          .bytes(STUN_ATTRIBUTE.requestedAddressFamily, Uint8Array.of(2, 0, 0, 0)),
      );
      return answer.xorAddress(STUN_ATTRIBUTE.xorRelayedAddress)!;
    };
    const [atA, atB] = [await ofIpv6(a), await ofIpv6(b)];
    expect((await a.bindChannel(0x4000, atB)).class).toBe('success');
    expect((await b.bindChannel(0x4000, atA)).class).toBe('success');
    a.send(encodeChannelData(0x4000, DATA));
    // No packet of it leaves the server, which knows the address as its own.
    expect((await b.receive()).bytes).toEqual(encodeChannelData(0x4000, DATA));
  });

  it('does not reach the listening ports of its server', async () => {
    const server = await start();
    const client = await udp(server);
    await client.allocate();
    for (const port of [server.port, server.port + 1]) {
      const answer = await client.bindChannel(0x4000, { address: '127.0.0.1', port });
      expect(answer.errorCode()!.code).toBe(403);
    }
  });

  it('is there for nobody new while the server drains', async () => {
    const server = await start();
    server.drain();
    const client = await udp(server);
    const answer = await client.askSigned(STUN_METHOD.allocate, (writer) =>
      writer.bytes(STUN_ATTRIBUTE.requestedTransport, Uint8Array.of(17, 0, 0, 0)),
    );
    expect(answer.errorCode()!.code).toBe(508);
  });
});

describe('a fault of the program', () => {
  it('costs the message that it comes with, is told, and nothing else ends', async () => {
    const told: RelayLogEvent[] = [];
    let faults = 0;
    const passwordOf = (): string => {
      faults += 1;
      throw new NatPunchError('invalid-argument', 'a bug');
    };
    const server = await start({
      log: (event) => told.push(event),
      access: { passwordOf, mayReach: () => 'class' },
    });
    const at = { address: '127.0.0.1', port: server.port };
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const overTcp = StunPeer.stream(socket, at, at);
    open.push(overTcp);
    let expected = 0;
    for (const peer of [await udp(server), overTcp]) {
      const answer = peer.askSigned(STUN_METHOD.refresh, (writer) => writer);
      expected += 1;
      await vi.waitFor(() => expect(faults).toBe(expected), { timeout: 60_000 });
      peer.send(writerOf(STUN_METHOD.binding).finish());
      expect(await answer).toMatchObject({ class: 'success', method: STUN_METHOD.binding });
    }
    expect(told[0]).toMatchObject({
      event: 'fault',
      reason: expect.stringContaining('a bug'),
      count: 1,
    });
  });
});

describe('starting', () => {
  it('on all addresses of the host stands for each of them', async () => {
    const server = await start({ addresses: ['0.0.0.0'] });
    expect(server.addresses).toContain('127.0.0.1');
    expect(server.addresses).not.toContain('0.0.0.0');
  });

  it('refuses what is no address, and a port that is taken', async () => {
    for (const wrong of [{ addresses: ['localhost'] }, { relayAddress: 'relay.example' }]) {
      await expect(start(wrong)).rejects.toMatchObject({ code: 'invalid-argument' });
    }
    const { port } = await start();
    await expect(start({ port })).rejects.toMatchObject({ code: 'socket' });
    await expect(start({ port, addresses: ['203.0.113.9'] })).rejects.toMatchObject({
      code: 'socket',
    });
  });

  it('a port of which the second half is taken leaves the first one free', async () => {
    const blocker = await start();
    await expect(start({ port: blocker.port - 1 })).rejects.toMatchObject({ code: 'socket' });
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => {
      socket.bind(blocker.port - 1, '127.0.0.1', resolve);
    });
    socket.close();
  });
});
