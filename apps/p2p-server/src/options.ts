// The command line of `p2p-server`: flags to options, and the help that explains them.
import { type Endpoint, parseAddress, parseEndpoint } from '@bt/endpoint';
import { parseCidr } from '@bt/nat-punch';
import { Command, CommanderError, InvalidArgumentError } from 'commander';

export interface Options {
  readonly port: number;
  readonly bindAddresses: readonly string[] | undefined;
  readonly alternateAddress: string | undefined;
  readonly relayAddress: string | undefined;
  /** Paths of PEM files; both or none. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly users: ReadonlyMap<string, string>;
  readonly realm: string;
  readonly allowPeers: readonly string[];
  /** Relay sockets of a user. */
  readonly quota: number | undefined;
  /** Bytes relayed a second, for a user and in all. */
  readonly bytesPerSecond: number | undefined;
  readonly totalBytesPerSecond: number | undefined;
  readonly roomSize: number;
  readonly redis: string | undefined;
  readonly metrics: Endpoint | undefined;
  readonly json: boolean;
}

/** The command line was wrong, or asked for help: what to print, and on which stream. */
export interface Printout {
  readonly text: string;
  readonly isError: boolean;
}

const HELP = `
One port, UDP and TCP, serves everything: STUN, NAT discovery (with PORT+1 UDP), TURN,
the meeting of clients, and at / a page that lets a browser take part. What is relayed
goes by UDP ports from 49152 to 65535.

Examples:
  p2p-server 3478                                for p2p-client HOST 3478 POOL
  p2p-server 443 --cert chain.pem --key key.pem  also for networks that let out TLS alone
  p2p-server 3478 --bind 192.0.2.1 --alt-ip 192.0.2.2
                                                 tells all kinds of NAT apart
  p2p-server 3478 --turn-user alice:s3cret       a relay for any TURN client, too
  p2p-server 3478 --redis redis://10.0.0.5       one of several servers behind one name
  p2p-server 3478 --metrics 127.0.0.1:9090       for Prometheus, at /metrics

Members of a pool reach each other through the relay, and nobody else. A --turn-user
reaches public addresses, and others only by --allow-peer.

It runs until it is interrupted: after SIGTERM or Ctrl-C relays may end for at most 1.5
seconds, clients are sent away, and it ends with 0; the second one ends at once.

Exit codes: 0 done, 2 wrong usage, 3 an address or port is not to be had, 4 a file
can't be read or is no certificate or key, 70 a fault of the program itself.`;

/** Reads the arguments behind `p2p-server`. */
export function parseOptions(args: readonly string[], version: string): Options | Printout {
  const program = new Command('p2p-server')
    .description(
      'Lets clients meet and talk whatever NAT they are behind: STUN, TURN and rendezvous.',
    )
    .usage('PORT [options]')
    .argument('<port>', 'UDP and TCP; and the next one, UDP', port)
    .option('--bind <address>', 'listen on this address only; repeatable (default: all)', addresses)
    .option('--alt-ip <address>', 'a second address of this machine (RFC 5780)', address)
    .option(
      '--relay-ip <address>',
      'where relays are said to be (default: where the client came in)',
      address,
    )
    .option('--cert <file>', 'certificates for TLS, PEM')
    .option('--key <file>', 'their key, PEM')
    .option(
      '--turn-user <name:password>',
      'a user of the relay who is in no pool; repeatable',
      user,
    )
    .option('--realm <name>', 'what users authenticate themselves for', realm, 'p2p')
    .option('--allow-peer <cidr>', 'let users reach it though it is not public; repeatable', range)
    .option('--quota <number>', 'relay addresses of one user (default: 100)', count)
    .option('--user-rate <MiB>', 'relayed for one user a second (default: 32)', mebibytes)
    .option('--max-relay-rate <MiB>', 'relayed in all a second (default: no limit)', mebibytes)
    .option('--room-size <number>', 'members of a pool that meet, 2 to 16', roomSize, 2)
    .option('--redis <url>', 'meet with other servers through Redis', redisUrl)
    .option('--metrics <address:port>', 'serve /metrics for Prometheus there', metrics)
    .option('--json', 'say everything in JSON, one object a line')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'this help')
    .addHelpText('after', HELP)
    .allowExcessArguments(false);
  let text = '';
  const print = (part: string) => {
    text += part;
  };
  program.configureOutput({ writeOut: print, writeErr: print }).exitOverride();
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? { text, isError: false } : wrongUsage(error.message);
  }
  const values = program.opts();
  if ((values.cert === undefined) !== (values.key === undefined)) {
    return wrongUsage('--cert and --key go together.');
  }
  return {
    port: program.processedArgs[0],
    bindAddresses: values.bind,
    alternateAddress: values.altIp,
    relayAddress: values.relayIp,
    tls: values.cert === undefined ? undefined : { cert: values.cert, key: values.key },
    users: values.turnUser ?? new Map(),
    realm: values.realm,
    allowPeers: values.allowPeer ?? [],
    quota: values.quota,
    bytesPerSecond: values.userRate,
    totalBytesPerSecond: values.maxRelayRate,
    roomSize: values.roomSize,
    redis: values.redis,
    metrics: values.metrics,
    json: values.json === true,
  };
}

export function wrongUsage(message: string): Printout {
  const text = message.replace(/^error: /, '').replaceAll('\n', ' ');
  const sentence = `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?]$/.test(text) ? '' : '.'}`;
  return { text: `p2p-server: ${sentence} See p2p-server --help.\n`, isError: true };
}

function port(text: string): number {
  const value = Number(text);
  // The next one is needed, too.
  if (!/^\d+$/.test(text) || value > 65_534) {
    throw new InvalidArgumentError('Give a port from 1 to 65534, or 0 for free ones.');
  }
  return value;
}

function address(text: string): string {
  if (parseAddress(text) === undefined) {
    throw new InvalidArgumentError('Give an IP address, such as 192.0.2.1 or 2001:db8::1.');
  }
  return text;
}

function addresses(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, address(text)];
}

function user(text: string, before: ReadonlyMap<string, string> = new Map()) {
  const colon = text.indexOf(':');
  const [name, password] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || password === '' || text.length > 256) {
    throw new InvalidArgumentError('Give NAME:PASSWORD.');
  }
  return new Map([...before, [name, password]]);
}

function realm(text: string): string {
  if (text === '' || Buffer.byteLength(text) > 32) {
    throw new InvalidArgumentError('Give 1 to 32 bytes, such as a domain name.');
  }
  return text;
}

function range(text: string, before: readonly string[] = []): readonly string[] {
  try {
    parseCidr(text);
  } catch {
    throw new InvalidArgumentError('Give a range such as 10.0.0.0/8 or fd00::/8.');
  }
  return [...before, text];
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 1_000_000) {
    throw new InvalidArgumentError('Give a number from 1.');
  }
  return value;
}

/** In bytes. */
function mebibytes(text: string): number {
  return count(text) * 2 ** 20;
}

function roomSize(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 2 || value > 16) {
    throw new InvalidArgumentError('Give a number from 2 to 16.');
  }
  return value;
}

function redisUrl(text: string): string {
  const { protocol = '', pathname = '' } = URL.canParse(text) ? new URL(text) : {};
  // The path is the number of a database.
  if (!/^rediss?:$/.test(protocol) || !/^\/?\d*$/.test(pathname)) {
    throw new InvalidArgumentError('Give a URL such as redis://127.0.0.1:6379.');
  }
  return text;
}

function metrics(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) {
    throw new InvalidArgumentError('Give ADDRESS:PORT, such as 127.0.0.1:9090.');
  }
  return endpoint;
}
