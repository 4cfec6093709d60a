import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { clientName, makePeerId } from '../src/client-name.ts';
import { ownHandshake } from '../src/extensions.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };
const id = (text: string) => new TextEncoder().encode(text.padEnd(20, 'x'));

describe('clientName', () => {
  it.each([
    ['-TR3000-', 'Transmission 3.0.0'],
    ['-qB4650-', 'qBittorrent 4.6.5'],
    ['-UT355W-', 'uTorrent 3.5.5.W'],
    ['-LT20C1-', 'libtorrent 2.0.C.1'],
    ['-ZZ1230-', 'ZZ 1.2.3'],
    ['M7-4-3--', 'M7-4-3'],
    ['\0\u0001\u001b[2J\0\0', '[2J'],
    ['\0\0\0\0\0\0\0\0', 'unknown'],
  ])('reads %j as %s', (start, name) => {
    expect(clientName(id(start))).toBe(name);
  });
});

describe('our own name', () => {
  it("has the package's version, in the peer id and in the extended handshake", () => {
    const [release] = version.split('-');
    expect(clientName(makePeerId(() => 0))).toBe(`bt-engine ${release}`);
    const { client } = ownHandshake({
      listenPort: 0,
      isUploadOnly: false,
      hasPeerExchange: false,
      metadataLength: undefined,
      remote: { address: '127.0.0.1', port: 1 },
    });
    expect(client).toBe(`bt-engine ${version}`);
  });
});
