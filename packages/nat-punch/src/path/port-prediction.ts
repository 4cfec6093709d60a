// Which ports a NAT with a mapping for each destination will use: the next ones where they count up or down, any of them where not.
import { MAX_PORT_STEP } from './candidate.ts';

/** NATs take their ports from here on (RFC 4787 REQ-3: not those below 1024). */
export const FIRST_MAPPED_PORT = 1024;
const PORT_COUNT = 65_536 - FIRST_MAPPED_PORT;

/** How many mappings, of other programs or our own, may come between a sample and the one that is guessed. */
export const PREDICTED_PORTS = 24;

/**
 * The step from one mapping to the next, from the ports of mappings that were made one after the other; `undefined` when they don't follow
 * one another. Mappings of others between ours make a difference larger by whole steps, so that the smallest one counts.
 *
 * @param ports at least three
 */
export function portStepOf(ports: readonly number[]): number | undefined {
  if (ports.length < 3) return undefined;
  const steps = ports.slice(1).map((port, index) => port - ports[index]!);
  // A NAT that counts through a range begins it again: that one difference says nothing.
  const forwards = steps.filter((step) => step > 0);
  const backwards = steps.filter((step) => step < 0);
  const kept = forwards.length >= backwards.length ? forwards : backwards;
  if (kept.length < 2 || steps.length - kept.length > 1) return undefined;
  const size = Math.min(...kept.map(Math.abs));
  if (kept.some((step) => Math.abs(step) > MAX_PORT_STEP || step % size !== 0)) return undefined;
  return kept === forwards ? size : -size;
}

/** The ports of the next mappings, the likeliest first. */
export function predictPorts(port: number, step: number, count = PREDICTED_PORTS): number[] {
  return Array.from({ length: count }, (_, index) => wrapped(port + step * (index + 1)));
}

/** Ports in random order, none twice. */
export function* randomPorts(random: () => number): Generator<number> {
  const ports = new Uint16Array(PORT_COUNT);
  for (let i = 0; i < PORT_COUNT; i++) ports[i] = FIRST_MAPPED_PORT + i;
  for (let left = PORT_COUNT; left > 0; left--) {
    const index = Math.floor(random() * left);
    const port = ports[index]!;
    ports[index] = ports[left - 1]!;
    yield port;
  }
}

function wrapped(port: number): number {
  const offset = (port - FIRST_MAPPED_PORT) % PORT_COUNT;
  return FIRST_MAPPED_PORT + (offset < 0 ? offset + PORT_COUNT : offset);
}
