// The server of one run as a process: started, found ready by a Binding request, and its CPU time read from outside.
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { StunWriter } from '@bt/nat-punch';
import type { Command } from '../program.ts';

const HOST = '127.0.0.1';
const TICKS_PER_SECOND = 100; // as in program.ts
const READY_MS = 20_000;

export interface CpuSeconds {
  readonly user: number;
  readonly system: number;
}

export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  static async start({ file, args }: Command, port: number): Promise<ServerProcess> {
    const child = spawn(file, [...args], { stdio: ['ignore', 'ignore', 'inherit'] });
    const server = new ServerProcess(child, port);
    await server.#ready();
    return server;
  }

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** proc(5): utime and stime, fields 14 and 15, of all its threads. */
  cpu(): CpuSeconds {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      user: Number(fields[11]) / TICKS_PER_SECOND,
      system: Number(fields[12]) / TICKS_PER_SECOND,
    };
  }

  peakBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1');
    return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await exited;
  }

  async #ready(): Promise<void> {
    const socket = createSocket('udp4');
    const request = new StunWriter('request', 1, new Uint8Array(12).fill(1)).finish();
    try {
      await new Promise<void>((resolve, reject) => {
        const asked = setInterval(() => socket.send(request, this.port, HOST), 50);
        const late = setTimeout(() => reject(new Error('the server is not ready')), READY_MS);
        const done = (): void => {
          clearInterval(asked);
          clearTimeout(late);
        };
        socket.on('error', () => undefined);
        socket.once('message', () => {
          done();
          resolve();
        });
        this.#child.once('exit', () => {
          done();
          reject(new Error('the server has ended'));
        });
      });
    } finally {
      socket.close();
    }
  }
}
