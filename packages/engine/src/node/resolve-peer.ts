// A peer named by the user: an address as it is, or a name that the system resolves.

import { lookup } from 'node:dns/promises';
import { type Endpoint, isLoopback, isPort, parseAddress, printAddress } from '@bt/endpoint';
import { EngineError } from '../errors.ts';

/** @throws {EngineError} `bad-argument` for what can't be a peer, resolved or not */
export function checkPeer(host: string, port: number): void {
  if (host === '') throw new EngineError('bad-argument', 'a peer without a host');
  if (!isPort(port) || port === 0) throw new EngineError('bad-argument', `${port} is no port`);
}

/** On a session bound to loopback nothing leaves the host: no name but `localhost` is resolved. */
export async function resolvePeer(
  host: string,
  port: number,
  bindAddress: string | undefined,
): Promise<Endpoint[]> {
  checkPeer(host, port);
  const bytes = parseAddress(host);
  if (bytes !== undefined) return [{ address: printAddress(bytes), port }];
  const isBoundToLoopback = bindAddress !== undefined && isLoopback(bindAddress);
  if (isBoundToLoopback && host !== 'localhost') {
    throw new EngineError('bad-argument', `${host} is not resolved: bound to ${bindAddress}`);
  }
  try {
    const found = await lookup(host, { all: true });
    return found.flatMap(({ address }) => {
      const parsed = parseAddress(address);
      return parsed === undefined ? [] : [{ address: printAddress(parsed), port }];
    });
  } catch (cause) {
    throw new EngineError('bad-argument', `peer ${host}: name not found`, cause);
  }
}
