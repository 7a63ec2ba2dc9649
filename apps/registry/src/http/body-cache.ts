import type { Rendered } from './rendering.ts';

/** Answers of reads, so that each is made once for all who ask for the same until something changes. */
export interface BodyCache {
  /** What was kept for this question at this index, else what `make` gives. */
  get(question: string, index: number, make: () => Rendered): Rendered;
}

interface Kept {
  readonly index: number;
  readonly rendered: Rendered;
  readonly bytes: number;
}

/** What an answer costs beside its body. */
const OVERHEAD_BYTES = 500;

/** @param maxBytes What all answers may take; those that were not asked for longest go first. */
export function createBodyCache(maxBytes: number): BodyCache {
  const kept = new Map<string, Kept>();
  let bytes = 0;

  const remove = (question: string): void => {
    bytes -= kept.get(question)?.bytes ?? 0;
    kept.delete(question);
  };

  return {
    get: (question, index, make) => {
      const known = kept.get(question);
      if (known !== undefined) {
        kept.delete(question);
        if (known.index === index) {
          kept.set(question, known);
          return known.rendered;
        }
        bytes -= known.bytes;
      }
      const rendered = make();
      const size = rendered.body.byteLength + question.length * 2 + OVERHEAD_BYTES;
      if (size > maxBytes) return rendered;
      kept.set(question, { index, rendered, bytes: size });
      bytes += size;
      for (const oldest of kept.keys()) {
        if (bytes <= maxBytes) break;
        remove(oldest);
      }
      return rendered;
    },
  };
}

/** Say how to answer, not what. */
const NOT_ASKED = new Set(['index', 'wait', 'token', 'dc', 'stale', 'consistent', 'leader', 'cached', 'near']);

/** What a read asks for: equal texts, equal answers. */
export function questionOf(rawPath: string, query: URLSearchParams): string {
  let question = rawPath;
  for (const [name, value] of query) {
    if (!NOT_ASKED.has(name)) question += `\n${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
  }
  return question;
}
