import fc from 'fast-check';
import { expect, it } from 'vitest';
import { numberedFileName, safeFileName } from '../../src/chat/file-name.ts';

it.each([
  ['report.pdf', 'report.pdf'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Windows\\system.ini', 'system.ini'],
  ['.bashrc', 'bashrc'],
  ['..', 'file'],
  ['', 'file'],
  ['a\u0000b\u001b.txt', 'a_b_.txt'],
  ['exe.\u202egpj', 'exe._gpj'],
  ['nul', '_nul'],
  ['COM1.txt', '_COM1.txt'],
  ['trailing. ', 'trailing'],
])('%j is saved as %j', (name, safe) => {
  expect(safeFileName(name)).toBe(safe);
});

it('is one name that any file system takes, with its ending', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (name) => {
      const safe = safeFileName(`${name}x.txt`);
      expect(safe).not.toMatch(/[/\\\p{Cc}]/u);
      expect(safe.endsWith('.txt')).toBe(true);
      expect(new TextEncoder().encode(safe).length).toBeLessThanOrEqual(216);
      expect(safe).not.toBe('');
      expect(safe.startsWith('.')).toBe(false);
    }),
  );
});

it('numbers before the ending', () => {
  expect([1, 2, 3].map((number) => numberedFileName('a.tar.gz', number))).toEqual([
    'a.tar.gz',
    'a.tar (2).gz',
    'a.tar (3).gz',
  ]);
  expect(numberedFileName('README', 2)).toBe('README (2)');
});
