// Which sessions have their ports mapped: no gateway is looked for.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSession, type Session, type SessionOptions } from '../../../src/node/index.ts';

const mapper = vi.hoisted(() => ({ opened: 0, ports: [] as string[] }));

vi.mock('../../../src/node/port-mapping/port-mapper.ts', async (original) => ({
  ...(await original<object>()),
  PortMapper: class {
    constructor() {
      mapper.opened += 1;
    }

    add({ protocol, port }: { protocol: string; port: number }): void {
      mapper.ports.push(`${protocol} ${port}`);
    }

    async close(): Promise<void> {}
  },
}));

let sessions: Session[];

beforeEach(() => {
  sessions = [];
  mapper.opened = 0;
  mapper.ports.length = 0;
});

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.stop()));
});

async function open(options: SessionOptions): Promise<Session> {
  const session = await openSession({ resumeDir: null, portMapping: true, ...options });
  sessions.push(session);
  return session;
}

describe('a session', () => {
  it.each([
    ['is bound to loopback', { bindAddress: '127.0.0.1' }],
    ['is bound elsewhere on loopback', { bindAddress: '127.1.2.3' }],
    ['does not listen', { listen: false }],
    ['is not to', { portMapping: false }],
  ])('that %s maps nothing', async (_, options) => {
    const session = await open(options);
    expect(session.portMappings()).toEqual([]);
    expect(mapper).toEqual({ opened: 0, ports: [] });
  });

  it.each([undefined, '0.0.0.0'])('of %s maps its ports', async (bindAddress) => {
    const session = await open(bindAddress === undefined ? {} : { bindAddress });
    expect(mapper).toEqual({ opened: 1, ports: [`tcp ${session.port}`] });
  });
});
