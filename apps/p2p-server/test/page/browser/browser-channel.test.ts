import { GuessLimit } from '@bt/nat-punch';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BrowserChannel } from '../../../src/page/browser/browser-channel.ts';

const SDP = [
  'v=0',
  'o=- 1 1 IN IP4 0.0.0.0',
  's=-',
  't=0 0',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'a=mid:0',
  'a=ice-ufrag:abcd',
  `a=ice-pwd:${'x'.repeat(22)}`,
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AA').join(':')}`,
  '',
].join('\r\n');

/** A connection of which one step fails, once. */
class Connection {
  static failing: string | undefined;
  static made = 0;
  static closed = 0;
  signalingState = 'stable';

  constructor() {
    this.#failAt('connection');
    Connection.made += 1;
  }

  createDataChannel(): object {
    this.#failAt('data channel');
    return {};
  }

  async createOffer(): Promise<object> {
    this.#failAt('offer');
    return { sdp: Connection.failing === 'description' ? this.#broken() : SDP };
  }

  async setLocalDescription(): Promise<void> {}

  close(): void {
    Connection.closed += 1;
  }

  #failAt(what: string): void {
    if (Connection.failing !== what) return;
    Connection.failing = undefined;
    throw new Error(`no ${what}`);
  }

  #broken(): string {
    Connection.failing = undefined;
    return 'nothing that can be read';
  }
}

let channel: BrowserChannel | undefined;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('RTCPeerConnection', Connection);
  Object.assign(Connection, { failing: undefined, made: 0, closed: 0 });
});
afterEach(() => {
  channel?.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function make(said: object[]): BrowserChannel {
  channel = new BrowserChannel({
    identity: { certificate: {} as RTCCertificate, fingerprint: new Uint8Array(32).fill(0xaa) },
    isControlling: true,
    identities: { own: 'a', peer: 'b' },
    phraseKey: undefined,
    guesses: new GuessLimit(),
    iceServers: () => [],
    signal: (data) => said.push(data),
    onOpen: () => {},
    onMessage: () => {},
    onWritable: () => {},
    onClose: () => {},
    onShortCode: () => {},
    onPostponed: () => {},
    onRefused: () => {},
  });
  return channel;
}

it.each(['connection', 'data channel', 'offer', 'description'])(
  'tries again when the browser makes no %s',
  async (what) => {
    const said: object[] = [];
    Connection.failing = what;
    make(said);
    await vi.advanceTimersByTimeAsync(0);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(250);
    expect(said).toMatchObject([{ kind: 'channel', round: 1 }]);
    expect(Connection.made - Connection.closed).toBe(1);
  },
);

it('tries again at once when the other end waits', async () => {
  const said: object[] = [];
  Connection.failing = 'connection';
  const made = make(said);
  await vi.advanceTimersByTimeAsync(0);
  made.handleSignal({ kind: 'channel', round: 3, fingerprint: 'bb'.repeat(32) });
  await vi.advanceTimersByTimeAsync(0);
  expect(said).toMatchObject([{ kind: 'channel', round: 3 }]);
});
