import { afterEach, expect, it, vi } from 'vitest';
import { PairSockets } from '../../../src/node/client/pair-sockets.ts';
import { MAX_CLIENT_PERMISSIONS } from '../../../src/turn/turn-client.ts';

const { permitted } = vi.hoisted(() => ({ permitted: [] as string[] }));

// A relay that notes whom it is to let in.
vi.mock('../../../src/node/client/turn-connection.ts', () => ({
  TurnConnection: class {
    readonly id: number;
    readonly via: string;
    readonly pathSocket = undefined;
    constructor({ id, via }: { id: number; via: string }) {
      this.id = id;
      this.via = via;
    }
    permit({ address }: { address: string }) {
      if (this.via === 'relay-udp') permitted.push(address);
    }
    bindChannel() {}
    verify() {}
    close() {}
  },
}));

const opened: PairSockets[] = [];
afterEach(() => {
  for (const sockets of opened.splice(0)) sockets.close();
  permitted.length = 0;
});

function pairSockets(mayOpenMany = async () => () => {}): PairSockets {
  const server = { address: '127.0.0.1', stunPorts: [], turnPort: 9, tls: false };
  const sockets = new PairSockets({
    server: () => ({ ...server, username: 'user', password: 'secret' }),
    natTraits: () => undefined,
    natFilter: undefined,
    mayOpenMany,
  });
  opened.push(sockets);
  return sockets;
}

it('keeps a bounded number of addresses to let in: the oldest go, and never the one that is used', () => {
  const sockets = pairSockets();
  const name = (index: number) => ({ address: `6.0.${index >> 8}.${index & 255}`, port: 7 });
  sockets.permit(name(0));
  sockets.bindChannel(1, name(0));
  for (let index = 1; index < 5_000; index++) sockets.permit(name(index));
  sockets.permit(name(4_960));
  permitted.length = 0;
  sockets.verify();
  expect(permitted).toHaveLength(MAX_CLIENT_PERMISSIONS);
  expect(permitted[0]).toBe(name(0).address);
  expect(permitted.slice(-2)).toEqual([name(4_999).address, name(4_960).address]);
});

it('holds one leave to open hundreds of sockets, and gives each back', async () => {
  const held = new Set<number>();
  let most = 0;
  let count = 0;
  const sockets = pairSockets(async () => {
    const id = count++;
    held.add(id);
    most = Math.max(most, held.size);
    return () => held.delete(id);
  });
  for (let attempt = 0; attempt < 3; attempt++) {
    const { sockets: guesses } = await sockets.openGuesses('birthday', 20);
    // More are met by the peer than are kept.
    sockets.release(guesses.slice(9).map(({ id }) => id));
  }
  expect([...held]).toEqual([2]);
  expect(most).toBe(1);
  await Promise.all([sockets.openGuesses('birthday', 1), sockets.openGuesses('birthday', 1)]);
  expect(held.size).toBe(1);
  sockets.close();
  expect(held.size).toBe(0);
});
