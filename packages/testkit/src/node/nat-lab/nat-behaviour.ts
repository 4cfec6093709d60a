// What a NAT does, seen from outside by plain UDP sockets: its mapping and filtering as in RFC 5780 sections 4.3 and 4.4, but with the
// server's sockets in our hand, so that no protocol stands between.
import type { NatLab } from './lab.ts';
import type { Dependence, NatBehaviour } from './nat-kind.ts';
import { type LabEndpoint, type LabSocket, UdpAgent } from './udp-agent.ts';

/** Longest wait for a datagram in the lab, whose delay is far below. */
const TIMEOUT_MS = 2_000;

/** The server's sockets: two ports at its first address, one at its second. */
export interface Observers {
  readonly first: LabSocket;
  readonly otherPort: LabSocket;
  readonly otherAddress: LabSocket;
  readonly addresses: readonly [string, string];
}

export async function startObservers(lab: NatLab): Promise<Observers> {
  const agent = new UdpAgent(lab.server);
  const { address, alternateAddress } = lab.server;
  return {
    first: await agent.open(address),
    otherPort: await agent.open(address),
    otherAddress: await agent.open(alternateAddress),
    addresses: [address, alternateAddress],
  };
}

export interface ObservedBehaviour extends NatBehaviour {
  /** How the public port grows from one destination to the next; undefined when it does not grow by a fixed step. */
  readonly portStep: number | undefined;
  readonly keepsPort: boolean;
}

/** Undefined when nothing passes. */
export async function observeBehaviour(
  agent: UdpAgent,
  observers: Observers,
): Promise<ObservedBehaviour | undefined> {
  const socket = await agent.open();
  const { first, otherPort, otherAddress, addresses } = observers;
  const seen: LabEndpoint[] = [];
  for (const [observer, address] of [
    [first, addresses[0]],
    [otherPort, addresses[0]],
    [otherAddress, addresses[1]],
  ] as const) {
    const source = await seenBy(observer, socket, [address, observer.port]);
    if (source === undefined) return undefined;
    seen.push(source);
  }
  const filtering = await observeFiltering(agent, observers);
  const keepsPort = seen[0]![1] === socket.port;
  socket.close();
  if (filtering === undefined) return undefined;
  const [a, b, c] = seen.map(([, port]) => port) as [number, number, number];
  return {
    mapping: a !== b ? 'address-and-port' : b === c ? 'endpoint' : 'address',
    filtering,
    portStep: b - a === c - b ? b - a : undefined,
    keepsPort,
  };
}

/** Where a datagram of `socket` comes from, as the observer sees it. */
export async function seenBy(
  observer: LabSocket,
  socket: LabSocket,
  address: LabEndpoint,
): Promise<LabEndpoint | undefined> {
  const text = `from ${Math.random()}`;
  const arrival = observer.next((datagram) => datagram.text === text, TIMEOUT_MS);
  socket.send(address, text);
  return (await arrival)?.from;
}

async function observeFiltering(
  agent: UdpAgent,
  { first, otherPort, otherAddress, addresses }: Observers,
): Promise<Dependence | undefined> {
  const socket = await agent.open();
  const mapped = await seenBy(first, socket, [addresses[0], first.port]);
  if (mapped === undefined) return undefined;
  const arrived = new Set<string>();
  socket.onDatagram = ({ text }) => arrived.add(text);
  otherAddress.send(mapped, 'other address');
  otherPort.send(mapped, 'other port');
  // The answer that always passes goes last, on the same way: when it is there, the others are there or never will be.
  const last = socket.next(({ text }) => text === 'last', TIMEOUT_MS);
  first.send(mapped, 'last');
  if ((await last) === undefined) return undefined;
  socket.close();
  if (arrived.has('other address')) return 'endpoint';
  return arrived.has('other port') ? 'address' : 'address-and-port';
}
