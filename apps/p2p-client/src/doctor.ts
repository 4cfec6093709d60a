// `p2p-client doctor`: what the NAT does, and what that means, in one paragraph.
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { printEndpoint } from '@bt/endpoint';
import { explainNat, type NatClass } from '@bt/nat-punch';
import { discoverNat } from '@bt/nat-punch/node';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { DoctorOptions } from './options.ts';
import type { Output } from './view/view.ts';

const TCP_TIMEOUT_MS = 5_000;

export async function doctor(
  options: DoctorOptions,
  output: Output,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  const { host, port, json } = options;
  const fail = (sentence: string, exitCode: ExitCode): ExitCode => {
    if (json)
      output.out(`${JSON.stringify({ event: 'error', code: exitCode, message: sentence })}\n`);
    else output.error(`p2p-client: ${sentence}\n`);
    return exitCode;
  };
  let address: string;
  try {
    ({ address } = await unlessAborted(lookup(host), interrupted));
  } catch (error) {
    if (interrupted.aborted) return EXIT.interrupted;
    const { code } = error as NodeJS.ErrnoException;
    return fail(`${host} can't be looked up (${code}).`, EXIT.server);
  }
  let nat: NatClass;
  let hasTcp: boolean;
  try {
    [nat, hasTcp] = await Promise.all([
      discoverNat({ server: { address, port }, signal: interrupted }),
      answersTcp(address, port, interrupted),
    ]);
  } catch (error) {
    if (interrupted.aborted) return EXIT.interrupted;
    throw error;
  }
  if (interrupted.aborted) return EXIT.interrupted;
  if (!nat.hasUdp && !hasTcp) {
    return fail(`${host} port ${port} answers neither by UDP nor by TCP.`, EXIT.server);
  }
  output.out(json ? `${jsonOf(nat, hasTcp)}\n` : `${textOf(nat, hasTcp)}\n`);
  return EXIT.done;
}

function jsonOf(nat: NatClass, hasTcp: boolean): string {
  const { hasUdp, mapping, filtering, hairpin, portOrder, reflexive } = nat;
  return JSON.stringify({
    event: 'nat',
    hasUdp,
    hasTcp,
    reflexive: reflexive === undefined ? null : printEndpoint(reflexive),
    mapping,
    filtering,
    hairpin: hairpin ?? null,
    portOrder,
    meaning: explainNat(nat),
  });
}

function textOf(nat: NatClass, hasTcp: boolean): string {
  if (!nat.hasUdp) return explainNat(nat);
  const hairpin =
    nat.hairpin === undefined
      ? []
      : [`hairpin    ${nat.hairpin ? 'leads back' : 'does not lead back'}`];
  return [
    `seen as    ${nat.reflexive === undefined ? 'unknown' : printEndpoint(nat.reflexive)}`,
    `mapping    ${nat.mapping}`,
    `filtering  ${nat.filtering}`,
    `ports      ${nat.portOrder}`,
    ...hairpin,
    ...(hasTcp ? [] : ['TCP        the server is not reached, so there can be no chat']),
    '',
    explainNat(nat),
  ].join('\n');
}

/** What can't be stopped itself goes on, and nobody waits for it. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    if (signal.aborted) reject(signal.reason);
    promise.then(resolve, reject);
  });
}

async function answersTcp(address: string, port: number, aborted: AbortSignal): Promise<boolean> {
  const socket = connect({ host: address, port });
  try {
    const signal = AbortSignal.any([AbortSignal.timeout(TCP_TIMEOUT_MS), aborted]);
    await once(socket, 'connect', { signal });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
