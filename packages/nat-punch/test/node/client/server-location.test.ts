import { expect, it } from 'vitest';
import {
  readServerLocation,
  type ServerLocation,
} from '../../../src/node/client/server-location.ts';

it.each<[ServerLocation, string, number]>([
  ['chat.example.org:3478', 'chat.example.org', 3478],
  ['192.0.2.1:3478', '192.0.2.1', 3478],
  ['[2001:db8::1]:3478', '2001:db8::1', 3478],
  [{ host: 'chat.example.org', port: 3478 }, 'chat.example.org', 3478],
  [{ host: '2001:DB8:0::1', port: 3478 }, '2001:db8::1', 3478],
  [{ address: '192.0.2.1', port: 3478 }, '192.0.2.1', 3478],
])('%j is a server', (server, host, port) => {
  expect(readServerLocation(server)).toEqual({ host, port });
});

it.each([
  ['300.1.1.1:3478'],
  ['chat.example.org'],
  [{ host: '300.1.1.1', port: 3478 }],
  [{ address: '256.256.256.256', port: 3478 }],
  [{ host: 'a b', port: 3478 }],
  [{ host: '', port: 3478 }],
  [{ host: 'chat.example.org', port: 0 }],
  [{ host: 'chat.example.org', port: 70_000 }],
  [{ host: 'chat.example.org', port: Number.NaN }],
  [{ port: 3478 }],
  [undefined],
])('%j is none', (server) => {
  expect(() => readServerLocation(server as ServerLocation)).toThrow(
    expect.objectContaining({ name: 'NatPunchError', code: 'invalid-argument' }),
  );
});
