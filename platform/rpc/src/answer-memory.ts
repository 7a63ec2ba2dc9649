import { type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf';

/** An answer that a handler gave more than once, with what it was encoded to. */
export interface KeptAnswer {
  readonly message: Message;
  proto?: Uint8Array;
  json?: string;
}

/**
 * Recognises answers that a handler gives again: the very same object. They are made into messages and encoded once, so nobody may
 * change them. Keeps no answer alive.
 */
export interface AnswerMemory {
  /** The message of a handler's answer: `make`, or what it made before of the same object. */
  messageOf(answer: object, make: (answer: object) => Message): Message;
  /** Where the encodings of a message are kept; undefined for one that came only once. */
  kept(message: Message): KeptAnswer | undefined;
}

export function createAnswerMemory(): AnswerMemory {
  /** `null` for what came once. */
  const answers = new WeakMap<object, KeptAnswer | null>();
  return {
    messageOf: (answer, make) => {
      // Handlers without types can answer with anything; `make` says what is wrong with it.
      if (typeof answer !== 'object' || answer === null) return make(answer);
      const known = answers.get(answer);
      if (known) return known.message;
      const message = make(answer);
      if (known === undefined) answers.set(answer, null);
      else {
        const kept = { message };
        answers.set(answer, kept);
        answers.set(message, kept);
      }
      return message;
    },
    kept: (message) => answers.get(message) ?? undefined,
  };
}

/** Whether a message has bytes at any depth: those would be shared by all who read one encoding of it. */
export function holdsBytes(desc: DescMessage, visited: Set<DescMessage> = new Set()): boolean {
  if (visited.has(desc)) return false;
  visited.add(desc);
  return desc.fields.some(
    (field) => field.scalar === ScalarType.BYTES || (field.message !== undefined && holdsBytes(field.message, visited)),
  );
}
