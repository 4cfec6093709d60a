import { expect, it } from 'vitest';
import {
  HandshakeFlight,
  MAX_FLIGHT_DATAGRAMS,
  MAX_UNANSWERED_DATAGRAMS,
} from '../../src/channel/handshake-flight.ts';

const handshake = (id: number) => Uint8Array.of(22, id);
const data = (id: number) => Uint8Array.of(23, id);

it('repeats the last flight, less and less often, until data comes', () => {
  const flight = new HandshakeFlight();
  flight.handleOutgoing(0, handshake(1));
  expect(flight.repeat(59)).toEqual([]);
  expect(flight.repeat(60)).toEqual([handshake(1)]);
  flight.handleIncoming(handshake(9));
  flight.handleOutgoing(100, handshake(2));
  flight.handleOutgoing(100, Uint8Array.of(20, 3));
  const times: number[] = [];
  for (let now = 100; now < 3000; now += 10) {
    const again = flight.repeat(now);
    if (again.length === 0) continue;
    expect(again).toEqual([handshake(2), Uint8Array.of(20, 3)]);
    times.push(now);
  }
  expect(times.slice(0, 5)).toEqual([160, 280, 520, 1000, 1500]);
  flight.handleIncoming(data(1));
  expect(flight.deadline()).toBeUndefined();
  expect(flight.repeat(9999)).toEqual([]);
});

it('repeats the first data a few times, and none when the conversation runs', () => {
  const flight = new HandshakeFlight();
  flight.handleOutgoing(0, handshake(1));
  flight.handleOutgoing(0, data(2));
  let repeats = 0;
  for (let now = 0; now < 10_000; now += 10) {
    const again = flight.repeat(now);
    if (again.length === 0) continue;
    expect(again).toEqual([handshake(1), data(2)]);
    repeats += 1;
  }
  expect(repeats).toBe(6);
  for (let id = 0; id < 8; id += 1) flight.handleIncoming(data(id));
  flight.handleOutgoing(10_000, data(3));
  expect(flight.deadline()).toBeUndefined();
});

it('sends over a new path what has gone out since anything came in', () => {
  const flight = new HandshakeFlight();
  flight.handleOutgoing(0, data(1));
  flight.handleIncoming(data(9));
  flight.handleOutgoing(0, data(2));
  flight.handleOutgoing(0, data(3));
  expect(flight.handlePath()).toEqual([data(2), data(3)]);
});

it('keeps no more than a flight and a window', () => {
  const flight = new HandshakeFlight();
  for (let id = 0; id < 100; id += 1) flight.handleOutgoing(0, handshake(id));
  expect(flight.repeat(1000)).toHaveLength(MAX_FLIGHT_DATAGRAMS);
  expect(flight.handlePath()).toHaveLength(MAX_UNANSWERED_DATAGRAMS);
  expect(flight.handlePath().at(-1)).toEqual(handshake(99));
});
