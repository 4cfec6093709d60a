// One run of `pieces dht`: a node, and what it is opened for.

import { DhtError } from '@bt/krpc-dht';
import { createDht, type DhtNode } from '@bt/krpc-dht/node';
import { dhtWarning, networkOf } from '../dht-choice.ts';
import { EXIT, type ExitCode, Failure } from '../exit-codes.ts';
import { asFailure, cannotBindDht } from '../failures.ts';
import { printable } from '../view/printable.ts';
import type { Terminal } from '../view/view.ts';
import type { DhtCommand } from './dht-options.ts';
import { getItem } from './get-item.ts';
import { putItem } from './put-item.ts';
import { serve } from './serve.ts';

/** Runs to the end and returns the exit code. Nothing is thrown: what goes wrong is told in one sentence. */
export async function runDht(
  command: DhtCommand,
  terminal: Terminal,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  let node: DhtNode | undefined;
  try {
    node = await open(command, terminal);
    if (command.command === 'serve') return await serve(node, command, terminal, interrupted);
    const signal = AbortSignal.any([interrupted, AbortSignal.timeout(command.timeoutMs)]);
    if (command.command === 'get') return await getItem(node, command, terminal, signal);
    return await putItem(node, command, terminal, signal);
  } catch (error) {
    if (interrupted.aborted) return EXIT.interrupted;
    const failure = failureOf(error, command);
    if (command.json) {
      const { message, exitCode } = failure;
      terminal.out(`${JSON.stringify({ event: 'error', message, exitCode })}\n`);
    } else {
      terminal.error(`pieces: ${printable(failure.message)}\n`);
    }
    return failure.exitCode;
  } finally {
    // The table could not be written: the next run enters the network as a first one does.
    await node?.close().catch(() => {});
  }
}

async function open(command: DhtCommand, terminal: Terminal): Promise<DhtNode> {
  const { bindAddress, port, bootstrap } = command;
  return await createDht({
    ...(await networkOf(bootstrap, bindAddress)),
    port,
    bind: bindAddress,
    rateLimit: command.command === 'serve' ? command.rateLimit : true,
    // It is gone before anybody could ask it.
    readOnly: command.command !== 'serve',
    onWarning: (warning) => {
      // Where somebody waits for an answer, the lack of it is the end, which tells of it.
      if (warning.code === 'no-answer' && command.command !== 'serve') return;
      const message = dhtWarning(warning);
      if (command.json) terminal.out(`${JSON.stringify({ event: 'warning', message })}\n`);
      else terminal.error(`Warning: ${printable(message)}.\n`);
    },
  });
}

function failureOf(error: unknown, { port, bindAddress }: DhtCommand): Failure {
  if (error instanceof DhtError) {
    if (error.code === 'socket') return cannotBindDht(error, { dhtPort: port, bindAddress });
    if (error.code === 'no-nodes') {
      const message = 'No node of the DHT has answered: name others with -d.';
      return new Failure(EXIT.nobody, message, { cause: error });
    }
    const isRefused = error.code === 'krpc-error' || error.code === 'not-stored';
    const exitCode = isRefused ? EXIT.nobody : EXIT.usage;
    return new Failure(exitCode, `The DHT: ${error.message}.`, { cause: error });
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    const message = 'That took too long; wait longer with --timeout.';
    return new Failure(EXIT.nobody, message, { cause: error });
  }
  return asFailure(error);
}
