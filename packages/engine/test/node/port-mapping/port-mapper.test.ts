// Mapping ports in gateways of our own making on loopback: the gateway is 127.0.0.2, we are 127.0.0.1.

import { afterEach, describe, expect, it } from 'vitest';
import {
  PortMapper,
  type PortMapperOptions,
  type PortMapping,
} from '../../../src/node/port-mapping/port-mapper.ts';
import {
  type FakeGateway,
  listenPortControl,
  listenUpnp,
  silentPort,
  type UpnpOptions,
} from '../../support/fake-gateways.ts';

const tcp = { protocol: 'tcp', port: 6881 } as const;
const udp = { protocol: 'udp', port: 6882 } as const;

let mappers: PortMapper[] = [];
afterEach(async () => {
  await Promise.all(mappers.map((mapper) => mapper.close()));
  mappers = [];
});

interface Heard {
  readonly mapped: PortMapping[];
  readonly failures: string[];
}

function makeMapper(
  portControl: FakeGateway,
  upnp: FakeGateway,
  options: Partial<PortMapperOptions> = {},
): { mapper: PortMapper; heard: Heard } {
  const heard: Heard = { mapped: [], failures: [] };
  const mapper = new PortMapper({
    bindAddress: undefined,
    random: () => 0.5,
    mapped: (mapping) => heard.mapped.push(mapping),
    failed: ({ protocol, port }, message) => heard.failures.push(`${protocol} ${port}: ${message}`),
    networks: async () => [{ localAddress: '127.0.0.1', gateway: '127.0.0.2' }],
    portControlPort: portControl.port,
    ssdpGroup: { address: '127.0.0.1', port: upnp.port },
    repeatMs: 40,
    searchMs: 400,
    ...options,
  });
  mappers.push(mapper);
  return { mapper, heard };
}

describe.each(['PCP', 'NAT-PMP'] as const)('a gateway that speaks %s', (speaks) => {
  it('opens ports and closes them in the end', async () => {
    await using gateway = await listenPortControl({ speaks, externalPort: 50_000 });
    await using upnp = await silentPort('127.0.0.1');
    const { mapper, heard } = makeMapper(gateway, upnp);
    mapper.add(tcp);
    mapper.add(udp);
    await expect.poll(() => heard.mapped).toHaveLength(2);
    expect(heard.mapped).toContainEqual({
      ...tcp,
      externalPort: 50_000,
      externalAddress: '203.0.113.5',
      gateway: '127.0.0.2',
      gatewayProtocol: speaks,
    });
    expect([...gateway.mappings.keys()].sort()).toEqual(['tcp 6881', 'udp 6882']);
    await mapper.close();
    expect(gateway.mappings.size).toBe(0);
    expect(heard.failures).toEqual([]);
  });

  it('is asked again for what was lost', async () => {
    await using gateway = await listenPortControl({ speaks, loses: 2 });
    await using upnp = await silentPort('127.0.0.1');
    const { mapper, heard } = makeMapper(gateway, upnp);
    mapper.add(tcp);
    await expect.poll(() => heard.mapped, { timeout: 5_000 }).toHaveLength(1);
  });

  it('may refuse, and says why', async () => {
    await using gateway = await listenPortControl({ speaks, result: 2 });
    await using upnp = await silentPort('127.0.0.1');
    const { mapper, heard } = makeMapper(gateway, upnp);
    mapper.add(tcp);
    await expect
      .poll(() => heard.failures)
      .toEqual(['tcp 6881: the gateway refuses: not authorized']);
  });

  it.each([
    ['no port', { externalPort: 0 }],
    ['no time', { lifetimeSeconds: 0 }],
  ])('that grants %s grants nothing', async (_, grants) => {
    await using gateway = await listenPortControl({ speaks, ...grants });
    await using upnp = await silentPort('127.0.0.1');
    const { mapper, heard } = makeMapper(gateway, upnp);
    mapper.add(tcp);
    await expect
      .poll(() => heard.failures)
      .toEqual(['tcp 6881: the gateway refuses: it grants nothing']);
  });

  it('is given up when it sends rubbish', async () => {
    for (const rubbish of [
      Buffer.alloc(0),
      Buffer.from([speaks === 'PCP' ? 2 : 0]),
      Buffer.alloc(1500, 0x82),
    ]) {
      await using gateway = await listenPortControl({ speaks, rubbish });
      await using upnp = await silentPort('127.0.0.1');
      const { mapper, heard } = makeMapper(gateway, upnp);
      mapper.add(tcp);
      await expect
        .poll(() => heard.failures, { timeout: 10_000 })
        .toEqual(['tcp 6881: the gateway refuses: no answer']);
    }
  });
});

describe('a gateway that speaks UPnP', () => {
  it('opens ports and closes them in the end, where nothing else answers', async () => {
    await using silent = await silentPort('127.0.0.2');
    await using gateway = await listenUpnp();
    const { mapper, heard } = makeMapper(silent, gateway);
    mapper.add(tcp);
    mapper.add(udp);
    await expect.poll(() => heard.mapped, { timeout: 10_000 }).toHaveLength(2);
    expect(heard.mapped).toContainEqual({
      ...tcp,
      externalPort: 6881,
      externalAddress: '203.0.113.5',
      gateway: '127.0.0.1',
      gatewayProtocol: 'UPnP',
    });
    expect(gateway.mappings.get('tcp 6881')).toBe('tcp 6881 > 127.0.0.1:6881 for 3600');
    await mapper.close();
    expect(gateway.mappings.size).toBe(0);
  });

  const map = async (options: UpnpOptions) => {
    await using none = await silentPort('127.0.0.2');
    // Nobody listens there: that is told at once, so that the test needn't wait for an answer.
    const refused = { ...none, port: 1 };
    await using gateway = await listenUpnp(options);
    const { mapper, heard } = makeMapper(refused, gateway);
    mapper.add(tcp);
    await expect
      .poll(() => heard.mapped.length + heard.failures.length, { timeout: 10_000 })
      .toBeGreaterThan(0);
    await mapper.close();
    return { heard, requests: gateway.requests };
  };

  it('may grant mappings without an end only', async () => {
    const { heard, requests } = await map({ errors: [725] });
    expect(heard.mapped).toHaveLength(1);
    expect(requests).toContain('tcp 6881 > 127.0.0.1:6881 for 0');
    expect(requests.at(-1)).toBe('remove tcp 6881');
  });

  it('may have the port for another host', async () => {
    const { heard, requests } = await map({ errors: [718, 718] });
    expect(heard.mapped[0]?.externalPort).toBe(57_344);
    expect(requests.at(-1)).toBe('remove tcp 57344');
  });

  it('may have no port at all', async () => {
    const { heard, requests } = await map({ errors: new Array(20).fill(718) });
    expect(heard.failures).toEqual(['tcp 6881: the gateway refuses: UPnP error 718']);
    expect(requests.filter((line) => line.startsWith('tcp'))).toHaveLength(5);
  });

  it('may not know its own address', async () => {
    const { heard } = await map({ externalAddress: '<evil>' });
    expect(heard.mapped[0]?.externalAddress).toBeUndefined();
  });

  it.each([
    ['another host', (url: string) => url.replace('127.0.0.1', '127.0.0.3')],
    ['a name', (url: string) => url.replace('127.0.0.1', 'localhost')],
    ['another protocol', (url: string) => url.replace('http:', 'https:')],
    ['credentials', (url: string) => url.replace('//', '//a:b@')],
    ['nothing', () => 'x'],
  ])('is not followed to %s', async (_, location) => {
    const { heard, requests } = await map({ location });
    expect(heard.failures).toEqual(['tcp 6881: no gateway answers']);
    expect(new Set(requests)).toEqual(new Set(['search']));
  });

  it('is not asked to have others asked', async () => {
    for (const controlUrl of ['http://127.0.0.3/ctl', 'http://localhost/', 'ftp://127.0.0.1/']) {
      const { heard, requests } = await map({ controlUrl });
      expect(heard.failures).toHaveLength(1);
      expect(requests).not.toContainEqual(expect.stringMatching(/^POST/));
    }
  });

  it.each<[string, NonNullable<UpnpOptions['misbehave']>]>([
    [
      'a redirect',
      (_, response) => {
        response.writeHead(302, { Location: 'http://127.0.0.3/' }).end();
        return true;
      },
    ],
    [
      'a description without end',
      (_, response) => {
        const go = () => {
          while (response.write('<service>'.repeat(1000)));
        };
        response.on('drain', go).on('error', () => undefined);
        go();
        return true;
      },
    ],
    [
      'nothing but a hang-up',
      (request) => {
        request.socket.destroy();
        return true;
      },
    ],
    [
      'headers without end',
      (request) => {
        const go = () => {
          while (request.socket.write('X: '.padEnd(1000, 'x')));
        };
        request.socket.on('drain', go).on('error', () => undefined);
        go();
        return true;
      },
    ],
  ])('is given up for %s', async (_, misbehave) => {
    const { heard } = await map({ misbehave });
    expect(heard.failures).toEqual(['tcp 6881: no gateway answers']);
  });

  it('is given up for an answer without end', async () => {
    const { heard } = await map({
      misbehave: (request, response) => {
        if (request.method === 'GET') return false;
        const go = () => {
          while (response.write('x'.repeat(10_000)));
        };
        response.on('drain', go).on('error', () => undefined);
        go();
        return true;
      },
    });
    expect(heard.failures).toEqual(['tcp 6881: the gateway refuses: its answer is too large']);
  });
});

describe('a port mapper', () => {
  it('prefers PCP where a gateway speaks UPnP as well', async () => {
    await using gateway = await listenPortControl();
    await using upnp = await listenUpnp();
    const { mapper, heard } = makeMapper(gateway, upnp);
    mapper.add(tcp);
    await expect.poll(() => heard.mapped).toHaveLength(1);
    expect(heard.mapped[0]?.gatewayProtocol).toBe('PCP');
    await mapper.close();
    expect(upnp.requests.some((line) => line.startsWith('POST'))).toBe(false);
  });

  it('says so where there is no gateway', async () => {
    await using silent = await silentPort('127.0.0.2');
    await using upnp = await silentPort('127.0.0.1');
    const { mapper, heard } = makeMapper(silent, upnp, { networks: async () => [] });
    mapper.add(tcp);
    await expect
      .poll(() => heard.failures)
      .toEqual(['tcp 6881: the gateway refuses: there is no network with a gateway']);
  });

  it('is closed in bounded time where the gateway has gone', async () => {
    const gateway = await listenPortControl();
    await using upnp = await silentPort('127.0.0.1');
    await using gone = await silentPort('127.0.0.2');
    const { mapper, heard } = makeMapper(gateway, upnp);
    mapper.add(tcp);
    await expect.poll(() => heard.mapped).toHaveLength(1);
    await gateway[Symbol.asyncDispose]();
    // Nobody answers: it ends by itself, or not at all.
    await mapper.close();
    expect(gone.requests).toEqual([]);
  });

  it('removes also what is granted just when it is closed', async () => {
    await using gateway = await listenPortControl();
    await using upnp = await silentPort('127.0.0.1');
    const { mapper, heard } = makeMapper(gateway, upnp);
    mapper.add(tcp);
    await expect.poll(() => gateway.mappings.size).toBe(1);
    await mapper.close();
    expect(gateway.mappings.size).toBe(0);
    expect(heard.failures).toEqual([]);
  });

  it('does nothing any more once it is closed', async () => {
    await using gateway = await listenPortControl();
    await using upnp = await silentPort('127.0.0.1');
    const { mapper, heard } = makeMapper(gateway, upnp);
    await mapper.close();
    mapper.add(tcp);
    await mapper.close();
    expect(gateway.requests).toEqual([]);
    expect(heard).toEqual({ mapped: [], failures: [] });
  });
});
