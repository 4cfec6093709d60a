// Links with a delay between the router and its networks: python/delay_links.py makes the devices, this puts them in their places.
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import { PYTHON } from '../programs.ts';
import { WAN } from './box-rules.ts';
import { runCommand } from './commands.ts';

const SCRIPT = fileURLToPath(new URL('../../../python/delay_links.py', import.meta.url));

/** One link for each namespace of `edges`; the child holds them, and they end with it. */
export async function startDelayLinks(
  delayMs: number,
  edges: readonly string[],
  router: string,
): Promise<Child> {
  // Until they are moved they are in one namespace with those of other labs. The kernel allows 15 characters.
  const lab = router.slice(0, router.indexOf('-'));
  const devices = edges.flatMap((_, i) => [`${lab}-e${i}`, `${lab}-r${i}`]);
  const child = new Child('delay-links', PYTHON, [SCRIPT, `${delayMs}`, ...devices], {
    input: true,
  });
  await child.waitFor(/ready/, 10_000);
  const commands = edges.flatMap((edge, i) => [
    `link set ${lab}-e${i} netns ${edge} name ${WAN}`,
    `link set ${lab}-r${i} netns ${router} name to-${edge.slice(edge.indexOf('-') + 1)}`,
  ]);
  await runCommand('ip', ['-batch', '-'], `${commands.join('\n')}\n`);
  return child;
}
