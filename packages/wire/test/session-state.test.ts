import { describe, expect, test } from 'vitest';
import { MAX_LATER_DECLARATIONS } from '../src/constants.ts';
import {
  type Agreement,
  MESSAGE_ID,
  type MessageName,
  SESSION_TABLE,
  Speaker,
  type SpeakerPhase,
} from '../src/index.ts';

const NAMES = Object.keys(MESSAGE_ID) as MessageName[];
const AGREEMENTS: Agreement[] = ['fast', 'extended', 'v2', 'pieces'];

function speakerIn(phase: SpeakerPhase, agreements: readonly Agreement[] = AGREEMENTS): Speaker {
  const speaker = new Speaker();
  for (const agreement of agreements) speaker.agree(agreement);
  if (phase !== 'handshake') speaker.greet();
  if (phase === 'declared') speaker.advance(MESSAGE_ID.have);
  return speaker;
}

const legal = (speaker: Speaker) =>
  NAMES.filter((name) => speaker.objection(MESSAGE_ID[name]) === undefined);

describe('what is legal', () => {
  test('nothing before the handshake', () => {
    expect(legal(speakerIn('handshake'))).toEqual([]);
    expect(speakerIn('handshake').objection(99)).toBe('out-of-turn');
  });

  test('everything after it, and have none before any other declaration', () => {
    expect(legal(speakerIn('undeclared'))).toEqual(NAMES);
    const after = NAMES.filter((name) => name !== 'haveNone');
    expect(legal(speakerIn('declared'))).toEqual(after);
    expect(speakerIn('declared').objection(MESSAGE_ID.haveNone)).toBe('out-of-turn');
    expect(speakerIn('declared').objection(99)).toBeUndefined();
  });

  test('each extension needs its agreement (BEP 6, 10, 52)', () => {
    const needing: Record<string, MessageName[]> = {
      fast: ['suggest', 'haveAll', 'haveNone', 'reject', 'allowedFast'],
      extended: ['extended'],
      v2: ['hashRequest', 'hashes', 'hashReject'],
      pieces: ['request', 'piece', 'cancel', 'reject'],
    };
    for (const absent of AGREEMENTS) {
      const speaker = speakerIn(
        'undeclared',
        AGREEMENTS.filter((agreement) => agreement !== absent),
      );
      const missing = needing[absent]!;
      expect(legal(speaker)).toEqual(NAMES.filter((name) => !missing.includes(name)));
      for (const name of missing) {
        expect(speaker.objection(MESSAGE_ID[name])).toBe(
          absent === 'pieces' ? 'out-of-turn' : 'not-negotiated',
        );
      }
    }
    expect(legal(speakerIn('undeclared', []))).toEqual([
      ...['choke', 'unchoke', 'interested', 'notInterested', 'have', 'bitfield', 'port'],
    ]);
  });
});

test('later declarations are legal a bounded number of times', () => {
  const speaker = speakerIn('undeclared');
  for (let count = 0; count <= MAX_LATER_DECLARATIONS; count += 1) {
    const messageId = count % 2 === 0 ? MESSAGE_ID.bitfield : MESSAGE_ID.haveAll;
    expect(speaker.objection(messageId)).toBeUndefined();
    speaker.advance(messageId);
  }
  expect(speaker.objection(MESSAGE_ID.bitfield)).toBe('out-of-turn');
  expect(speaker.objection(MESSAGE_ID.haveAll)).toBe('out-of-turn');
  expect(speaker.objection(MESSAGE_ID.have)).toBeUndefined();
});

describe('what a message does', () => {
  test('the first that tells of pieces declares', () => {
    for (const name of NAMES) {
      const speaker = speakerIn('undeclared');
      speaker.advance(MESSAGE_ID[name]);
      const declares = ['have', 'bitfield', 'haveAll', 'haveNone'].includes(name);
      expect(speaker.phase).toBe(declares ? 'declared' : 'undeclared');
    }
    const speaker = speakerIn('undeclared');
    speaker.advance(99);
    expect(speaker.phase).toBe('undeclared');
  });

  test('four turn the flags, which start as BEP 3 says', () => {
    const speaker = speakerIn('undeclared');
    const flags = () => [speaker.choking, speaker.interested];
    expect(flags()).toEqual([true, false]);
    for (const [name, expected] of [
      ['unchoke', [false, false]],
      ['unchoke', [false, false]],
      ['interested', [false, true]],
      ['choke', [true, true]],
      ['notInterested', [true, false]],
    ] as const) {
      speaker.advance(MESSAGE_ID[name]);
      expect(flags()).toEqual(expected);
    }
    expect(speaker.phase).toBe('undeclared');
  });

  test('an objection changes nothing, and nor does advance before the handshake', () => {
    const speaker = speakerIn('handshake');
    for (const name of NAMES) {
      speaker.objection(MESSAGE_ID[name]);
      speaker.advance(MESSAGE_ID[name]);
    }
    expect([speaker.phase, speaker.choking, speaker.interested]).toEqual([
      'handshake',
      true,
      false,
    ]);
  });

  test('a second greeting takes nothing back', () => {
    const speaker = speakerIn('declared');
    speaker.greet();
    expect(speaker.phase).toBe('declared');
  });
});

test('the table has a row for every message', () => {
  expect(Object.keys(SESSION_TABLE).sort()).toEqual([...NAMES].sort());
});
