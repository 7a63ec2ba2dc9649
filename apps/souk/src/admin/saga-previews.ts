import type { Runtime } from '@souk/kernel';
import type { SagaAction } from '@souk/saga';
import { appErrors } from '../errors.ts';

/** Exactly these sagas, as they were. */
export interface SagaPreview {
  readonly action: SagaAction['action'];
  readonly sagas: readonly { readonly service: string; readonly id: string; readonly seq: number }[];
}

/** What operators were shown and may confirm: held in this process, for ten minutes, to be used once. */
export interface SagaPreviews {
  /** @returns the token that confirms it */
  keep(preview: SagaPreview): string;
  /** @throws APP_PREVIEW_GONE */
  take(token: string): SagaPreview;
}

const MINUTES = 10;
/** Previews that are held; of more the oldest go. */
const MOST = 50;

export function createSagaPreviews(runtime: Runtime): SagaPreviews {
  const kept = new Map<string, { readonly preview: SagaPreview; readonly untilMs: number }>();
  return {
    keep: (preview) => {
      const token = runtime.ids.uuid();
      kept.set(token, { preview, untilMs: runtime.clock.monotonicMs() + MINUTES * 60_000 });
      for (const oldest of [...kept.keys()].slice(0, -MOST)) kept.delete(oldest);
      return token;
    },
    take: (token) => {
      const found = kept.get(token);
      kept.delete(token);
      if (found !== undefined && runtime.clock.monotonicMs() < found.untilMs) return found.preview;
      throw appErrors.PREVIEW_GONE({ minutes: MINUTES });
    },
  };
}
