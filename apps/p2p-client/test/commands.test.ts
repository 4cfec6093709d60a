import { expect, it } from 'vitest';
import { parseCommand } from '../src/commands.ts';

it.each([
  ['hello', { type: 'say', text: 'hello' }],
  ['', { type: 'say', text: '' }],
  [' /quit', { type: 'say', text: ' /quit' }],
  ['//quit', { type: 'say', text: '/quit' }],
  ['/quit', { type: 'quit' }],
  ['/path ', { type: 'path' }],
  ['/send a file.txt', { type: 'send', path: 'a file.txt' }],
  ["/send '/tmp/a file.txt' ", { type: 'send', path: '/tmp/a file.txt' }],
  ['/send', { type: 'send', path: '' }],
  ['/take 3', { type: 'take', number: 3 }],
  ['/refuse 12 ', { type: 'refuse', number: 12 }],
  ['/take', { type: 'take', number: undefined }],
  ['/take it', { type: 'take', number: undefined }],
  ['y', { type: 'say', text: 'y' }],
  ['/sned x', { type: 'unknown', name: 'sned' }],
  ['/', { type: 'unknown', name: '' }],
])('%j', (line, command) => {
  expect(parseCommand(line)).toEqual(command);
});
