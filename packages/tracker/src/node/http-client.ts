// A GET that trusts nobody: addresses judged at every hop, limits on redirects, headers, body and what it inflates to.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { type AddressClass, type AddressFamily, makeEndpoint } from '@bt/endpoint';
import { TrackerError } from '../errors.ts';
import {
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_INFORMATIONAL_ANSWERS,
  MAX_REDIRECTS,
} from '../limits.ts';
import { isReachable } from '../reach.ts';
import { encodeUrl } from '../url.ts';
import { type HostAddress, hostOf, type LookupHost, lookupAmong, resolveHost } from './resolve.ts';

export interface HttpGetOptions {
  readonly signal: AbortSignal;
  readonly localAddress: string | undefined;
  readonly userAgent: string;
  /** PEM certificates to trust instead of the system's. */
  readonly certificateAuthority: string | undefined;
  /** Go over this family only. */
  readonly family: AddressFamily;
  /** The one path, and the one query (without `?`), that may be asked of this host and its link. */
  readonly plainPath: string;
  readonly plainQuery: string;
  readonly lookupHost?: LookupHost | undefined;
  /** The table of addresses. */
  readonly classify: (address: string) => AddressClass;
}

export interface HttpGetResult {
  readonly body: Uint8Array;
  /** The class of the address that the body came from. */
  readonly addressClass: AddressClass;
}

/**
 * GETs `url`, whose host has been resolved to `addresses`, and follows redirects.
 *
 * @throws {TrackerError}; on an abort of the signal anything at all.
 */
export async function httpGet(
  url: URL,
  addresses: readonly HostAddress[],
  options: HttpGetOptions,
): Promise<HttpGetResult> {
  const { classify } = options;
  let hopUrl = url;
  let hopAddresses = addresses;
  let afterPublic = false;
  for (let redirects = 0; ; redirects++) {
    const isPlain =
      hopUrl.pathname === options.plainPath &&
      (hopUrl.search === '' || hopUrl.search === `?${options.plainQuery}`);
    const ofFamily = hopAddresses.filter(({ family }) => family === options.family);
    if (ofFamily.length === 0) {
      throw new TrackerError('connection', `the tracker redirects away from IPv${options.family}`);
    }
    const allowed = ofFamily.filter(({ address }) =>
      isReachable(classify(address), { isPlain, afterPublic }),
    );
    if (allowed.length === 0) {
      throw new TrackerError(
        'forbidden-address',
        redirects > 0
          ? 'the tracker redirects to where it may not'
          : 'the tracker URL leads where none may: this host or its link, other than to a plain /announce',
      );
    }
    const { response, remoteAddress } = await ask(hopUrl, allowed, options);
    const kind = classify(remoteAddress);
    const location = redirectOf(response);
    if (location === undefined) return { body: await readBody(response), addressClass: kind };
    response.destroy();
    if (redirects === MAX_REDIRECTS) {
      throw new TrackerError('redirect', `the tracker redirects more than ${MAX_REDIRECTS} times`);
    }
    afterPublic ||= kind === 'public';
    hopUrl = parseLocation(location, hopUrl);
    hopAddresses = await resolveHost(hostOf(hopUrl), options);
    options.signal.throwIfAborted();
  }
}

/** One request; the answer with its body still to be read. */
function ask(
  url: URL,
  addresses: readonly HostAddress[],
  options: HttpGetOptions,
): Promise<{ response: IncomingMessage; remoteAddress: string }> {
  const isTls = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)({
      method: 'GET',
      host: hostOf(url),
      port: url.port || (isTls ? 443 : 80),
      path: url.pathname + url.search,
      auth: credentialsOf(url),
      headers: { 'User-Agent': options.userAgent, 'Accept-Encoding': 'gzip', Accept: '*/*' },
      agent: false,
      lookup: lookupAmong(addresses),
      localAddress: options.localAddress,
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      rejectUnauthorized: true,
      ca: options.certificateAuthority,
      signal: options.signal,
    });
    let informationalAnswers = 0;
    request.on('information', () => {
      if (++informationalAnswers <= MAX_INFORMATIONAL_ANSWERS) return;
      request.destroy(
        new TrackerError('too-large', 'the tracker sends informational answers only'),
      );
    });
    // Errors may come more than once, and after the answer: each needs a listener.
    request.on('error', (error) => reject(asTrackerError(error)));
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new TrackerError('invalid-response', 'the tracker answers in another protocol'));
    });
    request.on('response', (response) => {
      // Known as long as the socket is open, so to be read now.
      const remote = makeEndpoint(response.socket.remoteAddress ?? '', 0);
      if (remote !== undefined) resolve({ response, remoteAddress: remote.address });
      else response.destroy();
    });
    request.on('close', () => reject(new TrackerError('connection', 'the tracker hung up')));
    request.end();
  });
}

function credentialsOf(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  try {
    return `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  } catch (cause) {
    throw new TrackerError('invalid-url', "the tracker URL's credentials are misspelt", { cause });
  }
}

function redirectOf(response: IncomingMessage): string | undefined {
  const status = response.statusCode ?? 0;
  if (status === 200) return undefined;
  if ([301, 302, 303, 307, 308].includes(status) && response.headers.location !== undefined) {
    return response.headers.location;
  }
  response.destroy();
  throw new TrackerError('http-status', `the tracker answers with HTTP status ${status}`, {
    httpStatus: status,
  });
}

function parseLocation(location: string, base: URL): URL {
  let url: URL;
  try {
    url = new URL(encodeUrl(location), base);
  } catch {
    // Node's error holds the URL, and so what is secret in it.
    throw new TrackerError('redirect', 'the tracker redirects to no URL');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TrackerError('redirect', `the tracker redirects to a ${url.protocol} URL`);
  }
  return url;
}

async function readBody(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    throw asTrackerError(error);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return decompress(body, (response.headers['content-encoding'] ?? 'identity').toLowerCase());
}

/** What arrived is at most 1 MiB here, and so is what leaves: inflating ends with an error at that size. */
async function decompress(body: Uint8Array, encoding: string): Promise<Uint8Array> {
  if (encoding === 'identity' || encoding === '') return body;
  const run =
    encoding === 'gzip' || encoding === 'x-gzip'
      ? promisify<Uint8Array, { maxOutputLength: number }, Uint8Array>(gunzip)
      : encoding === 'deflate'
        ? promisify<Uint8Array, { maxOutputLength: number }, Uint8Array>(inflate)
        : undefined;
  if (run === undefined) {
    throw new TrackerError('invalid-response', 'the tracker compresses in a way not asked for');
  }
  try {
    return await run(body, { maxOutputLength: MAX_BODY_BYTES });
  } catch (cause) {
    if (codeOf(cause) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new TrackerError('invalid-response', "the tracker's answer can't be inflated", { cause });
  }
}

function tooLarge(): TrackerError {
  return new TrackerError(
    'too-large',
    `the tracker's answer is larger than ${MAX_BODY_BYTES} bytes`,
  );
}

function asTrackerError(error: unknown): TrackerError {
  if (error instanceof TrackerError) return error;
  const code = codeOf(error);
  // Node's parser errors hold what was received, which must not be shown: no cause.
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new TrackerError('too-large', "the tracker's headers are too large");
  }
  if (code.startsWith('HPE_')) {
    return new TrackerError('invalid-response', `the tracker does not speak HTTP (${code})`);
  }
  const reason = code === '' ? '' : ` (${code})`;
  return new TrackerError('connection', `the connection to the tracker failed${reason}`, {
    cause: error,
  });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
