import type { Endpoint } from '@bt/endpoint';
import { createRandom, randomBytes } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STUN_ATTRIBUTE } from '../../src/stun/stun-attributes.ts';
import { hasIntegrity, longTermKey } from '../../src/stun/stun-integrity.ts';
import {
  decodeStunMessage,
  STUN_METHOD,
  type StunMessage,
  StunWriter,
} from '../../src/stun/stun-message.ts';
import { LongTermCredentials } from '../../src/stun/stun-request.ts';
import { encodeChannelData } from '../../src/turn/channel-data.ts';
import {
  MAX_CLIENT_PERMISSIONS,
  PERMISSION_REST_MS,
  TurnClient,
  type TurnClientEffect,
} from '../../src/turn/turn-client.ts';

const PEER: Endpoint = { address: '6.0.0.1', port: 7 };
const RELAYED: Endpoint = { address: '8.0.0.1', port: 50_000 };
const MAPPED: Endpoint = { address: '5.0.0.1', port: 4000 };
const KEY = longTermKey('user', 'realm', 'secret');
const DATA = Uint8Array.of(20, 1, 2, 3, 4);

interface ServerOptions {
  readonly isStream?: boolean;
  readonly password?: string;
  /** What becomes of a request: it is lost, or answered with an error. */
  readonly fate?: (request: StunMessage, count: number) => 'lost' | number | undefined;
  readonly lifetimeSeconds?: number;
}

/** A client with a server that answers at once. */
function client(options: ServerOptions = {}) {
  let now = 0;
  let nonce = 'nonce-1';
  const random = createRandom(1);
  const requests: StunMessage[] = [];
  const effects: TurnClientEffect[] = [];
  const turn = new TurnClient(now, {
    credentials: new LongTermCredentials('user', options.password ?? 'secret'),
    isStream: options.isStream ?? false,
    randomBytes: (length) => randomBytes(random, length),
  });
  const answer = (request: StunMessage): Uint8Array | undefined => {
    const fate = options.fate?.(request, requests.length);
    if (fate === 'lost') return undefined;
    const { method, transactionId } = request;
    const error = (code: number) =>
      new StunWriter('error', method, transactionId)
        .errorCode(code)
        .text(STUN_ATTRIBUTE.realm, 'realm')
        .text(STUN_ATTRIBUTE.nonce, nonce)
        .finish();
    if (!hasIntegrity(request, KEY)) return error(401);
    if (request.text(STUN_ATTRIBUTE.nonce) !== nonce) return error(438);
    if (fate !== undefined) return error(fate);
    const writer = new StunWriter('success', method, transactionId);
    if (method === STUN_METHOD.allocate) {
      writer
        .xorAddress(STUN_ATTRIBUTE.xorRelayedAddress, RELAYED)
        .xorAddress(STUN_ATTRIBUTE.xorMappedAddress, MAPPED);
    }
    if (method === STUN_METHOD.allocate || method === STUN_METHOD.refresh) {
      writer.uint32(STUN_ATTRIBUTE.lifetime, options.lifetimeSeconds ?? 600);
    }
    return writer.integrity('sha1', KEY).finish();
  };
  const drain = () => {
    for (let effect = turn.poll(); effect !== undefined; effect = turn.poll()) {
      effects.push(effect);
      if (effect.type !== 'send') continue;
      const request = decodeStunMessage(effect.bytes);
      if (request?.class !== 'request') continue;
      requests.push(request);
      const bytes = answer(request);
      if (bytes !== undefined) turn.handleMessage(now, bytes);
    }
  };
  const run = (untilMs: number) => {
    drain();
    while (turn.deadline() <= untilMs) {
      now = turn.deadline();
      turn.handleTimeout(now);
      drain();
    }
    now = untilMs;
  };
  const methods = () => requests.map(({ method }) => method);
  const events = () => effects.filter(({ type }) => type !== 'send');
  const setNonce = (value: string) => {
    nonce = value;
  };
  drain();
  return { turn, run, drain, requests, methods, events, effects, setNonce, now: () => now };
}

function dataIndication(peer: Endpoint, bytes: Uint8Array): Uint8Array {
  return new StunWriter('indication', STUN_METHOD.data, new Uint8Array(12))
    .xorAddress(STUN_ATTRIBUTE.xorPeerAddress, peer)
    .bytes(STUN_ATTRIBUTE.data, bytes)
    .finish();
}

describe('an allocation', () => {
  it('is made after the challenge, with the credentials', () => {
    const { turn, methods, events, requests } = client();
    expect(methods()).toEqual([STUN_METHOD.allocate, STUN_METHOD.allocate]);
    expect(requests[0]?.has(STUN_ATTRIBUTE.messageIntegrity)).toBe(false);
    expect(events()).toEqual([{ type: 'allocated', relayed: RELAYED, mapped: MAPPED }]);
    expect(turn.relayed).toEqual(RELAYED);
  });

  it('is asked for again when packets are lost', () => {
    const lossy = client({ fate: (_request, count) => (count % 2 === 1 ? 'lost' : undefined) });
    lossy.run(1_000);
    expect(lossy.events()).toHaveLength(1);
  });

  it('is renewed within its lifetime, and with a new nonce when the old one is stale', () => {
    const side = client();
    side.setNonce('nonce-2');
    side.run(290_000);
    expect(side.methods().slice(2)).toEqual([]);
    side.run(310_000);
    expect(side.methods().slice(2)).toEqual([STUN_METHOD.refresh, STUN_METHOD.refresh]);
    side.run(3_600_000);
    expect(side.turn.isOver).toBe(false);
  });

  it.each([
    ['the password is wrong', { password: 'other' }, 'stun-error', 401],
    ['the quota is used up', { fate: (): number => 486 }, 'stun-error', 486],
    ['nothing answers', { fate: (): 'lost' => 'lost' }, 'timeout', undefined],
  ] as const)('fails when %s', (_name, options, code, stunCode) => {
    const side = client(options);
    side.run(20_000);
    expect(side.events()).toMatchObject([{ type: 'failed', error: { code, stunCode } }]);
    expect([side.turn.isOver, side.turn.deadline()]).toEqual([true, Number.POSITIVE_INFINITY]);
  });

  it('is found lost soon when it is asked for', () => {
    const side = client({
      fate: ({ method }) => (method === STUN_METHOD.refresh ? 437 : undefined),
    });
    side.turn.verify(0, true);
    side.run(10);
    expect(side.events().at(-1)).toMatchObject({ type: 'failed', error: { stunCode: 437 } });
    const silent = client({
      fate: ({ method }) => (method === STUN_METHOD.refresh ? 'lost' : undefined),
    });
    silent.turn.verify(0, true);
    silent.run(800);
    expect(silent.events().at(-1)).toMatchObject({ type: 'failed', error: { code: 'timeout' } });
  });

  it('is given back at the end', () => {
    const side = client();
    side.turn.close(0);
    side.drain();
    expect(side.requests.at(-1)?.method).toBe(STUN_METHOD.refresh);
    expect(side.requests.at(-1)?.uint32(STUN_ATTRIBUTE.lifetime)).toBe(0);
    expect(hasIntegrity(side.requests.at(-1)!, KEY)).toBe(true);
  });

  it('is given back also when its answer has not come yet', () => {
    const side = client({ fate: (_request, count) => (count === 2 ? 'lost' : undefined) });
    expect(side.events()).toEqual([]);
    side.turn.close(0);
    side.drain();
    expect(side.requests.at(-1)?.method).toBe(STUN_METHOD.refresh);
    expect(side.requests.at(-1)?.uint32(STUN_ATTRIBUTE.lifetime)).toBe(0);
  });

  it('believes no answer without the password', () => {
    const side = client({ fate: (_request, count) => (count === 2 ? 'lost' : undefined) });
    const [, request] = side.requests;
    const forged = new StunWriter('success', STUN_METHOD.allocate, request!.transactionId)
      .xorAddress(STUN_ATTRIBUTE.xorRelayedAddress, PEER)
      .xorAddress(STUN_ATTRIBUTE.xorMappedAddress, PEER)
      .finish();
    side.turn.handleMessage(0, forged);
    side.drain();
    expect(side.events()).toEqual([]);
  });
});

describe('peers', () => {
  it('are permitted once there is an allocation, and again before that ends', () => {
    const side = client({ fate: (_request, count) => (count < 3 ? 'lost' : undefined) });
    side.turn.permit(0, PEER);
    side.run(250_000);
    const permissions = side.requests.filter(
      ({ method }) => method === STUN_METHOD.createPermission,
    );
    expect(permissions).toHaveLength(2);
    expect(permissions[0]?.xorAddress(STUN_ATTRIBUTE.xorPeerAddress)).toEqual(PEER);
  });

  it('make room for one another, the oldest first, but for one with a channel and not all at once', () => {
    const side = client();
    const name = (index: number) => ({ address: `6.0.${index >> 8}.${index & 255}`, port: 7 });
    const asked = () =>
      side.requests
        .filter(({ method }) => method === STUN_METHOD.createPermission)
        .map((request) => request.xorAddress(STUN_ATTRIBUTE.xorPeerAddress)?.address);
    const permitAll = (now: number, from: number, count: number) => {
      for (let index = from; index < from + count; index++) {
        side.turn.permit(now, name(index));
        side.drain();
      }
    };
    side.drain();
    permitAll(0, 0, 2_000);
    expect(asked()).toHaveLength(MAX_CLIENT_PERMISSIONS);
    side.turn.bindChannel(0, name(0));
    side.drain();
    side.turn.permit(PERMISSION_REST_MS, name(1));
    permitAll(PERMISSION_REST_MS, 3_000, 2_000);
    // All but the two that are used, or were named again.
    expect(asked()).toHaveLength(2 * MAX_CLIENT_PERMISSIONS - 2);
    side.requests.length = 0;
    side.run(220_000);
    const renewed = asked();
    expect(renewed).toHaveLength(MAX_CLIENT_PERMISSIONS);
    expect(renewed).toEqual(
      expect.arrayContaining([name(0).address, name(1).address, name(3_000).address]),
    );
  });

  it('that are refused are told', () => {
    const side = client({
      fate: ({ method }) => (method === STUN_METHOD.createPermission ? 403 : undefined),
    });
    side.turn.permit(0, PEER);
    side.drain();
    expect(side.events().at(-1)).toEqual({ type: 'refused', peer: PEER });
    expect(side.turn.isOver).toBe(false);
  });

  it('get and send datagrams by indications, and by a channel once it is bound', () => {
    const side = client();
    const sent = decodeStunMessage(side.turn.wrap(PEER, DATA));
    expect(sent?.xorAddress(STUN_ATTRIBUTE.xorPeerAddress)).toEqual(PEER);
    expect(sent?.value(STUN_ATTRIBUTE.data)).toEqual(DATA);
    expect(side.turn.handleMessage(0, dataIndication(PEER, DATA))).toEqual({
      peer: PEER,
      bytes: DATA,
    });
    side.turn.bindChannel(0, PEER);
    side.drain();
    const wrapped = side.turn.wrap(PEER, DATA);
    expect(wrapped).toEqual(encodeChannelData(0x4000, DATA));
    expect(side.turn.handleMessage(0, wrapped)).toEqual({ peer: PEER, bytes: DATA });
    expect(side.turn.handleMessage(0, encodeChannelData(0x4001, DATA))).toBeUndefined();
    side.run(500_000);
    expect(side.methods().filter((method) => method === STUN_METHOD.channelBind)).toHaveLength(2);
  });

  it('over a stream: padded, and requests are sent once', () => {
    const side = client({ isStream: true });
    side.turn.bindChannel(0, PEER);
    side.drain();
    expect(side.turn.wrap(PEER, DATA)).toHaveLength(12);
    const lost = client({ isStream: true, fate: () => 'lost' });
    lost.run(5_000);
    expect(lost.requests).toHaveLength(1);
    lost.turn.handleDisconnect();
    expect(lost.turn.isOver).toBe(true);
  });
});

it('stands any message', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 })), (messages) => {
      const side = client();
      for (const message of messages) side.turn.handleMessage(0, message);
      side.drain();
      expect(side.turn.isOver).toBe(false);
    }),
  );
});
