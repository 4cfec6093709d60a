import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Terminal } from '../src/terminal.ts';

function open(isTTY: boolean) {
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: () => {} });
  const stdout = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  let interrupts = 0;
  let out = '';
  stdout.on('data', (chunk) => {
    out += chunk;
  });
  const terminal = new Terminal({ stdin, stdout, stderr: new PassThrough() }, false, () => {
    interrupts += 1;
  });
  return { stdin, terminal, out: () => out, interrupts: () => interrupts };
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
    expect(await open(false).terminal.secret('Phrase: ')).toBeUndefined();
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
    const { stdin, terminal, out } = open(true);
    const secret = terminal.secret('Phrase: ');
    stdin.write('correct horse\r');
    expect(await secret).toBe('correct horse');
    expect(out()).toBe('Phrase: \n');
  });
});
