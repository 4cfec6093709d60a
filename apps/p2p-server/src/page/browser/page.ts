// The page that a browser takes part with: a form, a log, a line to type into. `#POOL` in the address joins that pool at once.
import { isMemberName, MAX_TEXT_BYTES, printableLines, printableText } from '@bt/nat-punch';
import type { IncomingPageFile, PageFile } from './page-files.ts';
import { PagePool } from './page-pool.ts';
import type { Partner } from './partner.ts';

/** What is shown; beyond it the oldest goes. */
const MAX_LINES = 2000;
const MAX_LABEL_CHARACTERS = 32;

interface Line {
  readonly number: number;
  readonly text: string;
}

const root = document.documentElement;
const joinForm = element<HTMLFormElement>('join');
const sayForm = element<HTMLFormElement>('say');
const input = element<HTMLInputElement>('text');
const log = element<HTMLOListElement>('log');
const status = element<HTMLElement>('status');
const partnersText = element<HTMLElement>('partners');

let pool: PagePool | undefined;
const labels = new Map<Partner, string>();
const states = new Map<Partner, Partner['state']>();
/** Said before a partner was reached, for those whom the server has told of, or for the first one. */
const pending = new Map<Partner, Line[]>();
const early: Line[] = [];
let lines = 0;

joinForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const fields = new FormData(joinForm);
  const text = (name: string) => String(fields.get(name) ?? '').trim();
  void join(
    text('pool'),
    text('name') || undefined,
    String(fields.get('phrase') ?? '') || undefined,
  );
});

sayForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = input.value;
  if (text === '') return;
  if (new TextEncoder().encode(text).length > MAX_TEXT_BYTES) {
    note('That is too long to be said at once.');
    return;
  }
  input.value = '';
  say(text);
});

const fileInput = element<HTMLInputElement>('file');
element<HTMLButtonElement>('send').addEventListener('click', () => fileInput.click());
fileInput.addEventListener('change', () => {
  for (const file of fileInput.files ?? []) sendFile(file);
  fileInput.value = '';
});

// ICE may find a better way later.
setInterval(() => void showPartners(), 3000);

addEventListener('pagehide', () => pool?.leave());

const asked = poolOf(location.hash);
if (asked !== '') {
  element<HTMLInputElement>('pool').value = asked;
  void join(asked, undefined, undefined);
}

/** The pool that the address names behind `#`, also where it is no percent-encoding. */
function poolOf(hash: string): string {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return hash.slice(1);
  }
}

async function join(name: string, ownName: string | undefined, phrase: string | undefined) {
  if (name === '' || root.dataset.state !== 'new') return;
  if (ownName !== undefined && !isMemberName(ownName)) {
    note('That name is too long, or has control characters.');
    return;
  }
  setState('joining', 'Joining …');
  try {
    pool = await PagePool.join({
      pool: name,
      name: ownName,
      phrase,
      onJoined: () => {
        location.hash = encodeURIComponent(name);
        setState('joined', `Pool ${name}`);
        input.focus();
      },
      onWaiting: (ahead) =>
        setState(
          'waiting',
          ahead === 0
            ? 'The pool is full; you are next.'
            : `The pool is full; ${ahead} before you.`,
        ),
      onConnection: (isUp) => {
        if (root.dataset.state === 'joined')
          status.textContent = isUp ? `Pool ${name}` : 'The server is not reached; talk goes on.';
      },
      onChange: handleChange,
      onText: (partner, text) => {
        for (const line of printableLines(text))
          add('said', line, labels.get(partner) ?? 'partner');
      },
      onOffer: handleOffer,
      onPostponed: () =>
        note('Somebody came after too many wrong phrases, and has to wait ten minutes at most.'),
      onRefused: (reason) => setState('refused', printableText(reason)),
    });
  } catch (error) {
    setState(
      'refused',
      `This browser can't take part: ${error instanceof Error ? error.message : error}.`,
    );
  }
}

function say(text: string): void {
  lines += 1;
  const line = { number: lines, text };
  const all = [...(pool?.partners.values() ?? [])];
  const here = all.filter(({ wasOpen }) => wasOpen);
  for (const partner of all) if (!partner.wasOpen) pending.get(partner)?.push(line);
  if (here.length === 0) early.push(line);
  const isKept = here.map((partner) => partner.say(text)).every((kept) => kept);
  add('own', text, 'you');
  if (!isKept) note('Too much waits to be delivered; that line did not go to everybody.');
}

function sendFile(source: File): void {
  const here = [...(pool?.partners.values() ?? [])].filter(({ wasOpen }) => wasOpen);
  if (here.length === 0) note('Nobody is here to take a file.');
  for (const partner of here) {
    const file = partner.sendFile(source);
    if (file === undefined) note('Too many files are on their way.');
    else showFile(file, `To ${labels.get(partner) ?? 'partner'}`);
  }
}

function handleOffer(partner: Partner, file: IncomingPageFile): void {
  const item = showFile(file, `From ${labels.get(partner) ?? 'partner'}`);
  for (const [text, act] of [
    ['Take', () => file.accept()],
    ['Refuse', () => file.refuse()],
  ] as const) {
    const button = document.createElement('button');
    button.textContent = text;
    button.addEventListener('click', act);
    item.append(' ', button);
  }
}

/** A line that says how far the file is, and in the end has it. */
function showFile(file: PageFile, where: string): HTMLElement {
  const item = add('note', fileText(file, where));
  file.onChange = () => {
    if (file.state === 'offered') return;
    item.textContent = fileText(file, where);
    if (file.content === undefined || file.state !== 'done') return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file.content);
    link.download = file.name;
    link.textContent = 'Save';
    item.append(' ', link);
  };
  return item;
}

function fileText(
  { name, lengthBytes, doneBytes, state, reason }: PageFile,
  where: string,
): string {
  const what = `${where}: ${printableText(name)} (${sizeText(lengthBytes)})`;
  if (state === 'offered') return `${what} is offered.`;
  if (state === 'done') return `${what} is whole, and its checksum is right.`;
  if (state === 'failed') return `${what} did not come over (${reason ?? 'cancelled'}).`;
  return `${what}: ${lengthBytes === 0 ? 0 : Math.floor((doneBytes / lengthBytes) * 100)}%`;
}

function sizeText(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB'][power]}`;
}

function handleChange(partner: Partner): void {
  const before = states.get(partner);
  const labelBefore = labels.get(partner);
  states.set(partner, partner.state);
  if (before === undefined) pending.set(partner, []);
  labels.set(partner, labelOf(partner));
  const label = labels.get(partner)!;
  if (partner.state === 'open' && before !== 'open') {
    const waiting = pending.get(partner);
    if (waiting !== undefined) {
      pending.delete(partner);
      note(
        partner.isAuthenticated ? `${label} is here and knows the phrase.` : `${label} is here.`,
      );
      const all = new Set([...early.splice(0), ...waiting]);
      for (const { text } of [...all].sort((a, b) => a.number - b.number)) partner.say(text);
    } else note(`${label} is reached again.`);
  } else if (partner.state === 'connecting' && before === 'open') {
    note(`${label} is not reached; what you type is kept for them.`);
  } else if (partner.state === 'refused') {
    note('Somebody came with another phrase, and was not let in.');
  } else if (partner.state === 'closed' && partner.wasOpen) note(`${label} left.`);
  if (labelBefore !== undefined && labelBefore !== label && partner.wasOpen) {
    note(`${labelBefore} is now ${label}.`);
  }
  if (partner.state === 'closed' || partner.state === 'refused') {
    labels.delete(partner);
    states.delete(partner);
    pending.delete(partner);
  }
  void showPartners();
}

/** Who is here, how they are reached, and the code that both see. */
async function showPartners(): Promise<void> {
  const here = [...(pool?.partners.values() ?? [])].filter(({ wasOpen }) => wasOpen);
  const texts = await Promise.all(
    here.map(async (partner) => {
      const facts = [
        partner.state === 'open' ? await partner.pathKind() : 'not reached',
        partner.shortCode === undefined ? undefined : `code ${partner.shortCode}`,
      ].filter((fact) => fact !== undefined);
      return `${labels.get(partner) ?? 'partner'} (${facts.join(', ')})`;
    }),
  );
  partnersText.textContent = texts.join(' · ') || 'Nobody else is here yet.';
}

/** Its name, or `partner`; with a number where somebody else has that already. */
function labelOf(partner: Partner): string {
  const name = [...printableText(partner.name ?? '').trim()]
    .slice(0, MAX_LABEL_CHARACTERS)
    .join('');
  const wanted = name === '' ? 'partner' : name;
  const taken = new Set([...labels].filter(([one]) => one !== partner).map(([, label]) => label));
  for (let number = 1; ; number += 1) {
    const label = number === 1 ? wanted : `${wanted} ${number}`;
    if (!taken.has(label)) return label;
  }
}

function note(text: string): void {
  add('note', text);
}

function add(kind: 'said' | 'own' | 'note', text: string, who?: string): HTMLElement {
  const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
  const item = document.createElement('li');
  item.className = kind;
  if (who !== undefined) {
    const name = document.createElement('b');
    name.textContent = `${who}: `;
    item.append(name);
  }
  item.append(text);
  log.append(item);
  while (log.childElementCount > MAX_LINES) log.firstElementChild?.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
  return item;
}

function setState(state: string, text: string): void {
  root.dataset.state = state;
  status.textContent = text;
}

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}
