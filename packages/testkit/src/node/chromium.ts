// Chromium without a window, driven by its DevTools protocol over a pipe: JSON messages that end with a zero byte.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { findProgram } from './programs.ts';

const COMMAND_TIMEOUT_MS = 30_000;
const FLAGS = [
  ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--disable-dev-shm-usage', '--remote-debugging-pipe'],
];

interface Reply {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

export interface ChromiumOptions {
  /** Its profile, removed by whoever made it. */
  readonly profile: string;
  /** What the command line becomes, to run it elsewhere (in a namespace). */
  readonly wrap?: (command: string, args: readonly string[]) => [string, string[]];
}

export class Chromium {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #exited: Promise<void>;
  #commands = 0;
  #received = '';
  #errors = '';

  constructor({ profile, wrap = (command, args) => [command, [...args]] }: ChromiumOptions) {
    const [command, args] = wrap(findProgram('chromium') ?? 'chromium', [
      ...FLAGS,
      `--user-data-dir=${profile}`,
      'about:blank',
    ]);
    this.#process = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, HOME: profile },
    });
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', () => resolve());
      this.#process.once('error', () => resolve());
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4_000);
    });
    this.#in.on('error', () => undefined); // It has ended; the command that waits says so.
    (this.#process.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (this.#received + text).split('\0');
      this.#received = messages.pop() ?? '';
      for (const message of messages) this.#handle(JSON.parse(message) as Reply);
    });
  }

  async open(url: string): Promise<ChromiumPage> {
    const { targetId } = await this.command('Target.createTarget', { url });
    const { sessionId } = await this.command('Target.attachToTarget', { targetId, flatten: true });
    return new ChromiumPage(this, String(sessionId));
  }

  async command(
    method: string,
    params: Readonly<Record<string, unknown>>,
    sessionId?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    this.#commands += 1;
    const id = this.#commands;
    const reply = await new Promise<Reply>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${method}: ${why}: ${this.#errors}`));
      const timer = setTimeout(() => fail('no answer'), COMMAND_TIMEOUT_MS);
      void this.#exited.then(() => fail('Chromium has ended'));
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#in.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`);
    return reply.result ?? {};
  }

  async close(): Promise<void> {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 3_000);
    await this.#exited;
    clearTimeout(timer);
  }

  get #in(): Writable {
    return this.#process.stdio[3] as Writable;
  }

  #handle(reply: Reply): void {
    if (reply.id === undefined) return;
    this.#waiting.get(reply.id)?.(reply);
    this.#waiting.delete(reply.id);
  }
}

export class ChromiumPage {
  readonly #browser: Chromium;
  readonly #session: string;

  constructor(browser: Chromium, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  /** The value of an expression on the page, when it can be written as JSON. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#browser.command(
      'Runtime.evaluate',
      { expression, returnByValue: true, awaitPromise: true },
      this.#session,
    );
    if (exceptionDetails !== undefined) {
      throw new Error(`on the page: ${JSON.stringify(exceptionDetails).slice(0, 500)}`);
    }
    return (result as { readonly value?: unknown }).value;
  }

  /** Types text where the focus is, and Enter. */
  async type(text: string): Promise<void> {
    await this.#browser.command('Input.insertText', { text }, this.#session);
    const enter = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' };
    for (const type of ['keyDown', 'keyUp']) {
      await this.#browser.command('Input.dispatchKeyEvent', { type, ...enter }, this.#session);
    }
  }
}
