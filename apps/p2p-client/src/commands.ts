// What a typed line means: something to say, or one of the commands.

export type Command =
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'send'; readonly path: string }
  /** The number is undefined where what was typed is none. */
  | { readonly type: 'take' | 'refuse'; readonly number: number | undefined }
  | { readonly type: 'path' | 'code' | 'who' | 'help' | 'quit' }
  /** It looks like a command and is none. */
  | { readonly type: 'unknown'; readonly name: string };

export const COMMAND_HELP = [
  '/send FILE   offer a file',
  '/take N      take file N that a partner offers; /refuse N: do not take it',
  '/path        direct or relay, and why',
  '/code        a short code to compare with the partner',
  '/who         who is here',
  '/quit        leave',
  '//text       says /text',
] as const;

/** One line without its end. */
export function parseCommand(line: string): Command {
  if (line.startsWith('//')) return { type: 'say', text: line.slice(1) };
  if (!line.startsWith('/')) return { type: 'say', text: line };
  const [, name = '', rest = ''] = /^\/(\S*)\s*(.*?)\s*$/s.exec(line) ?? [];
  switch (name) {
    case 'send':
      return { type: 'send', path: unquoted(rest) };
    case 'take':
    case 'refuse':
      return { type: name, number: /^\d{1,9}$/.test(rest) ? Number(rest) : undefined };
    case 'path':
    case 'code':
    case 'who':
    case 'help':
    case 'quit':
      return { type: name };
    default:
      return { type: 'unknown', name };
  }
}

/** Terminals put quotes around a file that is dropped on them. */
function unquoted(text: string): string {
  const match = /^(['"])(.*)\1$/s.exec(text);
  return match?.[2] ?? text;
}
