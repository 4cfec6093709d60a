// Two pages in Chromium and two terminals in one room, one of the terminals behind a symmetric NAT: everybody hears everybody.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Chromium, type ChromiumPage } from '../../chromium.ts';
import { insideNamespace } from '../../nat-lab/commands.ts';
import { NatLab } from '../../nat-lab/lab.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { ChatClient, ChatServer, SERVER_PORT } from './chat.ts';

const TIMEOUT_MS = 30_000;
const POOL = '100';

async function* browser(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const lab = await NatLab.create({
    networks: [
      { nat: 'port-restricted' },
      { nat: 'full-cone' },
      { nat: 'symmetric' },
      { nat: 'port-restricted' },
    ],
  });
  const browsers: Chromium[] = [];
  try {
    await ChatServer.start(context.root, lab.server, ['--bind', '0.0.0.0', '--room-size', '4']);
    const members: Member[] = [];
    for (const [i, host] of lab.hosts.slice(0, 2).entries()) {
      const profile = join(context.folder, `profile-${i}`);
      await mkdir(profile);
      const wrap = (command: string, args: readonly string[]) =>
        insideNamespace(host.namespace, command, args);
      const chromium = new Chromium({ profile, wrap });
      browsers.push(chromium);
      const page = await chromium.open(`http://${lab.server.address}:${SERVER_PORT}/#${POOL}`);
      members.push(new PageMember(`page ${i + 1}`, page));
    }
    for (const [i, host] of lab.hosts.slice(2).entries()) {
      const client = new ChatClient({
        root: context.root,
        host,
        server: lab.server.address,
        pool: POOL,
        args: ['--name', `terminal ${i + 1}`],
      });
      members.push(new TerminalMember(`terminal ${i + 1}`, client));
    }
    const begin = performance.now();
    for (const member of members) await until(() => member.joined(), `${member.name} not joined`);
    for (const member of members) await member.say(`this is ${member.name}`);
    const deaf: string[] = [];
    for (const listener of members) {
      for (const speaker of members) {
        if (listener === speaker) continue;
        const text = `this is ${speaker.name}`;
        await until(async () => (await listener.heard()).includes(text), text).catch(() =>
          deaf.push(`${listener.name} does not hear ${speaker.name}`),
        );
      }
    }
    yield {
      command: 'two Chromium pages and two terminals in one room, one behind a symmetric NAT',
      figure: `${12 - deaf.length} of 12 ways work, all after ${((performance.now() - begin) / 1000).toFixed(1)} s${deaf.length > 0 ? `: ${deaf.join(', ')}` : ''}`,
      pass: deaf.length === 0,
    };
  } finally {
    for (const chromium of browsers) await chromium.close();
    await lab.close();
  }
}

/** Somebody in the room, whatever it sits at. */
interface Member {
  readonly name: string;
  joined(): Promise<boolean>;
  say(text: string): Promise<void>;
  heard(): Promise<string>;
}

class PageMember implements Member {
  readonly name: string;
  readonly #page: ChromiumPage;

  constructor(name: string, page: ChromiumPage) {
    this.name = name;
    this.#page = page;
  }

  async joined(): Promise<boolean> {
    return (
      (await this.#page.evaluate("document.documentElement?.dataset.state === 'joined'")) === true
    );
  }

  async say(text: string): Promise<void> {
    await this.#page.evaluate("document.getElementById('text').focus()");
    await this.#page.type(text);
  }

  async heard(): Promise<string> {
    return String(await this.#page.evaluate("document.getElementById('log').textContent"));
  }
}

class TerminalMember implements Member {
  readonly name: string;
  readonly #client: ChatClient;

  constructor(name: string, client: ChatClient) {
    this.name = name;
    this.#client = client;
  }

  async joined(): Promise<boolean> {
    return this.#client.last('joined') !== undefined;
  }

  async say(text: string): Promise<void> {
    this.#client.say(text);
  }

  async heard(): Promise<string> {
    return this.#client.messages.join('\n');
  }
}

/** Looks again and again: a page can't be waited for from outside otherwise. */
async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what} in ${TIMEOUT_MS / 1000} s`);
    await sleep(100);
  }
}

export const browserRoomLine: VerifyLine = {
  name: 'browser-room',
  title: 'Chromium pages and terminals in one room',
  needs: ['ip', 'nft', 'conntrack', 'nsenter', 'chromium'],
  run: browser,
};
