// Signals between the two of a pair, once and in order, although connections break and servers restart between them: what is sent is
// numbered from 1 and kept until the other side says that it has come.
import { MAX_UNACKNOWLEDGED_SIGNALS } from './rendezvous-limits.ts';
import type { SignalData, SignalMessage } from './rendezvous-message.ts';

/** A signal on its way; whoever sends it adds the peer. */
export type LaneMessage = Omit<SignalMessage, 'type' | 'peer'>;

export class SignalLane {
  readonly #unacknowledged: { readonly number: number; readonly data: SignalData }[] = [];
  #sent = 0;
  #received = 0;
  #owesAcknowledgement = false;

  /** Whether something has come that the other side has not been told of. */
  get owesAcknowledgement(): boolean {
    return this.#owesAcknowledgement;
  }

  get hasUnacknowledged(): boolean {
    return this.#unacknowledged.length > 0;
  }

  /** The message to send; `undefined` when so much is on its way already that this is dropped. */
  send(data: SignalData): LaneMessage | undefined {
    if (this.#unacknowledged.length >= MAX_UNACKNOWLEDGED_SIGNALS) return undefined;
    this.#sent += 1;
    const entry = { number: this.#sent, data };
    this.#unacknowledged.push(entry);
    return this.#stamp(entry);
  }

  /** All that the other side may not have, to be sent again. */
  resend(): LaneMessage[] {
    return this.#unacknowledged.map((entry) => this.#stamp(entry));
  }

  /** A message that only acknowledges. */
  acknowledge(): LaneMessage {
    this.#owesAcknowledgement = false;
    return { number: 0, acknowledged: this.#received };
  }

  /** What the other side has sent, if it is news: a repetition is not, nor what comes before its turn and will be repeated. */
  handle({ number, acknowledged, data }: LaneMessage): SignalData | undefined {
    // Nobody can have what was never sent.
    const known = Math.min(acknowledged, this.#sent);
    while (this.#unacknowledged.length > 0 && this.#unacknowledged[0]!.number <= known) {
      this.#unacknowledged.shift();
    }
    if (data === undefined) return undefined;
    this.#owesAcknowledgement = true;
    if (number !== this.#received + 1) return undefined;
    this.#received = number;
    return data;
  }

  #stamp(entry: { readonly number: number; readonly data: SignalData }): LaneMessage {
    this.#owesAcknowledgement = false;
    return { ...entry, acknowledged: this.#received };
  }
}
