// `pieces dht`: a node alone, whose statistics are printed until it is interrupted.
import type { DhtNode } from '@bt/krpc-dht/node';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../view/view.ts';
import type { ServeOptions } from './dht-options.ts';
import { statisticsLine, statisticsText } from './statistics-text.ts';

export async function serve(
  node: DhtNode,
  { bindAddress, everyMs, json }: ServeOptions,
  terminal: Terminal,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  const { port } = node;
  const print = (event: string, facts: object, text: string) =>
    terminal.out(json ? `${JSON.stringify({ event, ...facts })}\n` : text);
  const address = bindAddress ?? 'every address';
  print('started', { address: bindAddress, port }, `DHT node on ${address}, UDP port ${port}\n`);
  const timer = setInterval(() => {
    const statistics = node.statistics();
    print('statistics', statistics, `${statisticsLine(statistics)}\n`);
  }, everyMs);
  await new Promise<void>((resolve) => {
    if (interrupted.aborted) resolve();
    else interrupted.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(timer);
  const statistics = node.statistics();
  print('stopped', statistics, statisticsText(statistics));
  return EXIT.done;
}
