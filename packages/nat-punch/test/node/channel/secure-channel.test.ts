import { createRandom } from '@bt/simulator';
import { afterEach, describe, expect, it } from 'vitest';
import { GuessLimit } from '../../../src/channel/guess-limit.ts';
import { derivePhraseKey } from '../../../src/channel/spake2.ts';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import { SecureChannel } from '../../../src/node/channel/secure-channel.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (string: string) => new TextEncoder().encode(string);
const PHRASE = derivePhraseKey('correct horse', '100');

/** Two channels, the signalling and the path between them, each of which can be cut. */
class Link {
  readonly ends: [End, End];
  hasPath = true;
  datagrams = 0;
  /** Of the datagrams, by chance. */
  lostShare = 0;
  readonly random = createRandom(11);

  constructor(options: [Partial<Parameters<typeof end>[2]>, Partial<Parameters<typeof end>[2]>]) {
    this.ends = [end(this, 0, options[0]), end(this, 1, options[1])];
  }

  close(): void {
    for (const one of this.ends) one.channel.close();
  }
}

interface End {
  readonly channel: SecureChannel;
  readonly got: string[];
  readonly refused: string[];
  opened: number;
  closed: number;
}

const links: Link[] = [];
let wake = () => {};

function end(
  link: Link,
  index: 0 | 1,
  more: Partial<ConstructorParameters<typeof SecureChannel>[0]>,
): End {
  const other = () => link.ends[index === 0 ? 1 : 0];
  const one: End = {
    got: [],
    refused: [],
    opened: 0,
    closed: 0,
    channel: new SecureChannel({
      isControlling: index === 0,
      identities: index === 0 ? { own: 'a', peer: 'b' } : { own: 'b', peer: 'a' },
      certificate: makeCertificate(),
      signal: (data) => setImmediate(() => other().channel.handleSignal(data)),
      send: (datagram) => {
        link.datagrams += 1;
        wake();
        if (!link.hasPath || link.random() < link.lostShare) return;
        other().channel.handleDatagram(datagram);
      },
      onOpen: () => {
        one.opened += 1;
        wake();
      },
      onMessage: (lane, message) => {
        one.got.push(`${lane} ${text(message)}`);
        wake();
      },
      onWritable: () => wake(),
      onShortCode: () => wake(),
      onClose: () => {
        one.closed += 1;
        wake();
      },
      onRefused: (reason) => {
        one.refused.push(reason);
        wake();
      },
      ...more,
    }),
  };
  return one;
}

function connect(
  first: Partial<ConstructorParameters<typeof SecureChannel>[0]> = {},
  second = first,
): Link {
  const link = new Link([first, second]);
  links.push(link);
  return link;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

const isOpen = (link: Link) => link.ends.every(({ opened }) => opened > 0);

const hasCode = (link: Link) => link.ends.every(({ channel }) => channel.shortCode !== undefined);

afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

it('opens, and carries both lanes in both directions', async () => {
  const link = connect();
  await until(() => isOpen(link));
  const [a, b] = link.ends;
  a.channel.send('chat', bytes('hello'));
  b.channel.send('file', bytes('world'));
  await until(() => a.got.length + b.got.length === 2);
  expect([a.got, b.got]).toEqual([['file world'], ['chat hello']]);
  await until(() => hasCode(link));
  expect(a.channel.shortCode).toMatch(/^\d{3} \d{3} \d{3} \d{3}$/);
  expect(a.channel.shortCode).toBe(b.channel.shortCode);
  expect(a.channel.isAuthenticated).toBe(false);
});

it('has another code at each end when somebody sits between, whose certificate is the same', async () => {
  const certificate = makeCertificate();
  const [toAda, toBob] = [connect({}, { certificate }), connect({ certificate }, {})];
  await until(() => hasCode(toAda) && hasCode(toBob));
  expect(toAda.ends[0].channel.shortCode).not.toBe(toBob.ends[1].channel.shortCode);
});

it('opens with a common phrase, authenticated', async () => {
  const link = connect({ phraseKey: PHRASE, guesses: new GuessLimit() });
  await until(() => isOpen(link));
  expect(link.ends.map(({ channel }) => channel.isAuthenticated)).toEqual([true, true]);
});

describe.each([
  ['another phrase', derivePhraseKey('battery staple', '100'), 'wrong-phrase'],
  ['no phrase', undefined, 'no-phrase'],
])('a stranger with %s', (_, phraseKey, reason) => {
  it('is refused, and gets no datagram over the path', async () => {
    const link = connect({ phraseKey: PHRASE }, { phraseKey });
    await until(() => link.ends.every(({ refused }) => refused.length > 0));
    expect(link.ends.map(({ refused }) => refused)).toEqual([[reason], [reason]]);
    expect(link.datagrams).toBe(0);
    expect(isOpen(link)).toBe(false);
  });
});

it('opens as soon as there is a path', async () => {
  const link = connect();
  link.hasPath = false;
  await until(() => link.datagrams > 2);
  link.hasPath = true;
  for (const { channel } of link.ends) channel.handlePath();
  await until(() => isOpen(link));
});

it('opens in time although a fifth of the datagrams is lost', async () => {
  const link = connect();
  link.lostShare = 0.2;
  const start = performance.now();
  await until(() => isOpen(link));
  // DTLS and SCTP alone wait a second for each lost flight, then two, then four.
  expect(performance.now() - start).toBeLessThan(15_000);
});

it('lives on without a path, and delivers what was lost with it', async () => {
  const link = connect();
  await until(() => isOpen(link));
  const [a, b] = link.ends;
  link.hasPath = false;
  a.channel.send('chat', bytes('into the dark'));
  const before = link.datagrams;
  await until(() => link.datagrams > before + 2);
  link.hasPath = true;
  for (const { channel } of link.ends) channel.handlePath();
  await until(() => b.got.length === 1);
  expect(b.got).toEqual(['chat into the dark']);
  expect([a.closed, b.closed]).toEqual([0, 0]);
});

it('is made anew at both ends when one of them gives it up', async () => {
  const link = connect({ phraseKey: PHRASE });
  await until(() => hasCode(link));
  const code = link.ends[0].channel.shortCode;
  link.ends[0].channel.renew();
  await until(() => link.ends.every(({ opened }) => opened === 2));
  link.ends[0].channel.send('chat', bytes('again'));
  await until(() => link.ends[1].got.length === 1);
  expect(link.ends.map(({ closed }) => closed)).toEqual([1, 1]);
  expect(link.ends[1].channel.shortCode).toBe(code);
});

it('moves a lot, and says when it takes more', async () => {
  const link = connect();
  await until(() => isOpen(link));
  const [a, b] = link.ends;
  const total = 300;
  for (let sent = 0; sent < total; ) {
    if (!a.channel.isWritable('file')) {
      await until(() => a.channel.isWritable('file'));
      continue;
    }
    a.channel.send('file', new Uint8Array(32_768).fill(65));
    sent += 1;
  }
  await until(() => b.got.length === total);
  expect(b.got.every((message) => message.length === 32_768 + 5)).toBe(true);
});
