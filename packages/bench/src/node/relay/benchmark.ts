// A STUN and TURN server: @bt/nat-punch beside coturn, on loopback and without rate limits. Relayed packets per second of the server's CPU, under
// coturn's own load program, and Binding requests.
import { fileURLToPath } from 'node:url';
import type { BenchCase, Benchmark, Setting } from '../benchmark.ts';
import type { Command } from '../program.ts';
import { missingProgram } from '../programs.ts';
import { runWorkload } from '../script.ts';

const RELAY_LOAD = new URL('relay-load.ts', import.meta.url);
const BINDING_LOAD = new URL('binding-load.ts', import.meta.url);
const CLIENTS = 10;
const MESSAGE_BYTES = 1_000;
/** A client's pause between messages: so many that the server's code stays in the caches, as under load it does. */
const PACE_MS = '2';

export const relay: Benchmark = {
  name: 'relay',
  title: 'a STUN and TURN server that relays datagrams and answers Binding requests',
  prepare,
};

interface Server {
  readonly name: string;
  readonly missing?: string | undefined;
  /** Listens on 127.0.0.1 at this port, knows user alice with the password secret, and ends by SIGTERM. */
  command(port: number): Command;
}

function servers(folder: string): Server[] {
  const ours = fileURLToPath(new URL('serve.ts', import.meta.url));
  return [
    {
      name: '@bt/nat-punch',
      command: (port) => ({ file: process.execPath, args: ['--import', 'tsx', ours, `${port}`] }),
    },
    {
      name: 'coturn',
      missing: missingProgram('turnserver', 'coturn'),
      command: (port) => ({
        file: 'turnserver',
        args: [
          ...['-n', '-L', '127.0.0.1', '-p', `${port}`, '-E', '127.0.0.1', '-a'],
          ...['-u', 'alice:secret', '-r', 'p2p', '--allow-loopback-peers'],
          ...['--no-cli', '--no-tls', '--no-dtls', '--min-port=50000', '--max-port=50500'],
          ...[`--db=${folder}/coturn.db`, `--pidfile=${folder}/coturn.pid`, '-l', 'stdout'],
        ],
      }),
    },
  ];
}

async function prepare({ quick, folder }: Setting): Promise<BenchCase[]> {
  const messages = quick ? 1_000 : 3_000;
  const bindings = quick ? 20_000 : 200_000;
  const contenders = (load: URL, ...args: readonly string[]) =>
    servers(folder).map(({ name, missing, command }, i) => ({
      name,
      missing: missing ?? missingProgram('turnutils_uclient', 'coturn'),
      // Each on a port of its own, so that none meets what another has left in its socket.
      run: () => {
        const port = 26_000 + 10 * i;
        return runWorkload(load, JSON.stringify(command(port)), `${port}`, ...args);
      },
    }));
  const relayed = (name: string, ...flags: readonly string[]): BenchCase => ({
    name: `${CLIENTS} clients, each ${messages} messages of ${MESSAGE_BYTES} bytes ${name}`,
    amount: { value: 1, unit: 'packets' },
    contenders: contenders(
      RELAY_LOAD,
      ...[`${messages}`, '-m', `${CLIENTS}`, '-l', `${MESSAGE_BYTES}`, '-z', PACE_MS, ...flags],
    ),
  });
  return [
    relayed('by channels'),
    relayed('by indications', '-s'),
    {
      name: `${bindings} Binding requests, 64 in flight`,
      amount: { value: 1, unit: 'requests' },
      contenders: contenders(BINDING_LOAD, `${bindings}`),
    },
  ];
}
