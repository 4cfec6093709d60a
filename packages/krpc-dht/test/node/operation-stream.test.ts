import { describe, expect, it } from 'vitest';
import { OperationStream } from '../../src/node/operation-stream.ts';

function make(): { stream: OperationStream<number>; returned: () => number } {
  let count = 0;
  return { stream: new OperationStream<number>(() => count++), returned: () => count };
}

describe('a stream', () => {
  it('gives what was pushed before and after somebody waits, in order, and then its end', async () => {
    const { stream, returned } = make();
    stream.push([1, 2]);
    const all: number[] = [];
    const reading = (async () => {
      for await (const value of stream) all.push(value);
    })();
    stream.push([3]);
    await Promise.resolve();
    stream.push([4, 5]);
    stream.end();
    await reading;
    expect(all).toEqual([1, 2, 3, 4, 5]);
    expect(returned()).toBe(0);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('throws its error once, behind what came before', async () => {
    const { stream } = make();
    const error = new Error('no');
    stream.push([1]);
    stream.end(error);
    stream.end();
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    await expect(stream.next()).rejects.toBe(error);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('an error reaches whoever waits', async () => {
    const { stream } = make();
    const waiting = stream.next();
    stream.end(new Error('no'));
    await expect(waiting).rejects.toThrow('no');
  });

  it('whoever leaves the loop ends it, and gets nothing more', async () => {
    const { stream, returned } = make();
    stream.push([1, 2, 3]);
    for await (const value of stream) {
      expect(value).toBe(1);
      break;
    }
    expect(returned()).toBe(1);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    await stream.return();
    expect(returned()).toBe(1);
  });

  it('an error that comes of leaving it is nobody`s', async () => {
    const stream: OperationStream<number> = new OperationStream(() =>
      stream.end(new Error('left')),
    );
    const waiting = stream.next();
    await stream.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});
