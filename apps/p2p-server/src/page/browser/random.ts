// Randomness of the browser, also where a page came over plain HTTP.

/** @param lengthBytes at most 65,536 */
export function randomBytes(lengthBytes: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(lengthBytes));
}
