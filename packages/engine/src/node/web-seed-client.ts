// Requests to one web seed (BEP 19) over kept connections. It trusts nobody: addresses are judged at every hop and for
// every request, redirects, headers and informational answers are bounded, certificates are checked, and nothing that is
// asked or received is shown.

import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { type AddressClass, addressClass, makeEndpoint } from '@bt/endpoint';
import { TrackerError } from '@bt/tracker';
import {
  type HostAddress,
  hostOf,
  type LookupHost,
  lookupAmong,
  resolveHost,
} from '@bt/tracker/node';
import { OWN_NAME, OWN_VERSION } from '../client-name.ts';
import {
  MAX_WEB_FETCHES,
  MAX_WEB_HEADER_BYTES,
  MAX_WEB_INFORMATIONAL_ANSWERS,
  MAX_WEB_REDIRECT_BODY_BYTES,
  MAX_WEB_REDIRECTS,
  WEB_IDLE_MS,
} from '../limits.ts';
import type { WebAnswer } from '../web-seed/answer.ts';
import { isWebReachable } from '../web-seed/reach.ts';
import type { WebFetchFailure } from '../web-seed/web-fetch.ts';
import type { Connections } from './connections.ts';

export interface WebSeedClientOptions {
  readonly localAddress: string | undefined;
  readonly connections: Connections;
  /** The table of addresses: tests have no public ones. */
  readonly classify?: ((address: string) => AddressClass) | undefined;
  readonly lookupHost?: LookupHost | undefined;
  /** PEM certificates to trust instead of the system's. */
  readonly certificateAuthority?: string | undefined;
}

export interface WebRequest {
  readonly url: string;
  /** Bytes `start` to `end` (exclusive) of a file of `fileLength`. */
  readonly start: number;
  readonly end: number;
  readonly fileLength: number;
}

/** What becomes of a request. Nothing any more after `cancel`. */
export interface WebRequestOwner {
  answered(answer: WebAnswer): void;
  /** Bytes that are valid during the call. */
  received(chunk: Uint8Array): void;
  /** Once, and the last. */
  ended(failure: WebFetchFailure | undefined): void;
}

export interface RunningRequest {
  /** A request that is paused from the beginning gets its answer, and no bytes. */
  setPaused(isPaused: boolean): void;
  cancel(): void;
}

export class WebSeedClient {
  readonly #options: WebSeedClientOptions;
  readonly #classify: (address: string) => AddressClass;
  readonly #httpAgent = new HttpAgent(AGENT_OPTIONS);
  readonly #httpsAgent = new HttpsAgent(AGENT_OPTIONS);
  readonly #counted = new WeakSet<Socket>();

  constructor(options: WebSeedClientOptions) {
    this.#options = options;
    this.#classify = options.classify ?? addressClass;
  }

  request(wanted: WebRequest, owner: WebRequestOwner, isPaused: boolean): RunningRequest {
    const run = new Run(owner, isPaused);
    this.#follow(wanted, run.signal).then(
      (response) => run.begin(response),
      (error: unknown) => run.end(failureOf(error)),
    );
    return run;
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#httpAgent.destroy();
    this.#httpsAgent.destroy();
  }

  /** The first answer that is no redirect. */
  async #follow(wanted: WebRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { localAddress, lookupHost } = this.#options;
    let url = parseUrl(wanted.url, undefined);
    let afterPublic = false;
    for (let redirects = 0; ; redirects += 1) {
      const found = await resolveHost(hostOf(url), { localAddress, lookupHost });
      signal.throwIfAborted();
      const mayReach = this.#reachOf(url, afterPublic);
      const addresses = found.filter(({ address }) => mayReach(this.#classify(address)));
      if (addresses.length === 0) {
        const what = redirects > 0 ? 'it redirects to' : 'its URL leads to';
        throw new RequestFault('forbidden', `${what} an address where it may not`);
      }
      const hop = { url, addresses, mayReach, rangeHeader: rangeOf(wanted), signal };
      const { response, kind } = await this.#askAgain(hop);
      const { location } = response.headers;
      if (!REDIRECTS.has(response.statusCode ?? 0) || location === undefined) return response;
      await discard(response);
      if (redirects === MAX_WEB_REDIRECTS) {
        throw new RequestFault('bad-answer', `it redirects more than ${redirects} times`);
      }
      afterPublic ||= kind === 'public';
      // Header values are bytes; most that aren't ASCII are UTF-8.
      url = parseUrl(Buffer.from(location, 'latin1').toString(), url);
    }
  }

  #reachOf(url: URL, afterPublic: boolean): (kind: AddressClass) => boolean {
    const reach = { afterPublic, hasQuery: url.search !== '' };
    return (kind) => isWebReachable(kind, reach);
  }

  /** A kept connection may have been closed by the server just when it was used again: once more then. */
  async #askAgain(hop: Hop): Promise<HopAnswer> {
    try {
      return await this.#ask(hop);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      hop.signal.throwIfAborted();
      return await this.#ask(hop);
    }
  }

  #ask(hop: Hop): Promise<HopAnswer> {
    const { url, addresses, mayReach, rangeHeader, signal } = hop;
    const { localAddress, certificateAuthority, connections } = this.#options;
    const isTls = url.protocol === 'https:';
    const agent = isTls ? this.#httpsAgent : this.#httpAgent;
    if (!connections.isRoomFor('out') && Object.keys(agent.freeSockets).length === 0) {
      throw new RequestFault('connection', 'there are too many connections');
    }
    return new Promise((resolve, reject) => {
      const request = (isTls ? httpsRequest : httpRequest)({
        method: 'GET',
        host: hostOf(url),
        port: url.port || (isTls ? 443 : 80),
        path: url.pathname + url.search,
        auth: credentialsOf(url),
        headers: {
          'User-Agent': USER_AGENT,
          Accept: '*/*',
          'Accept-Encoding': 'identity',
          ...(rangeHeader === undefined ? {} : { Range: rangeHeader }),
        },
        agent,
        lookup: lookupAmong(addresses),
        localAddress,
        maxHeaderSize: MAX_WEB_HEADER_BYTES,
        insecureHTTPParser: false,
        rejectUnauthorized: true,
        ca: certificateAuthority,
        signal,
      });
      this.#watch(request, mayReach);
      let answer: IncomingMessage | undefined;
      // Errors may come more than once, and after the answer: each needs a listener.
      request.on('error', (error) => {
        // What is wrong with a body, of which the answer itself would only say that it broke off.
        answer?.destroy(error);
        const isStale = request.reusedSocket && STALE.has(codeOf(error)) && !signal.aborted;
        reject(isStale ? new StaleConnection() : error);
      });
      request.on('upgrade', (_response, socket) => {
        socket.destroy();
        reject(new RequestFault('bad-answer', 'it answers in another protocol'));
      });
      request.on('response', (response) => {
        answer = response;
        // It may break off before its reader listens.
        response.on('error', () => {});
        // Known as long as the socket is open, so to be read now.
        const kind = this.#kindOf(response.socket);
        if (kind !== undefined && mayReach(kind)) resolve({ response, kind });
        else response.destroy();
      });
      request.on('close', () => reject(new RequestFault('connection', 'it hung up')));
      request.end();
    });
  }

  #watch(request: ClientRequest, mayReach: (kind: AddressClass) => boolean): void {
    request.on('socket', (socket) => {
      if (!this.#counted.has(socket)) {
        this.#counted.add(socket);
        this.#options.connections.add(socket, 'out');
        // Node takes its own listener off as soon as an answer has been read, also where that ends in an error.
        socket.on('error', () => {});
      }
      // A kept connection was judged when it was opened, for another request. Nothing has been sent yet.
      const kind = request.reusedSocket ? this.#kindOf(socket) : undefined;
      if (kind === undefined || mayReach(kind)) return;
      request.destroy(new RequestFault('forbidden', 'it is at an address where it may not be'));
    });
    let informationalAnswers = 0;
    request.on('information', () => {
      informationalAnswers += 1;
      if (informationalAnswers <= MAX_WEB_INFORMATIONAL_ANSWERS) return;
      request.destroy(new RequestFault('bad-answer', 'it sends informational answers only'));
    });
  }

  #kindOf(socket: Socket): AddressClass | undefined {
    const remote = makeEndpoint(socket.remoteAddress ?? '', 0);
    return remote && this.#classify(remote.address);
  }
}

interface Hop {
  readonly url: URL;
  readonly addresses: readonly HostAddress[];
  readonly mayReach: (kind: AddressClass) => boolean;
  readonly rangeHeader: string | undefined;
  readonly signal: AbortSignal;
}

interface HopAnswer {
  readonly response: IncomingMessage;
  /** Of the address that it came from. */
  readonly kind: AddressClass;
}

/** One request from its beginning to its end. */
class Run implements RunningRequest {
  readonly #owner: WebRequestOwner;
  readonly #abort = new AbortController();
  #response: IncomingMessage | undefined;
  #isPaused: boolean;
  #isFlowing = false;
  #isOver = false;

  constructor(owner: WebRequestOwner, isPaused: boolean) {
    this.#owner = owner;
    this.#isPaused = isPaused;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (this.#response === undefined || this.#isOver) return;
    if (isPaused) this.#response.pause();
    else this.#flow(this.#response);
  }

  cancel(): void {
    this.#isOver = true;
    this.#abort.abort();
  }

  begin(response: IncomingMessage): void {
    response.on('error', (error) => this.end(failureOf(error)));
    // It may have broken off before anybody listened.
    if (response.destroyed) this.end(failureOf(response.errored));
    if (this.#isOver) {
      response.destroy();
      return;
    }
    this.#response = response;
    response.on('end', () => this.end(undefined));
    response.on('close', () => this.end({ code: 'connection', message: 'it hung up' }));
    this.#owner.answered({
      status: response.statusCode ?? 0,
      contentRange: response.headers['content-range'],
      contentLength: response.headers['content-length'],
      contentEncoding: response.headers['content-encoding'],
      retryAfterMs: retryAfter(response.headers['retry-after']),
    });
    if (!this.#isOver && !this.#isPaused) this.#flow(response);
  }

  end(failure: WebFetchFailure | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.ended(failure);
  }

  #flow(response: IncomingMessage): void {
    if (this.#isFlowing) {
      response.resume();
      return;
    }
    this.#isFlowing = true;
    response.on('data', (chunk: Uint8Array) => {
      if (!this.#isOver) this.#owner.received(chunk);
    });
  }
}

/** Thrown within this file, and told as a `WebFetchFailure`. */
class RequestFault extends Error {
  readonly code: WebFetchFailure['code'];

  constructor(code: WebFetchFailure['code'], message: string) {
    super(message);
    this.code = code;
  }
}

class StaleConnection extends RequestFault {
  constructor() {
    super('connection', 'it hung up');
  }
}

const AGENT_OPTIONS = {
  keepAlive: true,
  maxSockets: MAX_WEB_FETCHES,
  maxFreeSockets: MAX_WEB_FETCHES,
  timeout: WEB_IDLE_MS,
};
const USER_AGENT = `${OWN_NAME}/${OWN_VERSION}`;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const STALE: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

function parseUrl(text: string, base: URL | undefined): URL {
  const isRedirect = base !== undefined;
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    // Node's error holds the URL, and so what is secret in it.
    if (!isRedirect) throw new RequestFault('forbidden', 'its URL is malformed');
    throw new RequestFault('bad-answer', 'it redirects to no URL');
  }
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw new RequestFault(
    isRedirect ? 'bad-answer' : 'forbidden',
    `${isRedirect ? 'it redirects to' : 'it has'} a ${url.protocol} URL`,
  );
}

/** A whole file is asked for without a range: there are servers that know none. */
function rangeOf({ start, end, fileLength }: WebRequest): string | undefined {
  return start === 0 && end === fileLength ? undefined : `bytes=${start}-${end - 1}`;
}

function credentialsOf(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  try {
    return `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  } catch {
    throw new RequestFault('forbidden', "its URL's credentials are misspelt");
  }
}

/** Reads a small body to its end, so that its connection can be used again. */
async function discard(response: IncomingMessage): Promise<void> {
  const length = Number(response.headers['content-length']);
  if (!(length <= MAX_WEB_REDIRECT_BODY_BYTES)) {
    response.destroy();
    return;
  }
  for await (const _ of response) {
    // Thrown away.
  }
}

/** Seconds, or a date (RFC 9110, section 10.2.3). */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = value.endsWith('GMT') ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function failureOf(error: unknown): WebFetchFailure {
  if (error instanceof RequestFault) return { code: error.code, message: error.message };
  if (error instanceof TrackerError) return { code: 'connection', message: error.message };
  const code = codeOf(error);
  // Node's parser errors hold what was received, which must not be shown.
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { code: 'bad-answer', message: 'its headers are too large' };
  }
  if (code.startsWith('HPE_')) {
    return { code: 'bad-answer', message: `it does not speak HTTP (${code})` };
  }
  return { code: 'connection', message: `the connection failed${code === '' ? '' : ` (${code})`}` };
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
