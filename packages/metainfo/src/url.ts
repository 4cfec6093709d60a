// URLs of trackers and web seeds, as far as this package judges them: the scheme, and that nothing odd is in them.

/** Longer ones are not met, and would only fill logs. */
const MAX_URL_LENGTH = 2048;

/** Whether a text may be a tracker's address: http, https, udp, or the web sockets of browsers. */
export function isTrackerUrl(text: string): boolean {
  return isUrl(text, /^(?:https?|udp|wss?):\/\/[^/]/i);
}

/** Whether a text may be a web seed's address: http or https. */
export function isWebSeedUrl(text: string): boolean {
  return isUrl(text, /^https?:\/\/[^/]/i);
}

function isUrl(text: string, beginning: RegExp): boolean {
  // No spaces or control characters: they are never part of a URL, and could end a line of HTTP or of a terminal.
  return (
    text.length <= MAX_URL_LENGTH && beginning.test(text) && !/[\s\p{Cc}\p{Cf}\p{Cs}]/u.test(text)
  );
}
