// The pool of `@bt/nat-punch` as a chat takes it: its errors in one plain sentence each.
import { NatPunchError } from '@bt/nat-punch';
import { joinPool, type Pool } from '@bt/nat-punch/node';
import type { Join, PoolEvents } from './chat.ts';
import { EXIT, Failure } from './exit-codes.ts';
import type { ChatOptions } from './options.ts';

/** A network that loses packets needs two or three tries of TCP. */
const JOIN_TIMEOUT_MS = 6_000;

export const join: Join = async (options, events, interrupted) => {
  const { host, port, pool, name, phraseText: phrase, natType, tls } = options;
  // Once joined, an interruption is no abrupt end: the chat says goodbye.
  const joining = new AbortController();
  const abort = () => joining.abort();
  interrupted.addEventListener('abort', abort);
  let joined: Pool;
  try {
    joined = await joinPool({
      server: { host, port },
      pool,
      name,
      phrase,
      natType,
      tls,
      timeoutMs: JOIN_TIMEOUT_MS,
      signal: joining.signal,
      onJoined: () => events.onJoined(),
      onWaiting: (ahead) => events.onWaiting(ahead),
      onSignalling: (isConnected) => events.onConnection(isConnected),
      onPeer: (peer) => events.onPeer(peer),
    });
  } catch (error) {
    throw asFailure(error, options);
  } finally {
    interrupted.removeEventListener('abort', abort);
  }
  void watch(joined, events, options);
  return joined;
};

/** Hears of the end of the stay; the peers themselves have been handed over. */
async function watch(pool: Pool, events: PoolEvents, options: ChatOptions): Promise<void> {
  try {
    for await (const _ of pool);
  } catch (error) {
    events.onRefused(asFailure(error, options).message);
  }
}

function asFailure(error: unknown, { host, port, tls }: ChatOptions): Failure {
  if (!(error instanceof NatPunchError)) throw error;
  const server = `${host} port ${port}`;
  switch (error.code) {
    case 'unreachable':
      return new Failure(EXIT.server, `${server} can't be reached${causeText(error.cause, tls)}.`, {
        cause: error,
      });
    case 'refused':
      return new Failure(EXIT.server, sentence(error.message), { cause: error });
    case 'aborted':
      return new Failure(EXIT.interrupted, 'Interrupted.', { cause: error });
    case 'invalid-argument':
      return new Failure(EXIT.usage, sentence(error.message), { cause: error });
    default:
      return new Failure(EXIT.internal, sentence(error.message), { cause: error });
  }
}

const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such name',
  EAI_AGAIN: 'the name can not be looked up now',
  ENETUNREACH: 'there is no network',
  EHOSTUNREACH: 'there is no way there',
  ETIMEDOUT: 'it does not answer',
};

function causeText(cause: unknown, tls: boolean): string {
  const { code, message } = (cause ?? {}) as { code?: string; message?: string };
  if (code !== undefined && WHY[code] !== undefined) return `: ${WHY[code]} (${code})`;
  if (tls && message !== undefined) return `: its TLS is not trusted or none (${code ?? message})`;
  return code === undefined ? '' : ` (${code})`;
}

function sentence(text: string): string {
  const end = /[.?!]$/.test(text) ? '' : '.';
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}
