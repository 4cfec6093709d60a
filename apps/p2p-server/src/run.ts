// The program without a process: options in, an exit code out, everything else through `Surroundings`.
import { readFile } from 'node:fs/promises';
import { type Endpoint, printEndpoint } from '@bt/endpoint';
import { NatPunchError } from '@bt/nat-punch';
import { type PunchServer, type ServerLogEvent, startServer } from '@bt/nat-punch/node';
import { EXIT, type ExitCode, Failure } from './exit-codes.ts';
import type { Options } from './options.ts';
import { loadPage } from './page/load-page.ts';

export interface Surroundings {
  out(text: string): void;
  error(text: string): void;
  /** Aborted by SIGTERM or Ctrl-C. */
  readonly interrupted: AbortSignal;
}

/** What `--json` prints besides what the server tells. */
type ProgramEvent =
  | { readonly event: 'listening'; readonly port: number; readonly addresses: readonly string[] }
  | { readonly event: 'metrics'; readonly at: string }
  | { readonly event: 'draining' }
  | { readonly event: 'closed' };

/** Serves until it is interrupted, and returns the exit code. */
export async function run(options: Options, surroundings: Surroundings): Promise<ExitCode> {
  const { interrupted } = surroundings;
  const say = (event: ServerLogEvent | ProgramEvent) => {
    const text = options.json ? jsonOf(event) : textOf(event);
    if (text !== undefined) surroundings.out(`${text}\n`);
  };
  try {
    const server = await start(options, say);
    const { port, addresses, metricsEndpoint } = server;
    say({ event: 'listening', port, addresses });
    if (metricsEndpoint !== undefined) {
      say({ event: 'metrics', at: `http://${printEndpoint(metricsEndpoint)}/metrics` });
    }
    if (!interrupted.aborted) {
      await new Promise((resolve) => interrupted.addEventListener('abort', resolve));
    }
    say({ event: 'draining' });
    await server.drain();
    say({ event: 'closed' });
    return EXIT.done;
  } catch (error) {
    const { exitCode, message } = failureOf(error);
    surroundings.error(`p2p-server: ${message}\n`);
    return exitCode;
  }
}

async function start(options: Options, log: (event: ServerLogEvent) => void): Promise<PunchServer> {
  const tls = options.tls && {
    cert: await readPem(options.tls.cert),
    key: await readPem(options.tls.key),
  };
  return await startServer({
    port: options.port,
    addresses: options.bindAddresses,
    alternateAddress: options.alternateAddress,
    relayAddress: options.relayAddress,
    tls,
    users: options.users,
    realm: options.realm,
    allowPeers: options.allowPeers,
    quota: options.quota,
    bytesPerSecond: options.bytesPerSecond,
    totalBytesPerSecond: options.totalBytesPerSecond,
    roomSize: options.roomSize,
    redis: options.redis,
    metrics: options.metrics,
    page: await loadPage(),
    log,
  });
}

async function readPem(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Failure(EXIT.file, `${path} can't be read (${code}).`, { cause });
  }
}

function failureOf(error: unknown): { readonly exitCode: ExitCode; readonly message: string } {
  if (error instanceof Failure) return error;
  if (error instanceof NatPunchError) {
    const sentence = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
    const code = (error.cause as NodeJS.ErrnoException | undefined)?.code;
    if (error.code === 'socket') {
      const why = WHY[code ?? ''];
      const explained =
        why === undefined ? sentence : sentence.replace(`${code}`, `${code}: ${why}`);
      return { exitCode: EXIT.socket, message: `${explained}.` };
    }
    const isOfFile = error.message.includes('certificate');
    return { exitCode: isOfFile ? EXIT.file : EXIT.usage, message: `${sentence}.` };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: EXIT.internal, message: `Unexpected error: ${message}.` };
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has it',
  EADDRNOTAVAIL: 'it is no address of this machine',
  EACCES: 'ports below 1024 need more rights',
};

function jsonOf(event: ServerLogEvent | ProgramEvent): string {
  return JSON.stringify({ time: new Date().toISOString(), ...event });
}

function originText(from: Endpoint | undefined): string {
  return from === undefined ? '' : ` of ${printEndpoint(from)}`;
}

/** For people: what concerns the server, not each of its clients. */
function textOf(event: ServerLogEvent | ProgramEvent): string | undefined {
  switch (event.event) {
    case 'listening':
      return `Listening on port ${event.port} of ${event.addresses.join(', ')}.`;
    case 'metrics':
      return `Metrics at ${event.at}.`;
    case 'redis-lost':
      return `Redis is gone (${event.reason}): this server goes on alone.`;
    case 'redis-refused':
      return `Redis refuses something (${event.reason}): pools may not be shared.`;
    case 'redis-back':
      return 'Redis is back.';
    case 'fault':
      return `A message${originText(event.from)} could not be handled: ${event.reason.split('\n')[0]}.`;
    case 'only-loopback':
      return 'No network is up: only this machine reaches the server, until it is started again.';
    case 'draining':
      return 'Draining: nobody is let in, relays may end.';
    default:
      return undefined;
  }
}
