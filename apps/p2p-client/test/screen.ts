// As much of a terminal as readline makes use of: what is on its rows, and where the cursor is.

const SEQUENCE = /^.\[(\d*)([ABCDGJK])/s;

export class Screen {
  readonly #columns: number;
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** Without what is blank at their ends. */
  get rows(): string[] {
    return this.#rows.map((row) =>
      Array.from(row, (cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  write(text: string): void {
    for (let rest = text; rest !== ''; ) {
      const sequence = rest.startsWith('\u001b') ? SEQUENCE.exec(rest) : null;
      if (sequence !== null) {
        this.#obey(sequence[2]!, sequence[1] === '' ? undefined : Number(sequence[1]));
        rest = rest.slice(sequence[0].length);
        continue;
      }
      const character = String.fromCodePoint(rest.codePointAt(0)!);
      this.#put(character);
      rest = rest.slice(character.length);
    }
  }

  #put(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') {
      this.#column = 0;
      this.#down();
    } else {
      const isWide = character >= '\u1100';
      if (this.#column + (isWide ? 2 : 1) > this.#columns) {
        this.#column = 0;
        this.#down();
      }
      const row = this.#rows[this.#row]!;
      row[this.#column] = character;
      if (isWide) row[this.#column + 1] = '';
      this.#column += isWide ? 2 : 1;
    }
  }

  #down(): void {
    this.#row += 1;
    if (this.#row === this.#rows.length) this.#rows.push([]);
  }

  #obey(command: string, count: number | undefined): void {
    const row = this.#rows[this.#row]!;
    if (command === 'A') this.#row = Math.max(0, this.#row - (count ?? 1));
    else if (command === 'B') for (let i = 0; i < (count ?? 1); i += 1) this.#down();
    else if (command === 'C')
      this.#column = Math.min(this.#columns - 1, this.#column + (count ?? 1));
    else if (command === 'D') this.#column = Math.max(0, this.#column - (count ?? 1));
    else if (command === 'G') this.#column = (count ?? 1) - 1;
    else if (command === 'K' && count === 2) row.length = 0;
    else if (command === 'K') row.length = Math.min(row.length, this.#column);
    else {
      row.length = Math.min(row.length, this.#column);
      this.#rows.length = this.#row + 1;
    }
  }
}
