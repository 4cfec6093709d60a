// Credentials for the relay that are good for one member of one pool, and for a while: the user name says until when, for whom and in which
// pool, and the password is a code of the user name, so that nothing has to be kept of them (as in draft-uberti-behave-turn-rest-00).
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { CLIENT_ID_BYTES } from './rendezvous-message.ts';

export interface PoolUsername {
  /** By the clock that the credentials were made by. */
  readonly expiresAtSeconds: number;
  readonly member: string;
  /** Tells pools apart without naming them: user names go over the network in clear. */
  readonly poolTag: string;
}

export interface MintOptions {
  readonly member: string;
  readonly pool: string;
  /** In ms, by any clock that {@link poolPassword} is given the time of, too. */
  readonly now: number;
  readonly lifetimeMs: number;
}

/** @param secret 32 random bytes that the server keeps to itself */
export function mintPoolCredentials(
  secret: Uint8Array,
  { member, pool, now, lifetimeMs }: MintOptions,
): { readonly username: string; readonly password: string } {
  const expiresAtSeconds = Math.floor((now + lifetimeMs) / 1000);
  const username = `${expiresAtSeconds}:${member}:${tag(secret, pool)}`;
  return { username, password: code(secret, username) };
}

/** The password of a user name made by {@link mintPoolCredentials}; `undefined` when it was not, or its time is up. */
export function poolPassword(
  secret: Uint8Array,
  username: string,
  now: number,
): string | undefined {
  const parsed = parsePoolUsername(username);
  if (parsed === undefined || now >= parsed.expiresAtSeconds * 1000) return undefined;
  // Of a made-up user name this is a password nobody knows.
  return code(secret, username);
}

/** `undefined` for a user name of another form. Whether it is a true one only the password shows. */
export function parsePoolUsername(username: string): PoolUsername | undefined {
  const [, seconds, member, poolTag] =
    /^([0-9]{1,12}):([0-9a-f]{16}):([0-9a-f]{16})$/.exec(username) ?? [];
  if (seconds === undefined || member === undefined || poolTag === undefined) return undefined;
  return { expiresAtSeconds: Number(seconds), member, poolTag };
}

/**
 * What others of a pool know a client by: the same over reconnects and other servers, and nobody can tell from it the client's id, which
 * is a secret.
 */
export function clientTagOf(pool: string, client: string): string {
  const digest = sha256(UTF8.encode(`@bt/nat-punch client ${client} ${pool}`));
  return bytesToHex(digest.subarray(0, CLIENT_ID_BYTES));
}

const UTF8 = new TextEncoder();

function tag(secret: Uint8Array, pool: string): string {
  return code(secret, `pool ${pool}`).slice(0, 16);
}

function code(secret: Uint8Array, text: string): string {
  return bytesToHex(hmac(sha256, secret, UTF8.encode(text)));
}
