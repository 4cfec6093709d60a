// Finds out the class of the NAT that this host is behind (RFC 5780), on sockets of its own.
import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { addressFamily, type Endpoint, type HostPort, makeEndpoint } from '@bt/endpoint';
import { NatPunchError } from '../../errors.ts';
import type { FilterKind } from '../../path/nat-filter.ts';
import { DISCOVERY_SOCKETS, type NatClass, NatDiscovery } from '../../stun/nat-class.ts';
import { bindDatagramSocket, type DatagramSocket } from './datagram-socket.ts';
import { readServerLocation, type ServerLocation } from './server-location.ts';
import { Wakeup } from './wakeup.ts';

export interface DiscoverNatOptions {
  /** A STUN server that answers from two ports, better from two addresses as well. */
  readonly server: ServerLocation;
  /** Its second port. Default: the next one. */
  readonly otherPort?: number | undefined;
  /** Its second address; it may also tell it by itself. */
  readonly alternateAddress?: string | undefined;
  readonly natFilter?: FilterKind | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes up to a second, and never fails for what the network does: then `hasUdp` is false.
 *
 * @throws {NatPunchError} `invalid-argument` for what is no server, `unreachable` for a name that can't be looked up, `socket`, `aborted` by the signal.
 */
export async function discoverNat(options: DiscoverNatOptions): Promise<NatClass> {
  const server = await lookUp(readServerLocation(options.server));
  const family = addressFamily(server.address)!;
  const sockets: DatagramSocket[] = [];
  try {
    // One after the other: systems that count their ports up give them in order then.
    for (let i = 0; i < DISCOVERY_SOCKETS; i++) {
      sockets.push(await bindDatagramSocket(family, options.natFilter));
    }
    return await run(sockets, server, options);
  } finally {
    for (const socket of sockets) socket.close();
  }
}

async function lookUp({ host, port }: HostPort): Promise<Endpoint> {
  const endpoint = makeEndpoint(host, port);
  if (endpoint !== undefined) return endpoint;
  try {
    return makeEndpoint((await lookup(host)).address, port)!;
  } catch (cause) {
    throw new NatPunchError('unreachable', `${host} can't be looked up`, { cause });
  }
}

function run(
  sockets: readonly DatagramSocket[],
  server: Endpoint,
  options: DiscoverNatOptions,
): Promise<NatClass> {
  const { otherPort, alternateAddress, natFilter } = options;
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const machine = new NatDiscovery(performance.now(), {
    server,
    ...(otherPort === undefined ? {} : { otherPort }),
    ...(alternateAddress === undefined ? {} : { alternateAddress }),
    // The host has the addresses that a NAT kind in test mode maps to.
    localAddresses: natFilter === undefined ? addresses.map(({ address }) => address) : [],
    localPorts: sockets.map(({ localPort }) => localPort),
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  });
  return new Promise((resolve, reject) => {
    const abort = () => {
      wakeup.set(Number.POSITIVE_INFINITY);
      reject(new NatPunchError('aborted', 'aborted', { cause: options.signal?.reason }));
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    const drain = () => {
      for (let effect = machine.poll(); effect !== undefined; effect = machine.poll()) {
        sockets[effect.socket]!.send(effect.to, effect.bytes);
      }
      wakeup.set(machine.deadline());
      if (machine.result === undefined) return;
      options.signal?.removeEventListener('abort', abort);
      resolve(machine.result);
    };
    const wakeup = new Wakeup(() => {
      machine.handleTimeout(performance.now());
      drain();
    });
    sockets.forEach((socket, index) => {
      socket.onDatagram = (_from, bytes) => {
        machine.handleDatagram(performance.now(), index, bytes);
        drain();
      };
    });
    drain();
    if (options.signal?.aborted === true) abort();
  });
}
