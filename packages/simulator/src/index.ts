// @bt/simulator: a virtual clock and a seeded network for tests of sans-I/O machines.

export { Alarm, type Timer, VirtualClock } from './clock.ts';
export { Nat, type NatKind, type NatOptions } from './nat.ts';
export { type Host, type HostOptions, Network, type NetworkOptions } from './network.ts';
export { createRandom, type Random, randomBytes } from './random.ts';
export type { StreamEnd, StreamError, StreamListener } from './stream.ts';
