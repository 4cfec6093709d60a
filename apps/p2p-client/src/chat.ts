// One stay in a pool, from joining to leaving.
import type { PoolPeer } from '@bt/nat-punch/node';
import { COMMAND_HELP, parseCommand } from './commands.ts';
import { EXIT, type ExitCode, Failure } from './exit-codes.ts';
import { makeFolder } from './folder.ts';
import type { ChatOptions } from './options.ts';
import { Room } from './room.ts';
import { JsonView } from './view/json.ts';
import { TextView } from './view/text.ts';
import type { Output, View } from './view/view.ts';

/** How long leaving may take: what was typed is delivered first, where that is possible. */
const LEAVE_MS = { quit: 2500, interrupted: 500 } as const;
/** How long /quit waits for what is on its way to somebody, and after how long it says so. */
const QUIT_MS = 5000;
const QUIT_NOTICE_MS = 500;

/** What is typed. */
export interface Input extends Output {
  lines(): AsyncIterable<string>;
  /** Undefined where nobody can type one, or nobody does until `interrupted`. */
  secret(question: string, interrupted: AbortSignal): Promise<string | undefined>;
  close(): void;
}

/** What a chat hears of its pool. */
export interface PoolEvents {
  onJoined(): void;
  onWaiting(ahead: number): void;
  onConnection(isUp: boolean): void;
  onPeer(peer: PoolPeer): void;
  /** The server won't have us any more: a sentence. */
  onRefused(reason: string): void;
}

export interface JoinedPool {
  leave(timeoutMs: number): Promise<void>;
}

/** Joins the pool. Throws a `Failure`. */
export type Join = (
  options: ChatOptions & { readonly phraseText: string | undefined },
  events: PoolEvents,
  interrupted: AbortSignal,
) => Promise<JoinedPool>;

/** Chats until the user leaves, the input ends, or `interrupted`. */
export async function chat(
  options: ChatOptions,
  input: Input,
  interrupted: AbortSignal,
  join: Join,
): Promise<ExitCode> {
  const now = () => performance.now();
  const view: View = options.json ? new JsonView(input, now) : new TextView(input, now);
  const isInteractive = input.isTerminal;
  const room = new Room({
    view,
    saveTo: options.saveTo,
    maxFileBytes: options.maxFileBytes,
    isInteractive,
  });
  let refuse: (failure: Failure) => void = () => {};
  const refused = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  // It may come when nobody waits for it any more.
  refused.catch(() => {});
  let pool: JoinedPool | undefined;
  try {
    if (options.saveTo !== undefined) await makeFolder(options.saveTo);
    const phraseText = await phraseOf(options, input, interrupted);
    if (interrupted.aborted) return EXIT.interrupted;
    pool = await join(
      { ...options, phraseText },
      {
        onJoined: () => view.joined(),
        onWaiting: (ahead) => view.waiting(ahead),
        onConnection: (isUp) => view.connection(isUp),
        onPeer: (peer) => room.handlePeer(peer),
        onRefused: (reason) => refuse(new Failure(EXIT.server, reason)),
      },
      interrupted,
    );
    const lines = input.lines()[Symbol.asyncIterator]();
    const end = await Promise.race([
      talk(lines, input.isTerminal, room, view),
      refused,
      whenAborted(interrupted, 'interrupted' as const),
    ]);
    if (end === 'ended') {
      const delivered = room.drained();
      await Promise.race([delivered, refused, whenAborted(interrupted, undefined)]);
    } else if (end === 'quit' && room.isAnybodyHere) {
      await Promise.race([
        deliverBounded(room, view),
        quitAgain(lines),
        refused,
        whenAborted(interrupted, undefined),
      ]);
    }
    const { undelivered } = room;
    room.leave();
    const isHasty = interrupted.aborted || undelivered !== undefined;
    await pool.leave(isHasty ? LEAVE_MS.interrupted : LEAVE_MS.quit);
    if (interrupted.aborted) return EXIT.interrupted;
    if (undelivered === undefined) return EXIT.done;
    view.failed(`Not delivered: ${undelivered}.`, EXIT.undelivered);
    return EXIT.undelivered;
  } catch (error) {
    room.leave();
    await pool?.leave(0);
    if (!(error instanceof Failure)) throw error;
    if (interrupted.aborted) return EXIT.interrupted;
    view.failed(error.message, error.exitCode);
    return error.exitCode;
  } finally {
    input.close();
  }
}

/** Waits for what is on its way, but not for ever. */
async function deliverBounded(room: Room, view: View): Promise<void> {
  const notice = setTimeout(() => {
    view.notice('Leaving when what is on its way is delivered; /quit again ends at once.');
  }, QUIT_NOTICE_MS);
  let limit: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    limit = setTimeout(resolve, QUIT_MS);
  });
  await Promise.race([room.drained(), over]);
  clearTimeout(notice);
  clearTimeout(limit);
}

/** Resolves at a second /quit; that the input ends is none. */
async function quitAgain(lines: AsyncIterator<string>): Promise<void> {
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    if (parseCommand(next.value).type === 'quit') return;
  }
  await new Promise<never>(() => {});
}

/** Says and does what is typed; `quit` by /quit, `ended` at the end of the input. */
async function talk(
  lines: AsyncIterator<string>,
  isTerminal: boolean,
  room: Room,
  view: View,
): Promise<'quit' | 'ended'> {
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    const line = next.value;
    const command = parseCommand(line);
    switch (command.type) {
      case 'say':
        // Who presses Enter at a prompt has said nothing; an empty line of a file is part of it.
        if (line !== '' || !isTerminal) await room.say(command.text);
        break;
      case 'send':
        await room.send(command.path);
        break;
      case 'take':
      case 'refuse':
        room.answer(command.type, command.number);
        break;
      case 'path':
        room.showPaths();
        break;
      case 'code':
        room.showCodes();
        break;
      case 'who':
        room.showPartners();
        break;
      case 'help':
        for (const help of COMMAND_HELP) view.notice(help);
        break;
      case 'quit':
        return 'quit';
      case 'unknown':
        view.notice(
          `There is no /${command.name}. To say it, type //${command.name}; /help lists the commands.`,
        );
        break;
    }
  }
  return 'ended';
}

async function phraseOf(
  options: ChatOptions,
  input: Input,
  interrupted: AbortSignal,
): Promise<string | undefined> {
  if (options.phrase !== true) return options.phrase;
  const typed = await input.secret('Phrase: ', interrupted);
  if (typed !== undefined && typed !== '') return typed;
  throw new Failure(
    EXIT.usage,
    input.isTerminal
      ? 'A phrase is wanted, and none was typed.'
      : 'A phrase can be typed on a terminal only; here give --phrase TEXT.',
  );
}

function whenAborted<T>(signal: AbortSignal, value: T): Promise<T> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(value);
    else signal.addEventListener('abort', () => resolve(value), { once: true });
  });
}
