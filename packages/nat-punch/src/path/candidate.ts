// What the members of a pair tell one another through signalling before and while they look for a path: the endpoints at which each may be
// reached (candidates, RFC 8445 section 5.1), what its NAT is like, and what it is about to try. All of it is a stranger's word.
import { addressFamily, isMartian, isPort, makeEndpoint } from '@bt/endpoint';

/** Of one message; more are not looked at. */
export const MAX_CANDIDATES = 16;
export const MAX_ROUND = 1_000_000;

export type CandidateKind =
  /** An address of the host itself. */
  | 'host'
  /** Where a server saw it: the outside of its NAT. */
  | 'reflexive'
  /** Its allocation on a TURN server. */
  | 'relayed';

export interface Candidate {
  readonly kind: CandidateKind;
  readonly address: string;
  readonly port: number;
}

/** What of a NAT's class decides how it is got through. */
export interface NatTraits {
  /** Whether what is sent to another endpoint gets another mapping; `none`: there is no translation. */
  readonly mapping: 'none' | 'independent' | 'dependent' | 'unknown';
  /** Whether only what was sent to, address and port, gets in (`port`), or others too (`open`). */
  readonly filtering: 'open' | 'port' | 'unknown';
  /** By how much the ports of successive mappings differ, when that can be relied on. */
  readonly portStep?: number;
}

export interface CandidatesSignal {
  readonly kind: 'candidates';
  /** Counts attempts to find a path; a higher one begins anew. */
  readonly round: number;
  readonly nat: NatTraits;
  readonly candidates: readonly Candidate[];
}

/** What one side has done, so that the other one does its part. */
export type PunchSignal = {
  readonly kind: 'punch';
  readonly round: number;
} & (
  | /** Its NAT lets in what comes from our candidates. */ { readonly way: 'opened' }
  | /** Its next mapping follows this port. */ { readonly way: 'prediction'; readonly port: number }
  | /** It has opened many ports for us. */ { readonly way: 'birthday' }
);

export type PathSignal = CandidatesSignal | PunchSignal;

export interface SignalOptions {
  /** Whether both sides may be on one host: only then a loopback address means something. */
  readonly allowLoopback: boolean;
}

/** Reads what the peer has sent; `undefined` when it is no signal of these kinds. Candidates that can't be a peer's are left out. */
export function parsePathSignal(data: unknown, options: SignalOptions): PathSignal | undefined {
  if (!isRecord(data)) return undefined;
  const { round } = data;
  if (!isCount(round, MAX_ROUND)) return undefined;
  if (data.kind === 'punch') return parsePunch(data, round);
  if (data.kind !== 'candidates' || !Array.isArray(data.candidates)) return undefined;
  const nat = parseTraits(data.nat);
  if (nat === undefined) return undefined;
  const candidates: Candidate[] = [];
  for (const value of data.candidates.slice(0, MAX_CANDIDATES)) {
    const candidate = parseCandidate(value);
    if (candidate === undefined) return undefined;
    if (!isMartian(candidate, { tellerIsLoopback: options.allowLoopback })) {
      candidates.push(candidate);
    }
  }
  return { kind: 'candidates', round, nat, candidates };
}

function parsePunch(data: Record<string, unknown>, round: number): PunchSignal | undefined {
  const { way, port } = data;
  if (way === 'opened' || way === 'birthday') return { kind: 'punch', round, way };
  if (way !== 'prediction' || typeof port !== 'number' || !isPort(port)) return undefined;
  return { kind: 'punch', round, way, port };
}

function parseTraits(data: unknown): NatTraits | undefined {
  if (!isRecord(data)) return undefined;
  const { mapping, filtering, portStep } = data;
  if (!isOneOf(mapping, MAPPINGS) || !isOneOf(filtering, FILTERINGS)) return undefined;
  if (portStep === undefined) return { mapping, filtering };
  if (typeof portStep !== 'number' || !Number.isInteger(portStep)) return undefined;
  if (portStep === 0 || Math.abs(portStep) > MAX_PORT_STEP) return undefined;
  return { mapping, filtering, portStep };
}

function parseCandidate(data: unknown): Candidate | undefined {
  if (!isRecord(data)) return undefined;
  const { kind, address, port } = data;
  if (!isOneOf(kind, KINDS) || typeof address !== 'string' || typeof port !== 'number') {
    return undefined;
  }
  if (addressFamily(address) === undefined) return undefined;
  const endpoint = makeEndpoint(address, port);
  return endpoint === undefined ? undefined : { kind, ...endpoint };
}

/** Ports that differ by more don't count as following one another. */
export const MAX_PORT_STEP = 16;
const KINDS = ['host', 'reflexive', 'relayed'] as const;
const MAPPINGS = ['none', 'independent', 'dependent', 'unknown'] as const;
const FILTERINGS = ['open', 'port', 'unknown'] as const;

function isRecord(data: unknown): data is Record<string, unknown> {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

function isCount(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

function isOneOf<T extends string>(value: unknown, options: readonly T[]): value is T {
  return options.includes(value as T);
}
