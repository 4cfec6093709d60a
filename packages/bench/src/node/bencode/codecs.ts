// The codecs side by side: each decodes as it does, and reads what a program would read.
import {
  type BencodeDict,
  type BencodeInput,
  BencodeList,
  type BencodeValue,
  decode,
  decodeDict,
  encode,
} from '@bt/bencode';
import { importNpmContender } from '../npm-contenders.ts';

export interface Codec {
  /** Decodes and visits every key and value: the sum of the integers and of the lengths. */
  readonly sumTorrent: (bytes: Uint8Array) => number;
  /** Decodes a message and reads t, y, q, id and target: the sum of the lengths. */
  readonly sumMessage: (bytes: Uint8Array) => number;
  readonly encode: (value: BencodeInput) => Uint8Array;
  /** The same value as this codec takes it; done before the clock starts. */
  readonly adapt: (value: BencodeInput) => BencodeInput;
}

export async function loadCodec(name: string): Promise<Codec> {
  if (name === 'ours') return ours;
  const module = (await importNpmContender(name)) as PlainCodec & { default?: PlainCodec };
  const codec = module.default ?? module;
  return {
    sumTorrent: (bytes) => sumPlain(codec.decode(bytes)),
    sumMessage: (bytes) => sumPlainMessage(codec.decode(bytes) as PlainDict),
    encode: (value) => codec.encode(value),
    adapt: name === 'bncode' ? withBuffers : (value) => value,
  };
}

const ours: Codec = {
  sumTorrent: (bytes) => sum(decode(bytes)),
  sumMessage: (bytes) => sumOurMessage(decodeDict(bytes)),
  encode,
  adapt: (value) => value,
};

function sum(value: BencodeValue): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return value.length;
  let total = 0;
  if (value instanceof BencodeList) {
    for (const item of value) total += sum(item);
    return total;
  }
  for (const [key, member] of value) total += key.length + sum(member);
  return total;
}

function sumOurMessage(message: BencodeDict): number {
  const isQuery = message.equals('y', 'q');
  const body = message.dict(isQuery ? 'a' : 'r')!;
  const method = isQuery ? message.text('q')!.length : 0;
  const target = body.bytes('target')?.length ?? 0;
  return message.bytes('t')!.length + method + body.bytes('id')!.length + target;
}

type PlainValue = number | Uint8Array | PlainValue[] | PlainDict;
type PlainDict = { [key: string]: PlainValue };

interface PlainCodec {
  readonly decode: (bytes: Uint8Array) => PlainValue;
  readonly encode: (value: BencodeInput) => Uint8Array;
}

function sumPlain(value: PlainValue): number {
  if (typeof value === 'number') return value;
  if (value instanceof Uint8Array) return value.length;
  let total = 0;
  if (Array.isArray(value)) {
    for (const item of value) total += sumPlain(item);
    return total;
  }
  for (const key in value) total += key.length + sumPlain(value[key]!);
  return total;
}

function sumPlainMessage(message: PlainDict): number {
  const isQuery = (message.y as Uint8Array)[0] === 0x71; // q
  const body = message[isQuery ? 'a' : 'r'] as Record<string, Uint8Array>;
  const method = isQuery ? (message.q as Uint8Array).length : 0;
  return (message.t as Uint8Array).length + method + body.id!.length + (body.target?.length ?? 0);
}

/** npm bncode takes byte strings as Buffer only. */
function withBuffers(value: BencodeInput): BencodeInput {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(withBuffers);
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value as Record<string, BencodeInput>);
  return Object.fromEntries(entries.map(([key, member]) => [key, withBuffers(member)]));
}
