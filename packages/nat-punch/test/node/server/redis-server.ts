// A redis-server of our own on loopback, which keeps nothing on disk.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createClient } from '@redis/client';

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

export class RedisServer {
  readonly port: number;
  #child: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<RedisServer> {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    probe.close();
    await once(probe, 'close');
    const server = new RedisServer(port);
    await server.resume();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** It is gone, with all that it knew. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** It is there, and answers nothing. */
  freeze(isFrozen: boolean): void {
    this.#child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT');
  }

  /** What the default user may do from now on, in Redis' terms: `-eval`, `+eval`. */
  async grant(...rules: string[]): Promise<void> {
    const client = createClient({ url: this.url });
    client.on('error', () => {});
    await client.connect();
    await client.sendCommand(['ACL', 'SETUSER', 'default', ...rules]);
    client.destroy();
  }

  async resume(): Promise<void> {
    const args = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--save', '', '--dir', '/tmp'];
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    let said = '';
    while (!said.includes('Ready to accept connections')) {
      said += (await once(child.stdout!, 'data'))[0];
    }
    child.stdout!.resume();
  }
}
