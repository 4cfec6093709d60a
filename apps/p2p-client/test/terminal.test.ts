import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Terminal } from '../src/terminal.ts';
import { Screen } from './screen.ts';

function open(isTTY: boolean) {
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: () => {} });
  const stdout = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  const interrupted = new AbortController();
  let interrupts = 0;
  let out = '';
  stdout.on('data', (chunk) => {
    out += chunk;
  });
  const terminal = new Terminal({ stdin, stdout, stderr: new PassThrough() }, false, () => {
    interrupts += 1;
    interrupted.abort();
  });
  const secret = () => terminal.secret('Phrase: ', interrupted.signal);
  return { stdin, terminal, secret, interrupted, out: () => out, interrupts: () => interrupts };
}

describe('piped input', () => {
  it('is lines without a prompt, the last one also without its end', async () => {
    const { stdin, terminal, out } = open(false);
    stdin.end('one\r\ntwo\nthree ů');
    const lines: string[] = [];
    for await (const line of terminal.lines()) {
      lines.push(line);
      terminal.out(`got ${line}\n`);
    }
    terminal.close();
    expect(lines).toEqual(['one', 'two', 'three ů']);
    expect(out()).toBe('got one\ngot two\ngot three ů\n');
    expect(terminal.isTerminal).toBe(false);
  });

  it('has no secret', async () => {
    expect(await open(false).secret()).toBeUndefined();
  });
});

describe('a terminal', () => {
  it('keeps the line that is typed below what is said', async () => {
    const { stdin, terminal, out, interrupts } = open(true);
    const lines = terminal.lines();
    const first = lines.next();
    stdin.write('half');
    await new Promise((resolve) => setImmediate(resolve));
    terminal.out('Ada: hello\n');
    expect(out()).toMatch(/half/);
    expect(out().endsWith('> half\u001b[7G')).toBe(true);
    stdin.write(' typed\r');
    expect((await first).value).toBe('half typed');
    stdin.write('\u0003');
    await new Promise((resolve) => setImmediate(resolve));
    expect(interrupts()).toBe(1);
    terminal.close();
  });

  it('does not show a secret', async () => {
    const { stdin, secret, out } = open(true);
    const typed = secret();
    stdin.write('correct horse\r');
    expect(await typed).toBe('correct horse');
    expect(out()).toBe('Phrase: \n');
  });

  it('asks for no secret any more after Ctrl-C, after a signal, or at the end of the input', async () => {
    const { stdin, secret, interrupts } = open(true);
    const typed = secret();
    stdin.write('corr\u0003');
    expect(await typed).toBeUndefined();
    expect(interrupts()).toBe(1);
    expect(await secret()).toBeUndefined();

    const killed = open(true);
    const awaited = killed.secret();
    killed.interrupted.abort();
    expect(await awaited).toBeUndefined();

    const ended = open(true);
    const none = ended.secret();
    ended.stdin.write('\u0004');
    expect(await none).toBeUndefined();
  });

  it('keeps what is pasted behind a secret', async () => {
    const { stdin, terminal, secret, out } = open(true);
    const typed = secret();
    stdin.write('correct horse\rone\rtwo\rthr');
    expect(await typed).toBe('correct horse');
    const lines = terminal.lines();
    expect((await lines.next()).value).toBe('one');
    expect((await lines.next()).value).toBe('two');
    stdin.write('ee\r');
    expect((await lines.next()).value).toBe('three');
    expect(out()).not.toContain('correct');
    terminal.close();
  });

  it('ends where what is pasted behind a secret ends', async () => {
    const { stdin, terminal, secret } = open(true);
    const typed = secret();
    stdin.write('correct horse\rone\r\u0004');
    expect(await typed).toBe('correct horse');
    const lines: string[] = [];
    for await (const line of terminal.lines()) lines.push(line);
    expect(lines).toEqual(['one']);
    terminal.close();
  });
});

describe('on a screen of 40 columns', () => {
  const draw = async (typed: string, keys = '') => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 40 });
    const screen = new Screen(40);
    stdout.setEncoding('utf8').on('data', (chunk) => screen.write(chunk));
    const terminal = new Terminal({ stdin, stdout, stderr: new PassThrough() }, false, () => {});
    const first = terminal.lines().next();
    for (const character of typed + keys) stdin.write(character);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await turn();
    terminal.out('Ada: one\n');
    terminal.out('Ada: two\n');
    await turn();
    const shown = screen.rows;
    terminal.close();
    await turn();
    await first;
    return { shown, closed: screen.rows };
  };

  it.each([
    ['fits', 'short', '', ['> short']],
    [
      'fills several rows',
      'x'.repeat(90),
      '',
      [`> ${'x'.repeat(38)}`, 'x'.repeat(40), 'x'.repeat(12)],
    ],
    ['has wide characters', '語'.repeat(30), '', [`> ${'語'.repeat(19)}`, '語'.repeat(11)]],
    [
      'has its cursor at the beginning',
      'x'.repeat(60),
      '\u0001',
      [`> ${'x'.repeat(38)}`, 'x'.repeat(22)],
    ],
    ['ends with its row', 'x'.repeat(38), '', [`> ${'x'.repeat(38)}`, '']],
  ])('what is typed and %s stays whole below what is said', async (_, typed, keys, rows) => {
    const { shown, closed } = await draw(typed, keys);
    expect(shown).toEqual(['Ada: one', 'Ada: two', ...rows]);
    expect(closed).toEqual(['Ada: one', 'Ada: two', '']);
  });
});
