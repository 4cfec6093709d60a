import { afterEach, describe, expect, it } from 'vitest';
import { derivePhraseKey } from '../../../src/channel/spake2.ts';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import { IceChannel } from '../../../src/node/channel/ice-channel.ts';

const bytes = (string: string) => new TextEncoder().encode(string);
const peers: IceChannel[] = [];
afterEach(() => {
  for (const peer of peers.splice(0)) peer.close();
});

/** Both ends, with host candidates alone, and what comes of them. */
function connect(phrases: readonly (string | undefined)[]) {
  const log: string[] = [];
  let wake = () => {};
  const note = (text: string) => {
    log.push(text);
    wake();
  };
  const ends: IceChannel[] = [0, 1].map((index) => {
    const phrase = phrases[index];
    return new IceChannel({
      isControlling: index === 0,
      identities: index === 0 ? { own: 'a', peer: 'b' } : { own: 'b', peer: 'a' },
      certificate: makeCertificate(),
      phraseKey: phrase === undefined ? undefined : derivePhraseKey(phrase, '100'),
      iceServers: () => [],
      serverAddress: () => '127.0.0.1',
      signal: (data) => setImmediate(() => ends[1 - index]!.handleSignal(structuredClone(data))),
      onOpen: () => note(`${index} open`),
      onMessage: (lane, message) => note(`${index} ${lane} ${new TextDecoder().decode(message)}`),
      onWritable: () => {},
      onClose: () => note(`${index} close`),
      onRefused: (reason) => note(`${index} ${reason}`),
    });
  });
  peers.push(...ends);
  const until = async (...expected: string[]) => {
    const count = (text: string, list: readonly string[]) =>
      list.filter((one) => one === text).length;
    while (!expected.every((text) => count(text, log) >= count(text, expected))) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { ends: ends as [IceChannel, IceChannel], log, until };
}

describe.each([[undefined], ['a phrase']])('with phrase %s', (phrase) => {
  it('opens by ICE of its own, and again when one end gives it up', async () => {
    const { ends, until } = connect([phrase, phrase]);
    await until('0 open', '1 open');
    ends[0].send('chat', bytes('hello'));
    await until('1 chat hello');
    expect(ends[0].selectedPair?.remote.type).toBeDefined();
    expect(ends.map(({ isAuthenticated }) => isAuthenticated)).toEqual([
      phrase !== undefined,
      phrase !== undefined,
    ]);
    ends[1].renew();
    await until('0 open', '0 open', '1 open', '1 open');
    ends[1].send('file', bytes('again'));
    await until('0 file again');
  });
});

it('never opens with a stranger', async () => {
  const { log, until } = connect(['a phrase', 'another']);
  await until('0 wrong-phrase', '1 wrong-phrase');
  expect(log).toHaveLength(2);
});
