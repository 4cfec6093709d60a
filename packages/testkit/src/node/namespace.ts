// A network of our own: the calling program starts again inside fresh network and process namespaces, where 10.77.0.0/16 lives on
// the loopback interface and nothing leads outside; whatever it leaves running ends with it.
import { spawnSync } from 'node:child_process';
import { missingPrograms } from './programs.ts';

const MARK = 'BT_TEST_NAMESPACE';
/** Addresses that a namespace has besides 127.0.0.1. */
const ADDRESS_COUNT = 64;

/** The `n`-th address of the namespace, from 1: peers tell one another apart by it. */
export function labAddress(n: number): string {
  if (n < 1 || n > ADDRESS_COUNT)
    throw new RangeError(`the lab has addresses 1 to ${ADDRESS_COUNT}`);
  return `10.77.0.${n}`;
}

/** Whether this process runs inside a namespace made by `enterNamespace`. */
export function inNamespace(): boolean {
  return process.env[MARK] === '1';
}

/** Why no namespace can be made here, in one sentence; undefined when one can. */
export function namespaceObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  return missingPrograms(['setpriv', 'unshare', 'ip']);
}

/** Runs this very program again inside a namespace, with `env` added to its environment, and returns its exit code. */
export function enterNamespace(env: Readonly<Record<string, string>> = {}): number {
  const addresses = Array.from({ length: ADDRESS_COUNT }, (_, i) => labAddress(i + 1));
  const setup = [
    'ip link set lo up',
    ...addresses.map((address) => `ip addr add ${address}/16 dev lo`),
    'exec "$@"',
  ].join(' && ');
  const { status } = spawnSync(
    'setpriv',
    [
      // However this process ends, the namespaces end with it, and everything in them.
      '--pdeathsig',
      'KILL',
      'unshare',
      '--net',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      'sh',
      '-c',
      setup,
      'sh',
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1),
    ],
    { stdio: 'inherit', env: { ...process.env, ...env, [MARK]: '1' } },
  );
  return status ?? 1;
}
