import { MAX_OVERRIDE_MS } from './breaker-operator.ts';
import { resilienceErrors } from './errors.ts';

/*
 * What operators ordered, merged without a leader.
 *
 * C1 Per key the highest version wins, everywhere and in whatever order commands come; equal versions are told apart by their text.
 * C2 A command ends when its time is over, and hearing of it again does not revive it.
 * C3 A command is given only against the version that its giver saw.
 */

export const OPERATOR_ACTIONS = ['isolate', 'release', 'disable', 'metrics_only'] as const;
export type OperatorAction = (typeof OPERATOR_ACTIONS)[number];

/** What an operator orders for one breaker on all instances. */
export interface OperatorCommand {
  readonly key: string;
  /**
   * - `isolate`: the target is not called.
   * - `disable`: it is called, and nothing is judged.
   * - `metrics_only`: it is called, and what would have been refused is counted.
   * - `release`: whatever was ordered before is over.
   */
  readonly action: OperatorAction;
  readonly version: number;
  readonly owner: string;
  readonly reason: string;
}

export interface HeldCommand extends OperatorCommand {
  /** Monotonic milliseconds of this process. */
  readonly untilMs: number;
}

export type OperatorOrder = Omit<OperatorCommand, 'version'> & { readonly ttlMs: number };

/** Longest names and texts that travel, in characters. */
export const MAX_NAME = 200;
export const MAX_TEXT = 500;

const isText = (value: unknown, max: number): boolean =>
  typeof value === 'string' && value.length > 0 && value.length <= max;
const refusal = (option: string, want: string, got: unknown) =>
  resilienceErrors.BAD_OPTION({ option: `command.${option}`, want, got: String(got) });

const textOf = (command: OperatorCommand): string =>
  JSON.stringify([command.action, command.owner, command.reason, command.key]);

/** Whether they order the same, however long it still lasts. */
export const isSameCommand = (one: OperatorCommand, other: OperatorCommand): boolean =>
  one.version === other.version && textOf(one) === textOf(other);

/** The one of two commands for a key that holds. Commutative, associative and idempotent. */
export function mergeCommands(one: HeldCommand, other: HeldCommand): HeldCommand {
  if (one.version !== other.version) return one.version > other.version ? one : other;
  const [mine, theirs] = [textOf(one), textOf(other)];
  if (mine !== theirs) return mine > theirs ? one : other;
  // The same command on two ways: the longer it was on its way, the later it seems to end.
  return one.untilMs <= other.untilMs ? one : other;
}

export interface OperatorCommands {
  /** @returns What holds now, when that is something else than before. */
  accept(command: HeldCommand, nowMs: number): HeldCommand | undefined;
  /**
   * The next command for a key; it holds once it is accepted.
   * @param expectedVersion Of the command that its giver saw; 0 for none.
   * @throws RESILIENCE_BAD_OPTION
   */
  draft(order: OperatorOrder, expectedVersion: number, nowMs: number): HeldCommand;
  /** The last command for the key, also when its time is over. */
  last(key: string): HeldCommand | undefined;
  /** The command for the key, if its time is not over. */
  active(key: string, nowMs: number): HeldCommand | undefined;
  all(): readonly HeldCommand[];
}

/** @param maxKeys Commands held; those whose time is over make room. */
export function createOperatorCommands(maxKeys = 1_024): OperatorCommands {
  const held = new Map<string, HeldCommand>();
  const accept = (command: HeldCommand, nowMs: number): HeldCommand | undefined => {
    const before = held.get(command.key);
    const after = before === undefined ? command : mergeCommands(before, command);
    if (after === before) return undefined;
    if (before === undefined && held.size >= maxKeys && !makeRoom(held, nowMs)) return undefined;
    held.set(command.key, after);
    return after;
  };
  return {
    accept,
    draft: ({ ttlMs, key, action, owner, reason }, expectedVersion, nowMs) => {
      const version = held.get(key)?.version ?? 0;
      if (version !== expectedVersion)
        throw refusal('expectedVersion', `${version}, the version that holds now: look again`, expectedVersion);
      if (!isText(key, MAX_NAME)) throw refusal('key', `a text of 1 to ${MAX_NAME} characters`, key);
      if (!isText(owner, MAX_TEXT)) throw refusal('owner', 'who orders it', owner);
      if (!isText(reason, MAX_TEXT)) throw refusal('reason', 'why it is ordered', reason);
      if (!OPERATOR_ACTIONS.includes(action)) throw refusal('action', OPERATOR_ACTIONS.join(', '), action);
      if (!(ttlMs > 0 && ttlMs <= MAX_OVERRIDE_MS))
        throw refusal('ttlMs', `above 0, at most ${MAX_OVERRIDE_MS}`, ttlMs);
      return { key, action, owner, reason, version: version + 1, untilMs: nowMs + ttlMs };
    },
    last: (key) => held.get(key),
    active: (key, nowMs) => {
      const command = held.get(key);
      return command !== undefined && nowMs < command.untilMs ? command : undefined;
    },
    all: () => [...held.values()],
  };
}

/** Lets go of the command that ended first. One that holds is never lost for a newer one. */
function makeRoom(held: Map<string, HeldCommand>, nowMs: number): boolean {
  let oldest: HeldCommand | undefined;
  for (const command of held.values())
    if (command.untilMs <= nowMs && (oldest === undefined || command.untilMs < oldest.untilMs)) oldest = command;
  return oldest !== undefined && held.delete(oldest.key);
}
