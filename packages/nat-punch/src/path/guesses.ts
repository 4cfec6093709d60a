// Getting through a NAT that maps every destination to another port, where its next ports have to be guessed: the shots of port prediction
// and of birthday probing. What is aimed at is only ever an IP address that the server has seen the peer at.
import type { Endpoint } from '@bt/endpoint';
import type { NatTraits } from './candidate.ts';
import type { PathSocket } from './path.ts';
import { predictPorts, randomPorts } from './port-prediction.ts';
import type { SprayShot } from './spray.ts';

/** Sockets at the side with the symmetric NAT: 256 of 64,512 ports are met by one in 252 random probes. */
export const BIRTHDAY_SOCKETS = 256;
/** Random ports that are tried from the other side: 1 in 20,000 attempts misses all 256. */
export const MAX_BIRTHDAY_PROBES = 2_500;
export const GUESSES_PER_SECOND = 500;
/** The sockets are opened faster: all their probes go to one endpoint. */
export const OPENINGS_PER_SECOND = 2_000;
/** Attempts at guessing in the life of a pair, of each side. */
export const MAX_GUESSES = 4;
/** Through our own NAT and no further: a packet that reaches the other NAT too early can spoil the port there. */
export const OPENING_TTL = 2;

/** What a side can do, given both NATs, when plain punching doesn't get through. */
export function guessFor(own: NatTraits, peer: NatTraits): 'prediction' | 'birthday' | undefined {
  // What lets in more than what it has sent to is reached without: it answers where our packets come from.
  if (own.mapping !== 'dependent' || peer.filtering === 'open') return undefined;
  const isPeerDependent = peer.mapping === 'dependent';
  const canPredict =
    own.portStep !== undefined && (!isPeerDependent || peer.portStep !== undefined);
  if (canPredict) return 'prediction';
  return isPeerDependent ? undefined : 'birthday';
}

/** Each socket opens a port for each endpoint: first of our NAT alone, later all the way. */
export function* openings(
  sockets: readonly PathSocket[],
  endpoints: readonly Endpoint[],
  ttl?: number,
): Generator<SprayShot> {
  for (const socket of sockets) {
    for (const to of endpoints) yield ttl === undefined ? { socket, to } : { socket, to, ttl };
  }
}

/** Random ports at the addresses, in turn. */
export function* randomShots(
  socket: PathSocket,
  addresses: readonly string[],
  random: () => number,
): Generator<SprayShot> {
  let left = MAX_BIRTHDAY_PROBES;
  for (const port of randomPorts(random)) {
    for (const address of addresses) {
      if (left-- === 0) return;
      yield { socket, to: { address, port } };
    }
  }
}

/** The ports that follow a sample at the addresses. */
export function* predictedShots(
  socket: PathSocket,
  addresses: readonly string[],
  sample: { readonly port: number; readonly portStep: number },
  ttl?: number,
): Generator<SprayShot> {
  for (const port of predictPorts(sample.port, sample.portStep)) {
    for (const address of addresses) {
      const to = { address, port };
      yield ttl === undefined ? { socket, to } : { socket, to, ttl };
    }
  }
}
