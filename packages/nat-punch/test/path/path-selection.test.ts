import { describe, expect, it } from 'vitest';
import { Path, type PathOrigin, type PathSocket, SUSPECT_AFTER_MS } from '../../src/path/path.ts';
import { PathSelection } from '../../src/path/path-selection.ts';
import type { Via } from '../../src/path/probe.ts';

let port = 0;

/** A path that has answered at the time 0. */
function path(via: Via, origin: PathOrigin = 'punched'): Path {
  const socket: PathSocket = { id: 1, via, family: 4, local: { address: '10.0.0.2', port: 1 } };
  port += 1;
  const made = new Path(0, socket, { address: '6.0.0.1', port }, origin);
  made.handleAnswer(0, 0, false);
  return made;
}

function silent(from: Path, sinceMs: number): void {
  from.handleProbeSent(sinceMs, true);
}

describe('the controlling side', () => {
  it('takes the first path at once, and moves to a better one when that is confirmed', () => {
    const selection = new PathSelection(true);
    const [relay, direct] = [path('relay-udp'), path('socket')];
    expect(selection.consider(0, [relay])).toBe(relay);
    expect([selection.current, selection.generationFor(relay)]).toEqual([relay, 1]);
    expect(selection.consider(10, [relay, direct])).toBe(direct);
    expect([selection.current, selection.generationFor(direct)]).toEqual([relay, 2]);
    selection.handleConfirmation(direct, 1);
    selection.consider(20, [relay, direct]);
    expect(selection.current).toBe(relay);
    selection.handleConfirmation(direct, 2);
    expect(selection.consider(30, [relay, direct])).toBeUndefined();
    expect(selection.current).toBe(direct);
  });

  it('does not move between paths that are as good', () => {
    const selection = new PathSelection(true);
    const first = path('socket', 'birthday');
    selection.consider(0, [first]);
    expect(selection.consider(0, [first, path('socket', 'punched')])).toBeUndefined();
    const local = path('socket', 'host');
    expect(selection.consider(0, [first, local])).toBe(local);
  });

  it('orders relays by what carries them, and by how often they are passed', () => {
    const twice = path('relay-udp');
    twice.remoteVia = 'relay-udp';
    const once = path('socket');
    once.remoteVia = 'relay-udp';
    const ranks = [once, twice, path('relay-tcp'), path('relay-tls')].map(({ rank }) => rank);
    expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
    expect(new Set(ranks).size).toBe(4);
  });

  it('leaves a silent path only for one that has answered since', () => {
    const selection = new PathSelection(true);
    const [direct, relay] = [path('socket'), path('relay-udp')];
    selection.consider(0, [direct, relay]);
    selection.handleConfirmation(direct, 1);
    silent(direct, 1_000);
    const now = 1_000 + SUSPECT_AFTER_MS;
    expect(selection.consider(now, [direct, relay])).toBeUndefined();
    expect(selection.current).toBe(direct);
    relay.handleAnswer(now, now, false);
    expect(selection.consider(now, [direct, relay])).toBe(relay);
  });
});

describe('the controlled side', () => {
  it('follows the latest nomination, in whatever order they come', () => {
    const selection = new PathSelection(false);
    const [relay, direct, other] = [path('relay-udp'), path('socket'), path('socket')];
    const all = [relay, direct, other];
    selection.consider(0, all);
    selection.handleNomination(0, direct, 2);
    selection.handleNomination(0, relay, 1);
    expect(selection.consider(0, all)).toBeUndefined();
    expect(selection.current).toBe(direct);
    selection.handleNomination(0, relay, 3);
    selection.consider(0, all);
    expect(selection.current).toBe(relay);
  });

  it('takes the same nomination from elsewhere when the path has fallen silent: a NAT has mapped it anew', () => {
    const selection = new PathSelection(false);
    const [before, after] = [path('socket'), path('socket')];
    selection.handleNomination(0, before, 1);
    selection.handleNomination(0, after, 1);
    selection.consider(0, [before, after]);
    expect(selection.current).toBe(before);
    silent(before, 0);
    after.handleAnswer(SUSPECT_AFTER_MS, 0, false);
    selection.handleNomination(SUSPECT_AFTER_MS, after, 1);
    selection.consider(SUSPECT_AFTER_MS, [before, after]);
    expect(selection.current).toBe(after);
  });
});
