import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileSender } from '@bt/nat-punch';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Chat, MemoryPool } from './memory-pool.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-p2p-client-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('talk', () => {
  it('goes both ways, with names, and says who came, how, and who left', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool, ['--name', 'Ada']).type('hello');
    const bob = new Chat(pool, ['--name', 'Bob']);
    await bob.until('Ada: hello');
    bob.type('žluťoučký kůň');
    await ada.until('Bob: žluťoučký kůň');
    ada.type('/path', '/who', '/quit');
    expect(await ada.code).toBe(0);
    await bob.until('Ada left');
    bob.type('/quit');
    expect(await bob.code).toBe(0);
    expect(ada.out.split('\n')).toEqual([
      '* Joined. Waiting for a partner; what you type is kept for them.',
      '* Bob is here.',
      '* Bob: direct (host, 192.0.2.2:2): both are in one network',
      'Bob: žluťoučký kůň',
      'direct to Bob (host, 192.0.2.2:2): both are in one network',
      '* Here: Bob.',
      '',
    ]);
    expect(bob.isClosed).toBe(true);
  });

  it('neutralises what a terminal would obey, and shows lines one by one', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool, ['--name', 'A\u202eda']).type('\u001b[2Jred\u0007');
    const bob = new Chat(pool);
    await bob.until('red');
    expect(bob.out).toContain('A\\u{202e}da: \\x1b[2Jred\\x07\n');
    ada.interrupt();
    bob.interrupt();
    expect([await ada.code, await bob.code]).toEqual([130, 130]);
  });

  it('piped in arrives whole and in order, and then the program ends', async () => {
    const pool = new MemoryPool();
    const lines = Array.from({ length: 1500 }, (_, index) => `line ${index}`);
    const ada = new Chat(pool, ['--json']).type(...lines, '', '//slash').end();
    const bob = new Chat(pool, ['--json']);
    expect(await ada.code).toBe(0);
    await bob.until('peer-left');
    const texts = bob.events.filter(({ event }) => event === 'message').map(({ text }) => text);
    expect(texts).toEqual([...lines, '', '/slash']);
    bob.interrupt();
    await bob.code;
  });

  it('of a line longer than a message arrives whole', async () => {
    const pool = new MemoryPool();
    const line = 'ů'.repeat(20_000);
    const ada = new Chat(pool, ['--json']).type(line).end();
    const bob = new Chat(pool, ['--json']);
    await ada.code;
    await bob.until('peer-left');
    const texts = bob.events.filter(({ event }) => event === 'message').map(({ text }) => text);
    expect(texts.join('')).toBe(line);
    bob.interrupt();
    await bob.code;
  });

  it('has a code that both see, and a phrase that is typed', async () => {
    const pool = new MemoryPool();
    const [ada, bob] = ['Ada', 'Bob'].map((name) =>
      new Chat(pool, ['--name', name, '--phrase'], true).type('correct horse'),
    ) as [Chat, Chat];
    await ada.until('Bob is here and knows the phrase.');
    await bob.until('Ada is here');
    // Each has revealed its part of the code before it answers what the other one said.
    for (const [from, to, text] of [
      [ada, bob, 'one'],
      [bob, ada, 'two'],
      [ada, bob, 'three'],
    ] as const) {
      from.type(text);
      await to.until(`: ${text}`);
    }
    ada.type('/code', '/quit');
    bob.type('/code', '/quit');
    await Promise.all([ada.code, bob.code]);
    const code = /(\d{3} \d{3} \d{3} \d{3}) {2}with/;
    expect(code.exec(ada.out)?.[1]).toBeDefined();
    expect(code.exec(ada.out)?.[1]).toBe(code.exec(bob.out)?.[1]);
  });

  it('is kept from who has another phrase', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool, ['--phrase', 'one']).type('secret');
    const eve = new Chat(pool, ['--phrase', 'two']);
    await ada.until('Somebody came with another phrase, and was not let in.');
    await eve.until('not let in');
    const bob = new Chat(pool, ['--phrase', 'one']);
    await bob.until('secret');
    expect(eve.out).not.toContain('secret');
    for (const one of [ada, eve, bob]) one.interrupt();
    await Promise.all([ada.code, eve.code, bob.code]);
  });

  it('in a room of three goes to all, who are told apart', async () => {
    const pool = new MemoryPool();
    const first = new Chat(pool);
    const second = new Chat(pool);
    await first.until('partner is here');
    const third = new Chat(pool);
    await first.until('partner 2 is here');
    await second.until('partner 2 is here');
    first.type('to all');
    await Promise.all([second.until('partner: to all'), third.until('to all')]);
    for (const one of [first, second, third]) one.interrupt();
    await Promise.all([first.code, second.code, third.code]);
  });
});

describe('files', () => {
  async function source(): Promise<string> {
    const path = join(folder, 'letter.txt');
    await writeFile(path, 'Dear Bob');
    return path;
  }

  it('are taken without asking with --save-to', async () => {
    const pool = new MemoryPool();
    const into = join(folder, 'made', 'into');
    const ada = new Chat(pool);
    const bob = new Chat(pool, ['--save-to', into, '--json']);
    await ada.until('is here');
    ada.type(`/send ${await source()}`);
    await ada.until('partner has letter.txt, and its checksum is right.');
    expect(await readFile(join(into, 'letter.txt'), 'utf8')).toBe('Dear Bob');
    await bob.until('"ok":true');
    expect(bob.events.at(-1)).toMatchObject({
      event: 'file',
      direction: 'in',
      state: 'done',
      path: join(into, 'letter.txt'),
    });
    for (const one of [ada, bob]) one.interrupt();
    await Promise.all([ada.code, bob.code]);
  });

  it('sent before anybody is there are offered to the first who comes', async () => {
    const pool = new MemoryPool();
    const into = join(folder, 'into');
    const ada = new Chat(pool).type(`/send ${await source()}`).end();
    await ada.until('letter.txt is offered to whoever comes first.');
    const bob = new Chat(pool, ['--save-to', into]);
    expect(await ada.code).toBe(0);
    expect(await readFile(join(into, 'letter.txt'), 'utf8')).toBe('Dear Bob');
    bob.interrupt();
    await bob.code;
  });

  it('on offer that are withdrawn are not said to be kept', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool);
    const bob = new Chat(pool, [], true);
    await ada.until('is here');
    ada.type(`/send ${await source()}`);
    await bob.until('offers letter.txt');
    ada.interrupt();
    await bob.until('* letter.txt: nothing of it has come.');
    bob.interrupt();
    await Promise.all([ada.code, bob.code]);
  });

  it('are asked about on a terminal', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool);
    const bob = new Chat(pool, [], true);
    await ada.until('is here');
    ada.type(`/send ${await source()}`);
    await bob.until('partner offers letter.txt (8 B). Type /take 1 or /refuse 1.');
    bob.type('what is it?', 'y', '/take', '/take 2', '/refuse 1');
    await ada.until('letter.txt: partner does not want it.');
    expect(ada.out).toContain('partner: what is it?');
    expect(ada.out).toContain('partner: y\n');
    expect(bob.out).toContain('* Give the number of the file: /take NUMBER.\n');
    expect(bob.out).toContain('* No file with the number 2 is asked about.\n');
    for (const one of [ada, bob]) one.interrupt();
    await Promise.all([ada.code, bob.code]);
  });

  it('are asked about one at a time, and the answer is for the one on the screen', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool, ['--name', 'Ada']);
    const bob = new Chat(pool, [], true);
    await ada.until('is here');
    const paths = ['evil.sh', 'other.txt', 'holiday.jpg'].map((name) => join(folder, name));
    for (const path of paths) {
      await writeFile(path, path);
      ada.type(`/send ${path}`);
    }
    await ada.until('holiday.jpg (');
    await bob.until('Ada offers evil.sh');
    bob.type('/take 3', '/refuse 1');
    await bob.until('Ada offers other.txt');
    expect(bob.out).toContain('* No file with the number 3 is asked about.\n');
    expect(bob.out).not.toContain('holiday.jpg');
    bob.type('/refuse 1', '/refuse 2');
    await bob.until('Ada offers holiday.jpg');
    expect(bob.out).toContain('* No file with the number 1 is asked about.\n');
    bob.type('/refuse 3');
    await ada.until('holiday.jpg: partner does not want it.');
    for (const one of [ada, bob]) one.interrupt();
    await Promise.all([ada.code, bob.code]);
  });

  it('that wait for an answer are refused when the input ends', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool);
    const bob = new Chat(pool, [], true);
    await ada.until('is here');
    const second = join(folder, 'second.txt');
    await writeFile(second, 'x');
    ada.type(`/send ${await source()}`, `/send ${second}`);
    await ada.until('second.txt (');
    await bob.until('partner offers letter.txt');
    bob.end();
    expect(await bob.code).toBe(0);
    await ada.until('letter.txt: partner does not want it.');
    await ada.until('second.txt: partner does not want it.');
    expect(bob.out).toContain('* letter.txt: not taken.');
    expect(bob.out).not.toContain('second.txt');
    ada.interrupt();
    await ada.code;
  });

  it('that never come hold up the end of the input no longer than they may stall', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const pool = new MemoryPool();
    const evil = new Chat(pool);
    const bob = new Chat(pool, ['--save-to', join(folder, 'into')]);
    await evil.until('is here');
    const answer = vi.spyOn(FileSender.prototype, 'handleFrame').mockImplementation(() => {});
    onTestFinished(() => answer.mockRestore());
    evil.type(`/send ${await source()}`);
    await bob.until('partner sends letter.txt');
    bob.type('it is done').end();
    await evil.until('partner: it is done');
    evil.type(`/send ${join(folder, 'letter.txt')}`);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1), { timeout: 60_000 });
    vi.advanceTimersByTime(10_000);
    expect(await bob.code).toBe(0);
    expect(bob.out).toContain('* letter.txt: nothing of it has come.');
    expect(bob.out.match(/sends letter/g)).toHaveLength(1);
    evil.interrupt();
    await evil.code;
  });

  it('are refused where nobody can be asked, and when they are too large', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool);
    const bob = new Chat(pool);
    await ada.until('is here');
    ada.type(`/send ${await source()}`);
    await ada.until('partner does not want it.');
    await bob.until('refused, since nobody can be asked');
    bob.interrupt();
    await ada.until('left');
    const picky = new Chat(pool, ['--save-to', folder, '--max-file', '5']);
    await picky.until('is here');
    ada.type(`/send ${await source()}`);
    await ada.until('it is too large for partner.');
    expect(await readdir(folder)).toEqual(['letter.txt']);
    for (const one of [ada, picky]) one.interrupt();
    await Promise.all([ada.code, bob.code, picky.code]);
  });

  it('that are none are told in a sentence', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool).type('/send x', '/send', '/nonsense', '/help');
    await ada.until("x can't be sent: there is no such file or folder.");
    await ada.until('Name a file');
    await ada.until('There is no /nonsense.');
    await ada.until('//text');
    const bob = new Chat(pool);
    await ada.until('partner is here');
    ada.type(`/send ${folder}`, `/send ${join(folder, 'none')}`);
    await ada.until("can't be sent: it is a folder.");
    await ada.until("can't be sent: there is no such file or folder.");
    for (const one of [ada, bob]) one.interrupt();
    await Promise.all([ada.code, bob.code]);
  });
});

describe('/quit', () => {
  it('waits for what is on its way, and says so', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool);
    const bob = new Chat(pool);
    await ada.until('is here');
    await bob.until('is here');
    pool.hasPath = false;
    ada.type('late', '/quit');
    await ada.until('* Leaving when what is on its way is delivered');
    pool.hasPath = true;
    expect(await ada.code).toBe(0);
    await bob.until('partner: late');
    bob.interrupt();
    await bob.code;
  });

  it('typed again ends at once, and says what was not delivered', async () => {
    const pool = new MemoryPool();
    const ada = new Chat(pool);
    const bob = new Chat(pool, [], true);
    await ada.until('is here');
    await bob.until('is here');
    const path = join(folder, 'huge');
    await writeFile(path, 'x');
    ada.type(`/send ${path}`);
    await bob.until('offers huge');
    pool.hasPath = false;
    ada.type('lost', 'lost too', '/quit', '/quit');
    expect(await ada.code).toBe(4);
    expect(ada.error).toBe('p2p-client: Not delivered: 2 lines, huge.\n');
    bob.interrupt();
    await bob.code;
  });

  it('before anybody has come says what was not delivered', async () => {
    const ada = new Chat(new MemoryPool()).type('hello', '/quit');
    expect(await ada.code).toBe(4);
    expect(ada.error).toBe('p2p-client: Not delivered: 1 line.\n');
  });
});

it('ends when the server refuses, with a sentence', async () => {
  const pool = new MemoryPool();
  const ada = new Chat(pool);
  await ada.until('Joined');
  await new Promise<void>((resolve) => setImmediate(resolve));
  pool.refuse('The server is full.');
  expect(await ada.code).toBe(3);
  expect(ada.error).toBe('p2p-client: The server is full.\n');
});

it('says that a folder can not be made', async () => {
  await writeFile(join(folder, 'file'), '');
  const ada = new Chat(new MemoryPool(), ['--save-to', join(folder, 'file')]);
  expect(await ada.code).toBe(2);
  expect(ada.error).toBe(
    `p2p-client: The folder ${join(folder, 'file')} can't be made (EEXIST).\n`,
  );
});

// Node's own recursive mkdir never ends there.
it.skipIf(process.platform !== 'linux')('says that a folder takes none', async () => {
  const ada = new Chat(new MemoryPool(), ['--save-to', '/proc/foo/bar']);
  expect(await ada.code).toBe(2);
  expect(ada.error).toBe("p2p-client: The folder /proc/foo/bar can't be made (ENOENT).\n");
});

it('has a phrase typed on a terminal only', async () => {
  const ada = new Chat(new MemoryPool(), ['--phrase']);
  expect(await ada.code).toBe(2);
  expect(ada.error).toMatch(/terminal only/);
});
