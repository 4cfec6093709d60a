import type { TorrentEvent, TorrentStats } from '@bt/engine';
import { StorageError } from '@bt/storage';
import { describe, expect, it } from 'vitest';
import { QuietView } from '../../src/view/quiet.ts';
import { progressLine, TextView } from '../../src/view/text.ts';

const MiB = 2 ** 20;
const stats: TorrentStats = {
  state: 'downloading',
  totalBytes: 200 * MiB,
  wantedBytes: 200 * MiB,
  verifiedBytes: 50 * MiB,
  pieceCount: 200,
  piecesHave: 50,
  piecesInFlight: 2,
  downloadedBytes: 52 * MiB,
  uploadedBytes: 13 * MiB,
  duplicateBytes: 0,
  rejectedBytes: MiB,
  downRate: 5 * MiB,
  upRate: MiB,
  ratio: 0.25,
  peersConnected: 3,
  seedsConnected: 1,
  peersKnown: 7,
  peerSources: {} as TorrentStats['peerSources'],
  exchangesIgnored: 0,
  webSeedsServing: 0,
  webSeedBytes: 0,
  checkedShare: 1,
  runningMs: 12_000,
  downloadingMs: 10_000,
  uselessMs: 0,
  metadataShare: 1,
  dhtNodes: undefined,
};

function show(
  options: { isTerminal?: boolean; columns?: number; verbose?: boolean; seed?: boolean } = {},
) {
  let shown = '';
  const write = (text: string) => {
    shown += text;
  };
  const { isTerminal = false, columns = 80, verbose = false, seed = false } = options;
  const terminal = { isTerminal, columns, out: write, error: write };
  const view = new TextView(terminal, { verbose, seed });
  return {
    view,
    event: (event: TorrentEvent) => view.event(event),
    /** What was written since the last call. */
    taken: () => {
      const text = shown;
      shown = '';
      return text;
    },
  };
}

describe('progressLine', () => {
  it('tells share, sizes, rates, peers and the time left', () => {
    expect(progressLine(stats)).toBe(
      '25.0%  50.0 MiB of 200.0 MiB  down 5.0 MiB/s  up 1.0 MiB/s  3 peers  30 s left',
    );
    expect(progressLine({ ...stats, downRate: 0, peersConnected: 1 })).toMatch(/1 peer$/);
    expect(progressLine({ ...stats, webSeedsServing: 1 })).toMatch(/3 peers {2}1 web seed {2}30 s/);
    expect(progressLine({ ...stats, state: 'paused' })).toMatch(
      /down 0 B\/s {2}up 1.0 MiB\/s {2}3 peers {2}paused$/,
    );
  });

  it('tells who might know the metadata', () => {
    const fetching: TorrentStats = { ...stats, state: 'fetching-metadata', metadataShare: 0.5 };
    expect(progressLine(fetching)).toBe('Metadata 50.0%  3 peers');
    expect(progressLine({ ...fetching, dhtNodes: 1 })).toBe('Metadata 50.0%  3 peers  1 DHT node');
  });

  it('tells how far the check is, and what was sent while seeding', () => {
    expect(progressLine({ ...stats, state: 'checking', checkedShare: 0.5 })).toBe('Checking 50.0%');
    expect(progressLine({ ...stats, state: 'seeding' })).toBe(
      'Seeding  up 1.0 MiB/s  sent 13.0 MiB  ratio 0.25  3 peers',
    );
  });
});

describe('a peer that could not be reached', () => {
  const unreachable: TorrentEvent = {
    type: 'peer-unreachable',
    address: '192.0.2.7',
    port: 6881,
    message: 'ECONNREFUSED',
  };

  it('is told of each time with -v, else once', () => {
    const { event, taken } = show({ verbose: true });
    event(unreachable);
    expect(taken()).toBe("Peer 192.0.2.7 port 6881 can't be reached: ECONNREFUSED\n");
    const brief = show();
    brief.event(unreachable);
    brief.event(unreachable);
    expect(brief.taken()).toBe(
      "Warning: peer 192.0.2.7 port 6881 can't be reached: ECONNREFUSED.\n",
    );
  });
});

describe('the summary', () => {
  it('of a run that only seeded is one line of what was sent', () => {
    const { view, taken } = show({ seed: true });
    view.finished({ ...stats, downloadedBytes: 0, verifiedBytes: 200 * MiB }, true);
    expect(taken()).toBe('Seeded 200.0 MiB for 12 s: sent 13.0 MiB, ratio 0.25; 0 peers\n');
  });
});

describe('progress', () => {
  it('is one line on a terminal: rewritten, cut to the width, cleared before other lines', () => {
    const { event, taken } = show({ isTerminal: true, columns: 30, verbose: true });
    event({ type: 'progress', stats });
    expect(taken()).toBe('\r\u001b[2K25.0%  50.0 MiB of 200.0 MiB ');
    event({ type: 'progress', stats });
    expect(taken().startsWith('\r\u001b[2K25.0%')).toBe(true);
    event({
      type: 'peer-closed',
      address: '::1',
      port: 7,
      reason: 'remote-closed',
      message: undefined,
    });
    expect(taken()).toBe('\r\u001b[2KPeer ::1 port 7 gone: remote-closed\n');
    event({ type: 'seeding-limit', reason: 'ratio' });
    expect(taken()).toBe('The ratio to seed for is reached.\n');
  });

  it('is a plain line now and then elsewhere', () => {
    const { event, view, taken } = show();
    for (let ms = 0; ms < 10_000; ms += 1_000) {
      event({ type: 'progress', stats: { ...stats, verifiedBytes: ms * MiB, runningMs: ms } });
    }
    expect(taken().split('\n')).toHaveLength(3);
    view.checking(0.5, 10_000);
    expect(taken()).toBe('Checking 50.0%\n');
  });

  it('of an idle seed is a line every ten minutes', () => {
    const { event, taken } = show();
    for (let ms = 0; ms <= 3_600_000; ms += 1_000) {
      event({ type: 'progress', stats: { ...stats, state: 'seeding', upRate: 0, runningMs: ms } });
    }
    expect(taken().split('\n')).toHaveLength(8);
  });
});

describe('a web seed', () => {
  const heard = (outcome: 'serving' | 'waiting' | 'no-file' | 'banned', message?: string) => ({
    type: 'web-seed' as const,
    index: 1,
    url: 'https://mirror.example',
    outcome,
    message,
    fileIndex: outcome === 'no-file' ? 3 : undefined,
    retryMs: outcome === 'waiting' ? 5_000 : undefined,
  });

  it('that fails is told of once, until it serves again', () => {
    const { event, taken } = show();
    for (const outcome of ['waiting', 'waiting', 'serving', 'waiting'] as const) {
      event(heard(outcome, 'HTTP status 503'));
    }
    const line = 'Warning: Web seed https://mirror.example: HTTP status 503.\n';
    expect(taken()).toBe(line + line);
  });

  it('that lacks a file, or is given up, is told of', () => {
    const { event, taken } = show({ verbose: true });
    event(heard('serving'));
    event(heard('no-file', 'HTTP status 404'));
    event(heard('banned', 'sent wrong data'));
    expect(taken()).toBe(
      'Web seed https://mirror.example serves\n' +
        'Warning: Web seed https://mirror.example lacks file 3: HTTP status 404.\n' +
        'Warning: Web seed https://mirror.example is given up: sent wrong data.\n',
    );
  });
});

describe('a mapped port', () => {
  const mapping = {
    type: 'port-mapping',
    protocol: 'tcp',
    port: 6881,
    outcome: 'ok',
    message: undefined,
    externalPort: 50_000,
    externalAddress: '203.0.113.5',
    gatewayProtocol: 'PCP',
  } as const;

  it('is told of with -v', () => {
    const { event, taken } = show({ verbose: true });
    event(mapping);
    event({ ...mapping, outcome: 'failed', message: 'no gateway answers' });
    expect(taken()).toBe(
      'TCP port 6881 is reached by port 50000 of 203.0.113.5 (PCP)\n' +
        'TCP port 6881 is not passed on: no gateway answers\n',
    );
    const quiet = show();
    quiet.event(mapping);
    expect(quiet.taken()).toBe('');
  });
});

describe('an interrupted run', () => {
  it('clears the line, and says that it stops only where somebody looks', () => {
    const terminal = show({ isTerminal: true });
    terminal.view.stopping();
    expect(terminal.taken()).toBe('\r\u001b[2KStopping; Ctrl-C again ends at once.\n');
    const pipe = show();
    pipe.view.stopping();
    expect(pipe.taken()).toBe('');
  });
});

describe('trackers', () => {
  const failed = (message: string): TorrentEvent => ({
    type: 'tracker',
    url: 'http://t/announce',
    outcome: 'failed',
    message,
    peers: 0,
    intervalSeconds: undefined,
  });

  it('are told of when their trouble is news', () => {
    const { event, taken } = show();
    event(failed('connection refused'));
    expect(taken()).toBe('Warning: Tracker http://t/announce: connection refused.\n');
    event(failed('connection refused'));
    expect(taken()).toBe('');
    event(failed('not registered'));
    expect(taken()).toBe('Warning: Tracker http://t/announce: not registered.\n');
    event({ ...failed(''), outcome: 'ok', message: undefined } as TorrentEvent);
    event(failed('not registered'));
    expect(taken()).toContain('not registered');
  });
});

describe('the disk', () => {
  const refused = (code: 'no-space' | 'permission'): TorrentEvent => ({
    type: 'disk-error',
    error: new StorageError(code, '/a/b: no'),
  });

  it('is waited for when that may help, and told of when it works again', () => {
    const { event, taken } = show();
    event(refused('no-space'));
    event({ type: 'state', state: 'paused' });
    expect(taken()).toBe('Warning: /a/b: no. The download waits for it.\n');
    event({ type: 'state', state: 'downloading' });
    expect(taken()).toBe('The disk works again: going on.\n');
  });

  it('is no reason to wait when it costs one piece', () => {
    const { event, taken } = show();
    const error = new StorageError('truncated', '/a/b: too short');
    event({ type: 'save-failed', pieceIndex: 4, error });
    expect(taken()).toBe('Warning: /a/b: too short. Piece 4 is lost by it, and got again.\n');
  });

  it('is left to the sentence of the end when it refuses for good', () => {
    const { event, taken } = show();
    event(refused('permission'));
    expect(taken()).toBe('');
  });
});

describe('a warning', () => {
  it('leaves a path as it is', () => {
    const { event, taken } = show();
    event({ type: 'warning', message: 'my film/a.mkv: the disk failed' });
    expect(taken()).toBe('Warning: my film/a.mkv: the disk failed.\n');
    event({ type: 'disk-error', error: new StorageError('io', 'my film: the disk failed') });
    expect(taken()).toBe('Warning: my film: the disk failed. The download waits for it.\n');
  });
});

describe('text of strangers', () => {
  it('never brings control characters or direction marks to the terminal', () => {
    const { event, taken } = show({ isTerminal: true, verbose: true });
    const client = 'evil\u001b]0;title\u0007\u009b2J\u202egpj';
    event({ type: 'peer', address: '::1', port: 7, direction: 'in', source: 'incoming', client });
    event({ type: 'warning', message: `a\nb\r${client}` });
    expect(taken().replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  it('is harmless with --quiet too', () => {
    let said = '';
    const error = (text: string) => {
      said += text;
    };
    new QuietView({ isTerminal: true, columns: 80, out: error, error }).failed('a\u001b[2Jb.');
    expect(said).toBe('pieces: a\ufffd[2Jb.\n');
  });
});
