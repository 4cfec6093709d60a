import { describe, expect, test } from 'vitest';
import {
  Picker,
  PickerError,
  type PickerErrorCode,
  type PickerOptions,
  type PickOptions,
} from '../src/index.ts';
import { assertInvariants } from '../src/invariants.ts';
import { createRandom } from './random.ts';

function createPicker(pieceCount: number, options: Partial<PickerOptions> = {}): Picker {
  return new Picker({
    pieceCount,
    blockCount: () => 4,
    random: createRandom(1),
    rarestFirst: true,
    endGame: true,
    ...options,
  });
}

function seedOf(picker: Picker): number {
  const peer = picker.addPeer();
  picker.peerHaveAll(peer);
  return peer;
}

function pick(picker: Picker, peer: number, count: number, options?: PickOptions): string[] {
  const chosen: string[] = [];
  picker.pick(peer, count, (p, b) => chosen.push(`${p}:${b}`), options);
  return chosen;
}

const ignore = (): void => {};

function piecesOf(blocks: readonly string[]): Set<string> {
  return new Set(blocks.map((block) => block.split(':')[0]!));
}

describe('a block', () => {
  test('is asked for, comes, and its piece passes', () => {
    const picker = createPicker(1);
    const peer = seedOf(picker);
    expect(picker.isInteresting(peer)).toBe(true);
    expect(pick(picker, peer, 10)).toEqual(['0:0', '0:1', '0:2', '0:3']);
    expect(picker.isRequested(peer, 0, 2)).toBe(true);
    for (let b = 0; b < 4; b += 1) {
      expect(picker.isFull(0)).toBe(false);
      expect(picker.markReceived(peer, 0, b, ignore)).toBe('accepted');
    }
    expect(picker.isFull(0)).toBe(true);
    expect(picker.isComplete).toBe(false);
    picker.piecePassed(0);
    expect(picker).toMatchObject({ isComplete: true, missingCount: 0, wantedMissing: 0 });
    expect(picker.isInteresting(peer)).toBe(false);
    expect(picker.outstanding(peer)).toBe(0);
  });

  test('that is rejected is free for another peer', () => {
    const picker = createPicker(1);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    pick(picker, a, 4);
    picker.releaseRequest(a, 0, 1);
    picker.releaseRequest(a, 0, 1);
    expect(picker.isRequested(a, 0, 1)).toBe(false);
    expect(pick(picker, b, 1)).toEqual(['0:1']);
  });

  test('that comes late, after its request was released, is taken', () => {
    const picker = createPicker(1);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    pick(picker, a, 1);
    picker.releaseAll(a);
    expect(picker.openPieceCount).toBe(0);
    pick(picker, b, 1);
    const cancelled: number[] = [];
    expect(picker.markReceived(a, 0, 0, (peer) => cancelled.push(peer))).toBe('accepted');
    expect(cancelled).toEqual([b]);
    expect(picker.markReceived(b, 0, 0, ignore)).toBe('duplicate');
  });

  test('that comes twice is counted in blocks and bytes', () => {
    const picker = createPicker(2, { blockLength: (_, b) => (b === 3 ? 100 : 16_384) });
    const peer = seedOf(picker);
    picker.markReceived(peer, 0, 3, ignore);
    picker.markReceived(peer, 0, 3, ignore);
    picker.markHave(1);
    picker.markReceived(peer, 1, 0, ignore);
    expect(picker.statistics).toMatchObject({
      receivedBlocks: 1,
      duplicateBlocks: 2,
      duplicateBytes: 16_484,
    });
  });

  test('of a peer that is gone is free', () => {
    const picker = createPicker(1);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    pick(picker, a, 4);
    picker.removePeer(a);
    expect(pick(picker, b, 4)).toHaveLength(4);
    assertInvariants(picker);
  });
});

describe('a piece asked for as a whole', () => {
  const pickPiece = (picker: Picker, peer: number, piece: number, options?: PickOptions) => {
    const chosen: number[] = [];
    picker.pickPiece(peer, piece, (_, block) => chosen.push(block), options);
    return chosen;
  };

  test('is asked for from its first block to its last, but for those asked of others', () => {
    const picker = createPicker(3);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    expect(picker.isFresh(1)).toBe(true);
    expect(pickPiece(picker, a, 1)).toEqual([0, 1, 2, 3]);
    expect(picker.isFresh(1)).toBe(false);
    picker.releaseRequest(a, 1, 2);
    expect(pickPiece(picker, b, 1)).toEqual([2]);
    expect(pickPiece(picker, b, 1)).toEqual([]);
    assertInvariants(picker);
  });

  test('is left to the peer alone that is on parole', () => {
    const picker = createPicker(2);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    expect(pickPiece(picker, a, 0, { parole: true })).toHaveLength(4);
    picker.releaseRequest(a, 0, 3);
    expect(pickPiece(picker, b, 0)).toEqual([]);
    expect(pickPiece(picker, a, 0, { parole: true })).toEqual([3]);
  });

  test('is not asked of a peer that lacks it, nor when it is had or not wanted', () => {
    const picker = createPicker(3);
    const peer = picker.addPeer();
    picker.peerHave(peer, 1);
    picker.peerHave(peer, 2);
    picker.markHave(1);
    picker.setPiecePriority(2, 0);
    for (const piece of [0, 1, 2]) expect(pickPiece(picker, peer, piece)).toEqual([]);
    expect([0, 1, 2].map((piece) => picker.isFresh(piece))).toEqual([true, false, false]);
    expect(() => pickPiece(picker, peer, 3)).toThrow(PickerError);
  });

  test('that is urgent is known until all of it is asked for', () => {
    const picker = createPicker(100);
    const peer = seedOf(picker);
    expect(picker.firstUrgent).toBeUndefined();
    for (const piece of [70, 40]) picker.setPiecePriority(piece, 7);
    expect(picker.firstUrgent).toBe(40);
    pickPiece(picker, peer, 40);
    expect(picker.firstUrgent).toBe(70);
    picker.releaseRequest(peer, 40, 0);
    expect(picker.firstUrgent).toBe(40);
  });
});

describe('resume', () => {
  test('pieces and blocks found on disk are not asked for', () => {
    const picker = createPicker(3);
    picker.markHave(0);
    picker.markBlockHave(1, 0);
    picker.markBlockHave(1, 2);
    const peer = seedOf(picker);
    expect(picker.hasPiece(0)).toBe(true);
    expect(picker.hasBlock(1, 2)).toBe(true);
    expect(picker.hasBlock(1, 1)).toBe(false);
    expect(pick(picker, peer, 2)).toEqual(['1:1', '1:3']);
    expect(picker.missingCount).toBe(2);
  });

  test('a damaged piece is wanted again', () => {
    const picker = createPicker(2);
    for (const p of [0, 1]) picker.markHave(p);
    const peer = seedOf(picker);
    const leecher = picker.addPeer();
    picker.peerHave(leecher, 1);
    expect(picker.isInteresting(leecher)).toBe(false);
    picker.loseHave(1);
    expect(picker.isComplete).toBe(false);
    expect(picker.isInteresting(leecher)).toBe(true);
    expect(pick(picker, peer, 9)).toHaveLength(4);
  });

  test('a piece whose buffers are lost is wanted again, from anybody', () => {
    const picker = createPicker(1);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    pick(picker, a, 4);
    picker.markReceived(a, 0, 0, ignore);
    picker.forgetPiece(0);
    expect(picker.outstanding(a)).toBe(0);
    expect([...pick(picker, a, 2), ...pick(picker, b, 2)]).toEqual(['0:0', '0:1', '0:2', '0:3']);
  });
});

describe('padding', () => {
  const behindTheFirst = (_: number, block: number): boolean => block > 0;

  test('is asked of nobody, and counts as received', () => {
    const picker = createPicker(2, { isPadding: behindTheFirst, sequential: true });
    const peer = seedOf(picker);
    expect(pick(picker, peer, 10)).toEqual(['0:0', '1:0']);
    expect(picker.inEndGame).toBe(true);
    expect(pick(picker, seedOf(picker), 10)).toHaveLength(2);
    expect(picker.markReceived(peer, 0, 0, ignore)).toBe('accepted');
    expect(picker.isFull(0)).toBe(true);
    expect(picker.statistics).toMatchObject({ receivedBlocks: 1, duplicateBlocks: 0 });
  });

  test('is still padding when its piece has failed, and when a request was taken back', () => {
    const picker = createPicker(1, { isPadding: behindTheFirst });
    const peer = seedOf(picker);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect(pick(picker, peer, 10)).toEqual(['0:0']);
      picker.releaseRequest(peer, 0, 0);
      expect(picker.openPieceCount).toBe(0);
      picker.markReceived(peer, 0, 0, ignore);
      picker.pieceFailed(0);
      assertInvariants(picker);
    }
  });

  test('that comes all the same is a duplicate and begins no piece', () => {
    const picker = createPicker(1, { isPadding: behindTheFirst });
    const peer = seedOf(picker);
    expect(picker.hasBlock(0, 3)).toBe(true);
    expect(picker.markReceived(peer, 0, 3, ignore)).toBe('duplicate');
    picker.markBlockHave(0, 3);
    expect(picker.openPieceCount).toBe(0);
    assertInvariants(picker);
  });

  test('fills a piece of nothing else', () => {
    const picker = createPicker(2, { isPadding: (p) => p === 1 });
    picker.markBlockHave(1, 0);
    expect(picker.isFull(1)).toBe(true);
    const peer = seedOf(picker);
    expect(pick(picker, peer, 10)).toEqual(['0:0', '0:1', '0:2', '0:3']);
    assertInvariants(picker);
    picker.pieceFailed(1);
    expect(pick(picker, peer, 10)).toEqual([]);
    assertInvariants(picker);
    picker.piecePassed(1);
    expect(picker.missingCount).toBe(1);
  });
});

describe('a piece that failed its hash', () => {
  function failed(options: Partial<PickerOptions> = {}): {
    picker: Picker;
    a: number;
    b: number;
  } {
    const picker = createPicker(1, options);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    pick(picker, a, 2);
    pick(picker, b, 2);
    for (let i = 0; i < 4; i += 1) picker.markReceived(i < 2 ? a : b, 0, i, ignore);
    picker.pieceFailed(0);
    return { picker, a, b };
  }

  test('is downloaded again from one peer alone', () => {
    const { picker, a, b } = failed();
    expect(pick(picker, b, 2)).toEqual(['0:0', '0:1']);
    expect(pick(picker, a, 4)).toEqual([]);
    expect(pick(picker, b, 4)).toEqual(['0:2', '0:3']);
    expect(pick(picker, a, 4)).toEqual([]); // no end game for it either
    expect(picker.statistics.failedPieces).toBe(1);
  });

  test('goes to another peer when the first one lets it down', () => {
    const { picker, a, b } = failed();
    pick(picker, b, 4);
    picker.markReceived(b, 0, 0, ignore);
    picker.releaseAll(b);
    expect(pick(picker, a, 4)).toEqual(['0:1', '0:2', '0:3']);
    expect(pick(picker, b, 4)).toEqual([]);
  });

  test('is not held up by a slow peer', () => {
    const { picker, a, b } = failed();
    expect(pick(picker, b, 1, { slow: true })).toEqual(['0:0']);
    expect(pick(picker, a, 4)).toEqual(['0:1', '0:2', '0:3']);
  });

  test('goes to another peer when the first one’s last request is given up', () => {
    const { picker, a, b } = failed();
    pick(picker, b, 2);
    picker.releaseRequest(b, 0, 0);
    expect(pick(picker, a, 4)).toEqual([]);
    picker.markReceived(b, 0, 0, ignore);
    picker.releaseRequest(b, 0, 1);
    expect(pick(picker, a, 4)).toEqual(['0:1', '0:2', '0:3']);
  });

  test('goes to another peer when the first one chokes us', () => {
    const { picker, a, b } = failed();
    pick(picker, b, 1);
    picker.markReceived(b, 0, 0, ignore);
    expect(pick(picker, a, 4)).toEqual([]);
    pick(picker, b, 1, { allowedFastOnly: true });
    expect(pick(picker, a, 4)).toEqual(['0:1', '0:2', '0:3']);
  });

  test('begins anew with another peer, where the owner of the picker lets that one have it', () => {
    const asked: string[] = [];
    let isLate = false;
    const takeOver = (pieceIndex: number, owner: number, newcomer: number): boolean => {
      asked.push(`${pieceIndex}:${owner}:${newcomer}`);
      return isLate;
    };
    const { picker, a, b } = failed({ takeOver });
    pick(picker, b, 3);
    picker.markReceived(b, 0, 0, ignore);
    expect(picker.mayReceive(b, 0)).toBe(true);
    expect(picker.mayReceive(a, 0)).toBe(false);
    expect(pick(picker, a, 2)).toEqual([]);
    expect(asked).toEqual([`0:${b}:${a}`]);
    isLate = true;
    expect(pick(picker, a, 2)).toEqual(['0:0', '0:1']);
    expect(picker.outstanding(b)).toBe(0);
    expect(picker.hasBlock(0, 0)).toBe(false);
    expect(picker.mayReceive(a, 0)).toBe(true);
    expect(picker.mayReceive(b, 0)).toBe(false);
    assertInvariants(picker);
    isLate = false;
    expect(pick(picker, a, 2)).toEqual(['0:2', '0:3']);
    expect(pick(picker, b, 4)).toEqual([]);
  });

  test('is not offered to a slow peer, a choking one, or one that lacks it', () => {
    const { picker, a, b } = failed({ takeOver: () => true });
    pick(picker, b, 4);
    expect(pick(picker, a, 4, { slow: true })).toEqual([]);
    picker.peerAllowedFast(a, 0);
    expect(pick(picker, a, 4, { allowedFastOnly: true })).toEqual([]);
    picker.peerHaveNone(a);
    expect(pick(picker, a, 4)).toEqual([]);
  });

  test('takes no block of anybody before a peer is asked for it', () => {
    const { picker, a, b } = failed();
    expect([picker.mayReceive(a, 0), picker.mayReceive(b, 0)]).toEqual([false, false]);
    pick(picker, a, 1);
    expect([picker.mayReceive(a, 0), picker.mayReceive(b, 0)]).toEqual([true, false]);
    picker.piecePassed(0);
    expect(picker.mayReceive(b, 0)).toBe(true);
  });

  test('may be allowed by a choking peer while its supplier, who is gone, is not judged yet', () => {
    const { picker, a, b } = failed();
    pick(picker, b, 4);
    for (let i = 0; i < 4; i += 1) picker.markReceived(b, 0, i, ignore);
    picker.removePeer(b);
    picker.peerAllowedFast(a, 0);
    expect(pick(picker, a, 4, { allowedFastOnly: true })).toEqual([]);
  });

  test('is like any other once it has passed and is lost again', () => {
    const { picker, a, b } = failed();
    picker.markHave(0);
    picker.loseHave(0);
    expect([...pick(picker, a, 2), ...pick(picker, b, 2)]).toHaveLength(4);
  });
});

describe('parole', () => {
  const parole = { parole: true };

  test('a piece that a suspected peer holds alone is there for others only when there is nothing else', () => {
    const picker = createPicker(2, { takeOver: () => true, randomFirstPieces: 0 });
    const [suspect, other] = [seedOf(picker), seedOf(picker)];
    const [own] = pick(picker, suspect, 1, parole).map((block) => block.split(':')[0]);
    const first = pick(picker, other, 4);
    expect(piecesOf(first)).toEqual(new Set([own === '0' ? '1' : '0']));
    expect(piecesOf(pick(picker, other, 4))).toEqual(new Set([own]));
    assertInvariants(picker);
    expect(pick(picker, suspect, 4, parole)).toEqual([]);
  });

  test('an urgent piece that a suspected peer holds alone comes before everything else', () => {
    const picker = createPicker(3, { takeOver: () => true });
    const [suspect, other] = [seedOf(picker), seedOf(picker)];
    picker.setPiecePriority(1, 7);
    expect(pick(picker, suspect, 4, parole)).toHaveLength(4);
    expect(piecesOf(pick(picker, other, 4))).toEqual(new Set(['1']));
  });

  test('two suspected peers take pieces over of each other, whole', () => {
    const picker = createPicker(1, { takeOver: () => true });
    const [a, b] = [seedOf(picker), seedOf(picker)];
    pick(picker, a, 2, parole);
    expect(pick(picker, b, 2, parole)).toEqual(['0:0', '0:1']);
    expect(picker.mayReceive(a, 0)).toBe(false);
    expect(pick(picker, b, 4, parole)).toEqual(['0:2', '0:3']);
  });

  test('a suspected peer gets pieces of its own, whole, and nobody else a block of them', () => {
    const picker = createPicker(10);
    const [suspect, other] = [seedOf(picker), seedOf(picker)];
    const [joint] = pick(picker, other, 1);
    const own = pick(picker, suspect, 6, parole);
    expect(piecesOf(own).size).toBe(2);
    expect(piecesOf(own)).not.toContain(joint!.split(':')[0]);
    const others = piecesOf(pick(picker, other, 100));
    for (const p of piecesOf(own)) expect(others).not.toContain(p);
    expect(
      pick(picker, suspect, 2, parole).every((block) => piecesOf(own).has(block.split(':')[0]!)),
    ).toBe(true);
  });

  test('does not hold up the download: the only peer that has a begun piece finishes it', () => {
    const picker = createPicker(1);
    const [gone, suspect] = [seedOf(picker), seedOf(picker)];
    pick(picker, gone, 2);
    picker.markReceived(gone, 0, 0, ignore);
    expect(pick(picker, suspect, 4, parole)).toEqual([]);
    picker.removePeer(gone);
    expect(pick(picker, suspect, 4, parole)).toEqual(['0:1', '0:2', '0:3']);
  });
});

describe('a peer that chokes us', () => {
  test('is asked for allowed pieces only (BEP 6)', () => {
    const picker = createPicker(100);
    const peer = seedOf(picker);
    const options = { allowedFastOnly: true };
    expect(pick(picker, peer, 5, options)).toEqual([]);
    picker.peerAllowedFast(peer, 70);
    picker.peerAllowedFast(peer, 70);
    picker.peerAllowedFast(peer, 30);
    expect(pick(picker, peer, 6, options)).toEqual([
      '70:0',
      '70:1',
      '70:2',
      '70:3',
      '30:0',
      '30:1',
    ]);
    expect(pick(picker, peer, 6, options)).toEqual(['30:2', '30:3']);
    expect(pick(picker, peer, 6, options)).toEqual([]);
  });

  test('may allow no more than 64 pieces', () => {
    const picker = createPicker(100, { blockCount: () => 1 });
    const peer = seedOf(picker);
    for (let p = 0; p < 100; p += 1) picker.peerAllowedFast(peer, p);
    expect(pick(picker, peer, 100, { allowedFastOnly: true })).toHaveLength(64);
  });

  test('is not asked for an allowed piece it does not have', () => {
    const picker = createPicker(100);
    const peer = picker.addPeer();
    picker.peerHave(peer, 1);
    picker.peerAllowedFast(peer, 2);
    expect(pick(picker, peer, 5, { allowedFastOnly: true })).toEqual([]);
  });
});

describe('a slow peer', () => {
  const slow = { slow: true };

  test('begins two pieces at most', () => {
    const picker = createPicker(100);
    const peer = seedOf(picker);
    expect(pick(picker, peer, 100, slow)).toHaveLength(8);
    expect(picker.openPieceCount).toBe(2);
    for (let b = 0; b < 4; b += 1) {
      const [p] = [...Array(100).keys()].filter((i) => picker.isRequested(peer, i, b));
      picker.markReceived(peer, p!, b, ignore);
    }
    expect(pick(picker, peer, 100)).not.toEqual([]);
  });

  test('gets urgent pieces only when it has no others', () => {
    const picker = createPicker(3);
    picker.setPiecePriority(1, 7);
    const peer = seedOf(picker);
    const chosen = pick(picker, peer, 4, slow);
    expect(chosen.some((block) => block.startsWith('1:'))).toBe(false);
    const only = picker.addPeer();
    picker.peerHave(only, 1);
    expect(pick(picker, only, 4, slow)).toEqual(['1:0', '1:1', '1:2', '1:3']);
  });

  test('takes no part in the end game', () => {
    const picker = createPicker(1);
    const [fast, peer] = [seedOf(picker), seedOf(picker)];
    pick(picker, fast, 4);
    expect(pick(picker, peer, 4, slow)).toEqual([]);
    expect(pick(picker, peer, 4)).toHaveLength(4);
  });
});

describe('a peer with nothing to do finds something again', () => {
  test('when pieces have passed and more may be begun', () => {
    const picker = createPicker(10, { maxOpenPieces: 1 });
    const [a, b] = [seedOf(picker), seedOf(picker)];
    const first = pick(picker, a, 8);
    expect(first).toHaveLength(4);
    const second = pick(picker, b, 8); // idle, so it may begin a second piece
    expect(second).toHaveLength(4);
    expect(pick(picker, b, 8)).toEqual([]);
    for (const block of [...first, ...second.slice(1)]) {
      const [p, i] = block.split(':').map(Number);
      picker.markReceived(a, p!, i!, ignore);
    }
    picker.piecePassed(Number(first[0]!.split(':')[0]));
    picker.markReceived(a, Number(second[0]!.split(':')[0]), 0, ignore);
    expect(pick(picker, b, 8)).toHaveLength(4);
  });

  test('when the peer that held a piece alone turns slow', () => {
    const picker = createPicker(1);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    pick(picker, a, 1, { parole: true });
    expect(pick(picker, b, 4)).toEqual([]);
    pick(picker, a, 0, { slow: true });
    expect(pick(picker, b, 4)).toEqual(['0:1', '0:2', '0:3']);
  });

  test('when the peer that held a piece alone was given up', () => {
    const picker = createPicker(1);
    const [a, b] = [seedOf(picker), seedOf(picker)];
    pick(picker, a, 1, { parole: true });
    picker.markReceived(a, 0, 0, ignore);
    expect(pick(picker, b, 4)).toEqual([]);
    picker.releaseAll(a);
    expect(pick(picker, b, 4)).toEqual(['0:1', '0:2', '0:3']);
  });

  test('when there was nothing to race for, and another peer begins a piece', () => {
    const picker = createPicker(2, { bbsPlus: true, maxOpenPieces: 1 });
    const [a, b] = [seedOf(picker), seedOf(picker)];
    expect(pick(picker, a, 9)).toHaveLength(4);
    expect(pick(picker, a, 9)).toEqual([]);
    picker.peerHaveNone(b);
    const [begun] = [0, 1].filter((p) => picker.isRequested(a, p, 0));
    picker.peerHave(b, 1 - begun!);
    expect(pick(picker, b, 4)).toHaveLength(4);
    expect(pick(picker, a, 9)).toHaveLength(4);
  });

  test('when it says anew what it has, nothing of what it had before is asked of it', () => {
    const picker = createPicker(20);
    const peer = seedOf(picker);
    const [first] = pick(picker, peer, 1);
    const p = Number(first!.split(':')[0]);
    picker.peerHaveNone(peer);
    picker.peerHave(peer, (p + 1) % 20);
    expect(pick(picker, peer, 1)).toEqual([`${(p + 1) % 20}:0`]);
  });

  test('among very many begun pieces', () => {
    const picker = createPicker(300);
    for (let p = 0; p < 299; p += 1) picker.markBlockHave(p, 0);
    for (const p of [5, 150, 298]) {
      const peer = picker.addPeer();
      picker.peerHave(peer, p);
      expect(pick(picker, peer, 9)).toEqual([`${p}:1`, `${p}:2`, `${p}:3`]);
    }
  });
});

describe('a begun piece is left aside for a much rarer one', () => {
  function begun(priorityOfRare: number, others = 5): string[] {
    const picker = createPicker(40, { randomFirstPieces: 0 });
    for (let i = 0; i < others; i += 1) {
      const peer = picker.addPeer();
      for (let p = 0; p < 20; p += 1) picker.peerHave(peer, p);
    }
    picker.markBlockHave(3, 0);
    if (others > 5) for (let p = 4; p < 20; p += 1) picker.markBlockHave(p, 0);
    picker.setPiecePriority(30, priorityOfRare);
    for (let p = 0; p < 20; p += 1) if (others <= 5 && p !== 3) picker.markHave(p);
    const holder = picker.addPeer();
    for (const p of [...Array(20).keys(), 30]) picker.peerHave(holder, p);
    return pick(picker, holder, 1).map((block) => block.split(':')[0]!);
  }

  test('if that has no lower priority', () => {
    expect(begun(4)).toEqual(['30']);
    expect(begun(3)).toEqual(['3']);
  });

  test('unless many pieces are begun', () => {
    expect(begun(4, 6)).not.toEqual(['30']);
  });
});

describe('a torrent of nothing', () => {
  test('is complete', () => {
    const picker = createPicker(0);
    const peer = picker.addPeer();
    picker.peerBitfield(peer, new Uint8Array(0));
    expect(picker.isComplete).toBe(true);
    expect(picker.isInteresting(peer)).toBe(false);
    expect(pick(picker, peer, 1)).toEqual([]);
    picker.removePeer(peer);
    assertInvariants(picker);
  });
});

describe('mistakes of the caller', () => {
  const wrong: [string, PickerErrorCode, (picker: Picker, peer: number) => void][] = [
    ['an unknown peer', 'unknown-peer', (picker) => picker.pick(9, 1, ignore)],
    [
      'a removed peer',
      'unknown-peer',
      (picker, peer) => {
        picker.removePeer(peer);
        picker.peerHave(peer, 0);
      },
    ],
    ['a piece beyond the last', 'piece-out-of-range', (picker, peer) => picker.peerHave(peer, 3)],
    ['a negative piece', 'piece-out-of-range', (picker) => picker.markHave(-1)],
    ['half a piece', 'piece-out-of-range', (picker) => picker.availability(0.5)],
    [
      'a block beyond the last',
      'block-out-of-range',
      (picker, peer) => picker.markReceived(peer, 0, 4, ignore),
    ],
    [
      'a short bitfield',
      'bad-argument',
      (picker, peer) => picker.peerBitfield(peer, new Uint8Array(0)),
    ],
    ['priority 8', 'bad-argument', (picker) => picker.setPiecePriority(0, 8)],
  ];

  test.each(wrong)('%s is told by its code and changes nothing', (_, code, act) => {
    const picker = createPicker(3);
    const peer = seedOf(picker);
    let error: unknown;
    try {
      act(picker, peer);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(PickerError);
    expect((error as PickerError).code).toBe(code);
    assertInvariants(picker);
    expect(picker.missingCount).toBe(3);
  });

  test('a piece without blocks', () => {
    const picker = createPicker(1, { blockCount: () => 0 });
    const peer = seedOf(picker);
    expect(() => picker.pick(peer, 1, ignore)).toThrow(PickerError);
  });

  test('a count of pieces that is none', () => {
    expect(() => createPicker(-1)).toThrow(PickerError);
    expect(() => createPicker(1.5)).toThrow(PickerError);
  });
});
