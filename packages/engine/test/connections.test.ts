import { once } from 'node:events';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { MAX_CONNECTIONS, MAX_HALF_OPEN, MAX_PENDING_ACCEPTS } from '../src/limits.ts';
import { Connections } from '../src/node/connections.ts';
import { Dialler } from '../src/node/dial.ts';
import { Listener } from '../src/node/listen.ts';

/** Sockets tell of their end some turns later. */
function emptied(connections: Connections): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (connections.count === 0) resolve();
    };
    connections.onFreed(check);
    check();
  });
}

describe('the connections of a session', () => {
  it('are fewer where the process has few descriptors', () => {
    expect(new Connections({ descriptors: Number.POSITIVE_INFINITY }).max).toBe(MAX_CONNECTIONS);
    expect(new Connections({ descriptors: 1024 }).max).toBe(480);
    expect(new Connections({ max: 100, descriptors: 1024 }).max).toBe(100);
    expect(new Connections({ descriptors: 32 }).max).toBe(1);
  });

  it('leave a fifth of the room to each direction, whatever the other takes', () => {
    for (const [flood, other] of [
      ['in', 'out'],
      ['out', 'in'],
    ] as const) {
      const connections = new Connections({ max: 10 });
      while (connections.isRoomFor(flood)) connections.add(new Socket(), flood);
      expect(connections.count).toBe(8);
      while (connections.isRoomFor(other)) connections.add(new Socket(), other);
      expect(connections.count).toBe(10);
    }
  });

  it('tell how much of the room of a direction is taken', () => {
    const connections = new Connections({ max: 10 });
    for (let count = 0; count < 4; count += 1) connections.add(new Socket(), 'in');
    expect(connections.share('in')).toBe(4 / 8);
    expect(connections.share('out')).toBe(4 / 10);
  });

  it('may all be dialled where nobody can connect to us', () => {
    const connections = new Connections({ max: 10, accepts: false });
    while (connections.isRoomFor('out')) connections.add(new Socket(), 'out');
    expect(connections.count).toBe(10);
  });

  it('are dialled up to the cap, and the next one when one has closed', async () => {
    const accepted: Socket[] = [];
    const server = createServer((socket) => accepted.push(socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const connections = new Connections({ max: 2 });
    const dialler = new Dialler('127.0.0.1', connections);
    const transports: { close(): void }[] = [];
    let connected = (): void => {};
    for (let index = 0; index < 3; index += 1) {
      dialler.dial(
        { address: '127.0.0.1', port },
        {
          onConnected: (transport) => {
            transports.push(transport);
            connected();
            return true;
          },
          onBytes: () => {},
          onFailed: () => {},
          onWritable: () => {},
          onClosed: () => {},
        },
      );
    }
    const until = async (count: number) => {
      while (transports.length < count) {
        await new Promise<void>((resolve) => {
          connected = resolve;
        });
      }
    };
    await until(2);
    expect(connections.count).toBe(2);
    transports[0]!.close();
    await until(3);
    expect(connections.count).toBe(2);
    for (const transport of transports) transport.close();
    for (const socket of accepted) socket.destroy();
    await once(server.close(), 'close');
    await emptied(connections);
  });

  it('are under way in a bounded number at a time', async () => {
    const accepted: Socket[] = [];
    const server = createServer((socket) => accepted.push(socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const connections = new Connections();
    const dialler = new Dialler('127.0.0.1', connections);
    const count = MAX_HALF_OPEN + 10;
    await new Promise<void>((resolve) => {
      let connected = 0;
      for (let index = 0; index < count; index += 1) {
        dialler.dial(
          { address: '127.0.0.1', port },
          {
            onConnected: () => {
              connected += 1;
              if (connected === count) resolve();
              return false;
            },
            onBytes: () => {},
            onFailed: () => {},
            onWritable: () => {},
            onClosed: () => {},
          },
        );
      }
      expect(connections.count).toBe(MAX_HALF_OPEN);
    });
    for (const socket of accepted) socket.destroy();
    await once(server.close(), 'close');
    await emptied(connections);
  });

  it('wait for their handshake in a bounded number', async () => {
    const connections = new Connections();
    const listener = await Listener.open(
      { address: '127.0.0.1', port: 0, connections },
      { accept: () => undefined },
    );
    const silent = Array.from({ length: MAX_PENDING_ACCEPTS }, () =>
      connect(listener.port, '127.0.0.1'),
    );
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    const next = connect(listener.port, '127.0.0.1');
    next.on('error', () => {});
    next.resume();
    await once(next, 'close');
    expect(connections.count).toBe(MAX_PENDING_ACCEPTS);
    listener.close();
    for (const socket of silent) socket.destroy();
    await emptied(connections);
  });

  it('are refused beyond the cap before they cost anything', async () => {
    const connections = new Connections({ max: 1 });
    const listener = await Listener.open(
      { address: '127.0.0.1', port: 0, connections },
      { accept: () => undefined },
    );
    const first = connect(listener.port, '127.0.0.1');
    await once(first, 'connect');
    const second = connect(listener.port, '127.0.0.1');
    second.on('error', () => {});
    second.resume();
    await once(second, 'close');
    expect(connections.count).toBe(1);
    listener.close();
    first.resume();
    await once(first, 'close');
    await emptied(connections);
  });
});
