// The candidates of a member whose channel is plain ICE (RFC 8839 section 5.1), before our ICE gets them: it would look names up and check
// whatever it is given, so a stranger's list may only hold what can be a peer's, and no more of it than a budget allows.
import { addressFamily, type Endpoint, isMartian, makeEndpoint } from '@bt/endpoint';
import { ProbeBudget } from './probe-budget.ts';

export interface IceCandidate extends Endpoint {
  readonly foundation: string;
  readonly priority: number;
  readonly kind: 'host' | 'srflx' | 'relay';
}

export interface IceCandidateOptions {
  /** Whether the server is on loopback, and so the peer may be. */
  readonly allowLoopback: boolean;
}

/**
 * Reads a candidate: UDP, of the first component, at an IP address that can be a peer's. Undefined for all else, such as the `.local` names
 * of browsers (multicast DNS), which are then met by their other candidates or by where their checks come from.
 */
export function parseIceCandidate(
  line: string,
  { allowLoopback }: IceCandidateOptions,
): IceCandidate | undefined {
  const [, foundation, priority, address, port, kind] = CANDIDATE.exec(line) ?? [];
  if (foundation === undefined || addressFamily(address!) === undefined) return undefined;
  const endpoint = makeEndpoint(address!, Number(port));
  if (endpoint === undefined || Number(priority) > MAX_PRIORITY) return undefined;
  if (isMartian(endpoint, { tellerIsLoopback: allowLoopback })) return undefined;
  return {
    foundation,
    priority: Number(priority),
    kind: kind as IceCandidate['kind'],
    ...endpoint,
  };
}

/** As a line of its own making, which holds nothing but what was understood. */
export function printIceCandidate({
  foundation,
  priority,
  address,
  port,
  kind,
}: IceCandidate): string {
  return `candidate:${foundation} 1 UDP ${priority} ${address} ${port} typ ${kind}`;
}

/**
 * What of a pair's candidates ICE is given, in all the rounds of the pair: each costs some ten datagrams. To an address of which nothing has
 * answered yet as many as {@link ProbeBudget} allows probes, whatever the ports.
 */
export class IceCandidateFilter {
  readonly #budget = new ProbeBudget();

  /** The candidate as ICE gets it; undefined when it gets none. `serverAddress` is where the relay is. */
  admit(line: string, serverAddress: string, options: IceCandidateOptions): string | undefined {
    const candidate = parseIceCandidate(line, options);
    if (candidate === undefined) return undefined;
    this.#budget.addTrusted(serverAddress);
    return this.#budget.takeProbe(candidate.address) ? printIceCandidate(candidate) : undefined;
  }

  /** The channel has opened with this address. */
  handleOpen(address: string): void {
    this.#budget.handleAnswer(address);
  }
}

/** RFC 8839 section 5.1: foundation, component, transport, priority, address, port, type; what follows is of no use to us. */
const CANDIDATE =
  /^candidate:([\w+/]{1,32}) 1 udp (\d{1,10}) ([\da-fA-F.:]{2,45}) (\d{1,5}) typ (host|srflx|relay)(?: |$)/i;
/** RFC 8445 section 5.1.2: 31 bits. */
const MAX_PRIORITY = 0x7fff_ffff;
