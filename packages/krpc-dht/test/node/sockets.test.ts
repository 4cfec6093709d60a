import { Socket } from 'node:dgram';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MAX_PORT_TRIES } from '../../src/constants.ts';
import { Sockets } from '../../src/node/sockets.ts';

const nobody = () => undefined;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets binds to an address fail, the first `times` of them. */
function failAt(address: string, code: string, times: number): void {
  const { bind } = Socket.prototype;
  let left = times;
  vi.spyOn(Socket.prototype, 'bind').mockImplementation(function (
    this: Socket,
    ...args: unknown[]
  ) {
    const [options] = args as [{ address: string }];
    if (options.address === address && left-- > 0) {
      queueMicrotask(() => this.emit('error', Object.assign(new Error(code), { code })));
      return this;
    }
    return Reflect.apply(bind, this, args) as Socket;
  });
}

describe('sockets of both families', () => {
  it('take another port when the first one is taken in the second family', async () => {
    failAt('::1', 'EADDRINUSE', 3);
    const close = vi.spyOn(Socket.prototype, 'close');
    const sockets = await Sockets.bind(['127.0.0.1', '::1'], 0, false, nobody);
    expect(sockets.families).toEqual([4, 6]);
    // Both of each try that failed.
    expect(close).toHaveBeenCalledTimes(6);
    await sockets.close();
  });

  it('but not for ever', async () => {
    failAt('::1', 'EADDRINUSE', Number.POSITIVE_INFINITY);
    const bound = Sockets.bind(['127.0.0.1', '::1'], 0, false, nobody);
    await expect(bound).rejects.toMatchObject({ code: 'socket', cause: { code: 'EADDRINUSE' } });
    expect(Socket.prototype.bind).toHaveBeenCalledTimes(2 * MAX_PORT_TRIES);
  });

  it('are one where the host has no IPv6, and only then', async () => {
    for (const code of ['EAFNOSUPPORT', 'EADDRNOTAVAIL']) {
      failAt('::', code, 1);
      const sockets = await Sockets.bind(['127.0.0.1', '::'], 0, true, nobody);
      expect(sockets.families).toEqual([4]);
      await sockets.close();
      vi.restoreAllMocks();
    }
    failAt('::', 'EACCES', 1);
    const bound = Sockets.bind(['127.0.0.1', '::'], 0, true, nobody);
    await expect(bound).rejects.toMatchObject({ code: 'socket', cause: { code: 'EACCES' } });
  });
});

it('what can`t be sent is lost, and nothing is thrown', async () => {
  const sockets = await Sockets.bind(['127.0.0.1'], 0, false, nobody);
  sockets.send(new Uint8Array(1), { address: '127.0.0.1', port: 0 });
  const { port } = sockets;
  await sockets.close();
  sockets.send(new Uint8Array(1), { address: '127.0.0.1', port: 1 });
  expect(sockets.port).toBe(port);
});
