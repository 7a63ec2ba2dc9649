import { setTimeout as sleep } from 'node:timers/promises';
import type { Terminal } from '../cli/terminal.ts';
import type { Customers } from './customers.ts';
import { type Figures, readFigures } from './figures.ts';
import type { ThrowawayShop } from './throwaway-shop.ts';

/** Where the acts of a demonstration play. */
export interface Stage {
  readonly shop: ThrowawayShop;
  readonly customers: Customers;
  readonly out: Terminal;
  /** Somebody has had enough. */
  readonly signal: AbortSignal;
  figures(): Promise<Figures>;
  /** Milliseconds of the script, as they are at the speed that was asked for. */
  scaled(ms: number): number;
  /** A line that says how things are, with the time since the act began. */
  tell(text: string): void;
  /** A new act: its time begins now. */
  act(title: string, ...about: readonly string[]): void;
  /** What must hold, and whether it does; the exit code hangs on it. */
  verify(holds: boolean, claim: string, otherwise?: string): void;
  /** Says each change of the state of these breakers, until it is stopped. */
  watch(policies: readonly string[]): { stop(): Promise<void> };
  /** Looks until something holds. @returns seconds that it took, or undefined when it did not come to it in a minute */
  until(holds: (figures: Figures) => boolean | Promise<boolean>): Promise<number | undefined>;
  readonly failed: number;
}

const LOOK_MS = 100;
const PATIENCE_MS = 60_000;

export interface StageInit extends Pick<Stage, 'shop' | 'customers' | 'out' | 'signal'> {
  readonly speed: number;
}

export function createStage({ shop, customers, out, speed, signal }: StageInit): Stage {
  let begunMs = performance.now();
  let acts = 0;
  let failed = 0;
  const figures = () => readFigures(shop.url);
  const pause = (ms: number) => sleep(ms, undefined, { signal });
  const tell = (text: string): void => {
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1).padStart(5);
    out.say(`  ${out.dim(`${seconds} s`)}  ${text}`);
  };
  const paint = (state: string) =>
    state === 'CLOSED' ? out.green(state) : state === 'OPEN' ? out.red(state) : out.yellow(state);
  return {
    shop,
    customers,
    out,
    signal,
    figures,
    tell,
    scaled: (ms) => ms / speed,
    get failed() {
      return failed;
    },
    act: (title, ...about) => {
      begunMs = performance.now();
      out.say('');
      out.say(out.bold(`${++acts}. ${title}`));
      for (const line of about) out.say(out.dim(`   ${line}`));
    },
    verify: (holds, claim, otherwise) => {
      if (!holds) failed++;
      out.say(`  ${holds ? out.green('✓') : out.red('✗')} ${claim}${holds || !otherwise ? '' : `: ${otherwise}`}`);
    },
    watch: (policies) => {
      const ended = new AbortController();
      const seen = new Map(policies.map((policy) => [policy, 'CLOSED']));
      const look = async (): Promise<void> => {
        const now = await figures();
        for (const [policy, before] of seen) {
          const state = now.breaker(policy);
          if (state !== before) tell(`breaker ${out.bold(policy)}: ${paint(before)} → ${paint(state)}`);
          seen.set(policy, state);
        }
      };
      const watching = (async () => {
        while (!ended.signal.aborted) {
          await look();
          await pause(LOOK_MS);
        }
        await look();
      })();
      // Heard when it is stopped.
      watching.catch(() => {});
      return {
        stop: () => {
          ended.abort();
          return watching;
        },
      };
    },
    until: async (holds) => {
      const fromMs = performance.now();
      while (performance.now() - fromMs < PATIENCE_MS) {
        if (await holds(await figures())) return (performance.now() - fromMs) / 1000;
        await pause(LOOK_MS);
      }
      return undefined;
    },
  };
}
