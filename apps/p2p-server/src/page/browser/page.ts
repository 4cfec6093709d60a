// The page that a browser takes part with: a form, a log, a line to type into. `#POOL` in the address joins that pool at once.
import { MAX_NAME_BYTES, MAX_TEXT_BYTES, printableLines, printableText } from '@bt/nat-punch';
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

addEventListener('pagehide', () => pool?.leave());

const asked = decodeURIComponent(location.hash.slice(1));
if (asked !== '') {
  element<HTMLInputElement>('pool').value = asked;
  void join(asked, undefined, undefined);
}

async function join(name: string, ownName: string | undefined, phrase: string | undefined) {
  if (name === '' || root.dataset.state !== 'new') return;
  if (ownName !== undefined && new TextEncoder().encode(ownName).length > MAX_NAME_BYTES) {
    note('That name is too long.');
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

function add(kind: 'said' | 'own' | 'note', text: string, who?: string): void {
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
}

function setState(state: string, text: string): void {
  root.dataset.state = state;
  status.textContent = text;
}

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}
