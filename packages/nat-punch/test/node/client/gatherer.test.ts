import { afterAll, beforeAll, expect, it } from 'vitest';
import { Gatherer } from '../../../src/node/client/gatherer.ts';
import type { PairSockets } from '../../../src/node/client/pair-sockets.ts';
import type { RelayServer } from '../../../src/node/server/relay-server.ts';
import { startRelay } from '../../support/traversal-server.ts';

let relay: RelayServer;

beforeAll(async () => {
  relay = await startRelay();
});

afterAll(async () => {
  await relay.close();
});

function newGatherer(): Gatherer {
  return new Gatherer({
    server: () => ({
      address: '127.0.0.1',
      stunPorts: [relay.port, relay.port + 1],
      turnPort: relay.port,
      tls: false,
      username: 'user',
      password: 'secret',
    }),
  });
}

const isWhole = (sockets: PairSockets) => {
  const kinds = new Set(sockets.local.candidates.map(({ kind }) => kind));
  return kinds.has('host') && kinds.has('reflexive') && kinds.has('relayed');
};

async function untilWhole(sockets: PairSockets): Promise<void> {
  await new Promise<void>((resolve) => {
    sockets.onChange = () => {
      if (isWhole(sockets)) resolve();
    };
    sockets.onChange();
  });
}

it('has everything ready before a partner comes, and again after that', async () => {
  const gatherer = newGatherer();
  try {
    gatherer.prepare();
    const first = gatherer.take();
    await untilWhole(first);
    expect(relay.statistics.allocations).toBe(1);
    gatherer.prepare();
    const second = gatherer.take();
    expect(second).not.toBe(first);
    await untilWhole(second);
    const ports = [first, second].map(({ local }) => local.sockets[0]!.local.port);
    expect(new Set(ports).size).toBe(2);
    gatherer.giveBack(first);
    gatherer.giveBack(second);
  } finally {
    gatherer.close();
  }
});

it('opens a new socket beside one that is in use, and closes it when it is not', async () => {
  const gatherer = newGatherer();
  const sockets = gatherer.take();
  try {
    await untilWhole(sockets);
    const bases = () =>
      sockets.local.sockets.filter(({ via, family }) => via === 'socket' && family === 4);
    const [first] = bases();
    sockets.isInUse = (id) => id === first!.id;
    await sockets.renew();
    expect(bases()).toHaveLength(2);
    sockets.isInUse = () => false;
    await sockets.renew();
    expect(bases()).toHaveLength(1);
    expect(bases()[0]!.id).not.toBe(first!.id);
  } finally {
    gatherer.giveBack(sockets);
    gatherer.close();
  }
});

it('lets two pairs at a time have hundreds of sockets open', async () => {
  const gatherer = newGatherer();
  const all = [0, 1, 2].map(() => gatherer.take());
  try {
    const opened: number[] = [];
    const opening = all.map(async (sockets, index) => {
      const { sockets: guesses } = await sockets.openGuesses('birthday', 20);
      opened.push(index);
      return guesses.map(({ id }) => id);
    });
    const [first] = await Promise.all([opening[0]!, opening[1]!]);
    expect(opened).toHaveLength(2);
    all[0]!.release(first!);
    expect(await opening[2]!).toHaveLength(20);
  } finally {
    for (const sockets of all) gatherer.giveBack(sockets);
    gatherer.close();
  }
});

it('tells of a prediction the port that its socket is mapped to', async () => {
  const gatherer = newGatherer();
  const sockets = gatherer.take();
  try {
    const { sockets: guesses, mappedPort } = await sockets.openGuesses('prediction', 1);
    expect(mappedPort).toBe(guesses[0]!.local.port);
  } finally {
    gatherer.giveBack(sockets);
    gatherer.close();
  }
});
