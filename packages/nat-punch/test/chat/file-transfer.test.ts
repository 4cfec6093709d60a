import { createRandom } from '@bt/simulator';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FileFrame } from '../../src/chat/chat-frame.ts';
import {
  type FileHash,
  FileReceiver,
  FileSender,
  READ_BYTES,
} from '../../src/chat/file-transfer.ts';

const KEY = new Uint8Array(16);

function createHash(): FileHash {
  const hash = sha256.create();
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.clone().digest() };
}

function content(lengthBytes: number, seed: number): Uint8Array {
  const random = createRandom(seed);
  return Uint8Array.from({ length: lengthBytes }, () => Math.floor(random() * 256));
}

/** Both ends with a disk each; frames go across at once, unless `spoil` makes others of them. */
class Transfer {
  readonly sender: FileSender;
  readonly receiver: FileReceiver;
  disk: Uint8Array;
  saved = false;
  frames: string[] = [];
  ended: (string | undefined)[] = [];
  readonly #file: Uint8Array;
  #earlierBytes = 0;
  readonly #spoil: (frame: FileFrame) => FileFrame;

  constructor(
    file: Uint8Array,
    disk: Uint8Array = new Uint8Array(0),
    spoil = (frame: FileFrame) => frame,
  ) {
    const common = { transfer: 1, lengthBytes: file.length, createHash };
    this.#file = file;
    this.#spoil = spoil;
    this.disk = disk;
    this.sender = new FileSender({ ...common, name: 'x', key: KEY });
    this.receiver = new FileReceiver(common);
    this.run();
  }

  accept(): void {
    const hash = createHash();
    hash.update(this.disk);
    this.#earlierBytes = this.disk.length;
    this.receiver.accept(this.disk.length, hash);
    this.run();
  }

  run(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (let step = this.sender.poll(); step; step = this.sender.poll()) {
        moved = true;
        if (step.type === 'ended') this.ended.push(step.reason);
        else if (step.type === 'read') {
          const { offset, lengthBytes } = step;
          this.sender.handleRead(this.#file.subarray(offset, offset + lengthBytes));
        } else {
          this.frames.push(step.frame.type);
          if (step.frame.type !== 'offer') this.receiver.handleFrame(this.#spoil(step.frame));
        }
      }
      for (let step = this.receiver.poll(); step; step = this.receiver.poll()) {
        moved = true;
        if (step.type === 'send') this.sender.handleFrame(step.frame);
        else if (step.type === 'restart') {
          this.#earlierBytes = 0;
          this.disk = new Uint8Array(0);
        } else if (step.type === 'discard') this.disk = this.disk.slice(0, this.#earlierBytes);
        else if (step.type === 'write') this.disk = concatBytes(this.disk, step.bytes);
        else if (step.type === 'save') {
          this.saved = true;
          this.receiver.handleSaved();
        } else this.ended.push(step.reason);
      }
    }
  }
}

it.each([0, 1, 32_768, 32_769, READ_BYTES + 5])('a file of %i bytes arrives whole', (length) => {
  const file = content(length, length);
  const transfer = new Transfer(file);
  expect(transfer.sender.state).toBe('offered');
  transfer.accept();
  expect(transfer.disk).toEqual(file);
  expect(transfer.saved).toBe(true);
  expect(transfer.ended).toEqual([undefined, undefined]);
});

it('goes on where an earlier try stopped', () => {
  const file = content(100_000, 5);
  const transfer = new Transfer(file, file.slice(0, 70_000));
  transfer.accept();
  expect(transfer.disk).toEqual(file);
  expect(transfer.frames).toEqual(['offer', 'begin', 'chunk', 'end']);
});

it('goes on at its very end', () => {
  const file = content(50_000, 5);
  const transfer = new Transfer(file, file);
  transfer.accept();
  expect(transfer.saved).toBe(true);
  expect(transfer.frames).toEqual(['offer', 'begin', 'end']);
});

it('begins anew where the earlier try was another file, or longer than this one', () => {
  const file = content(100_000, 5);
  for (const disk of [content(70_000, 6), content(200_000, 5)]) {
    const transfer = new Transfer(file, disk);
    // The rim drops what is too long before.
    if (disk.length > file.length) transfer.disk = new Uint8Array(0);
    transfer.accept();
    expect(transfer.disk).toEqual(file);
    expect(transfer.saved).toBe(true);
  }
});

it('saves nothing with a wrong checksum', () => {
  const spoil = (frame: FileFrame): FileFrame =>
    frame.type === 'chunk' ? { ...frame, bytes: frame.bytes.map((byte) => byte ^ 1) } : frame;
  const transfer = new Transfer(content(40_000, 1), new Uint8Array(0), spoil);
  transfer.accept();
  expect(transfer.saved).toBe(false);
  expect(transfer.disk).toHaveLength(0);
  expect(transfer.ended).toEqual(['wrong-checksum', 'wrong-checksum']);
});

it('keeps what there was before, when what came behind it is wrong', () => {
  const file = content(40_000, 1);
  const spoil = (frame: FileFrame): FileFrame =>
    frame.type === 'chunk' ? { ...frame, bytes: frame.bytes.map((byte) => byte ^ 1) } : frame;
  const transfer = new Transfer(file, file.slice(0, 9_000), spoil);
  transfer.accept();
  expect(transfer.saved).toBe(false);
  expect(transfer.disk).toEqual(file.subarray(0, 9_000));
});

it('is refused, and cancelled, with a reason', () => {
  const refused = new Transfer(content(10, 1));
  refused.receiver.refuse('declined');
  refused.run();
  expect(refused.ended).toEqual(['declined', 'declined']);
  const cancelled = new Transfer(content(10, 1));
  cancelled.sender.cancel('cancelled');
  cancelled.run();
  expect(cancelled.ended).toEqual(['cancelled', 'cancelled']);
});

it('is cancelled when the file has become shorter', () => {
  const sender = new FileSender({ transfer: 1, name: 'x', key: KEY, lengthBytes: 10, createHash });
  sender.handleFrame({ type: 'accept', transfer: 1, offset: 0, checksum: new Uint8Array(32) });
  sender.handleRead(new Uint8Array(4));
  sender.handleRead(new Uint8Array(0));
  const steps = [];
  for (let step = sender.poll(); step; step = sender.poll()) steps.push(step.type);
  expect(sender.state).toBe('ended');
  expect(steps.at(-1)).toBe('ended');
});

describe('frames that make no sense', () => {
  const begun = () => {
    const receiver = new FileReceiver({ transfer: 1, lengthBytes: 10, createHash });
    receiver.accept();
    receiver.handleFrame({ type: 'begin', transfer: 1, offset: 0 });
    return receiver;
  };
  const common = { transfer: 1 };
  const frames: FileFrame[] = [
    { ...common, type: 'begin', offset: 0 },
    { ...common, type: 'chunk', bytes: new Uint8Array(11) },
    { ...common, type: 'end', checksum: new Uint8Array(32) },
    { ...common, type: 'accept', offset: 0, checksum: new Uint8Array(32) },
    { ...common, type: 'done' },
  ];

  it.each(frames)('$type to a receiver', (frame) => {
    const receiver = begun();
    expect(() => receiver.handleFrame(frame)).toThrow(
      expect.objectContaining({ code: 'invalid-message' }),
    );
    expect(receiver.receivedBytes).toBe(0);
  });

  it('a chunk before it was accepted, and a beginning elsewhere', () => {
    const receiver = new FileReceiver({ transfer: 1, lengthBytes: 10, createHash });
    const chunk: FileFrame = { ...common, type: 'chunk', bytes: new Uint8Array(1) };
    expect(() => receiver.handleFrame(chunk)).toThrow();
    receiver.accept();
    expect(() => receiver.handleFrame({ ...common, type: 'begin', offset: 5 })).toThrow();
  });

  it('to a sender', () => {
    const sender = new FileSender({ ...common, name: 'x', key: KEY, lengthBytes: 10, createHash });
    const accept = { ...common, type: 'accept', checksum: new Uint8Array(32) } as const;
    expect(() => sender.handleFrame({ ...accept, offset: 11 })).toThrow();
    expect(() => sender.handleFrame({ ...common, type: 'done' })).toThrow();
    sender.handleFrame({ ...accept, offset: 0 });
    expect(() => sender.handleFrame({ ...accept, offset: 0 })).toThrow();
  });

  it('never throw anything else, in any order', () => {
    const frame = fc.constantFrom<FileFrame>(
      ...frames,
      { ...common, type: 'refuse', reason: 'declined' },
      { ...common, type: 'cancel', reason: 'cancelled' },
      { ...common, type: 'chunk', bytes: new Uint8Array(3) },
    );
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), (all) => {
        for (const end of [
          new FileReceiver({ transfer: 1, lengthBytes: 10, createHash }),
          new FileSender({ ...common, name: 'x', key: KEY, lengthBytes: 10, createHash }),
        ]) {
          for (const one of all) {
            try {
              end.handleFrame(one);
            } catch (error) {
              expect(error).toMatchObject({ code: 'invalid-message' });
            }
          }
        }
      }),
    );
  });
});
