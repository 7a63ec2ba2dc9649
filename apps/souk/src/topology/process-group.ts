import { fromUnknown, kernelErrors, type Runtime } from '@souk/kernel';
import { appErrors } from '../errors.ts';
import type { Child } from './child.ts';
import { ManagedProcess, type ProcessEvent } from './managed-process.ts';
import type { ProcessPlan } from './topology.ts';

export interface ProcessGroupInit {
  readonly plan: ProcessPlan;
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
  /** @param instance `orders-1` @param port 0: any */
  readonly spawn: (instance: string, port: number) => Child;
  readonly onChange?: (process: ManagedProcess, event: ProcessEvent) => void;
}

/** A new process that is not ready by then is taken for broken, and the old one stays. */
const READY_MS = 60_000;

/** All instances of one kind of process. */
export class ProcessGroup {
  readonly plan: ProcessPlan;
  readonly #init: ProcessGroupInit;
  /** By the number in their name. */
  readonly #slots = new Map<number, ManagedProcess>();
  #busy = false;

  constructor(init: ProcessGroupInit) {
    this.plan = init.plan;
    this.#init = init;
  }

  get processes(): readonly ManagedProcess[] {
    return [...this.#slots].sort(([one], [other]) => one - other).map(([, process]) => process);
  }

  start(): void {
    for (let index = 0; index < this.plan.instances; index++) this.#add().start();
  }

  async whenReady(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.whenReady()));
  }

  /**
   * Replaces the instances one after another: the new one serves before the old one is told to leave, so nothing is refused and nothing is lost.
   *
   * @throws APP_RESTART_UNDER_WAY, APP_RESTART_FAILED: then the old one stays
   */
  async restart(onProgress: (step: string) => void): Promise<void> {
    if (this.#busy) throw appErrors.RESTART_UNDER_WAY({ process: this.plan.name });
    this.#busy = true;
    try {
      for (const old of this.processes) {
        const fresh = this.#add();
        onProgress(`${fresh.name} starts to replace ${old.name}`);
        fresh.start();
        await this.#untilReady(fresh, old);
        onProgress(`${fresh.name} is ready; ${old.name} finishes what it has`);
        await this.#remove(old);
        onProgress(`${old.name} has left`);
      }
    } finally {
      this.#busy = false;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.stop()));
  }

  async #untilReady(fresh: ManagedProcess, old: ManagedProcess): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = this.#init.runtime.timers.after(READY_MS, () => late.reject(kernelErrors.DEADLINE_EXCEEDED()));
    try {
      await Promise.race([fresh.whenReady(), late.promise, fresh.stopped.then(() => late.promise)]);
    } catch (cause) {
      await this.#remove(fresh);
      throw appErrors.RESTART_FAILED({ fresh: fresh.name, old: old.name }, { cause: fromUnknown(cause) });
    } finally {
      timer.cancel();
    }
  }

  async #remove(process: ManagedProcess): Promise<void> {
    await process.stop();
    for (const [number, one] of this.#slots) if (one === process) this.#slots.delete(number);
  }

  #add(): ManagedProcess {
    let number = 1;
    while (this.#slots.has(number)) number++;
    const { plan, runtime, spawn, onChange } = this.#init;
    const name = `${plan.name}-${number}`;
    // A fixed port belongs to a number: an instance that replaces another has another number, and any port when there is none for it.
    const port = plan.ports[number - 1] ?? 0;
    const process = new ManagedProcess({
      name,
      runtime,
      spawn: () => spawn(name, port),
      ...(onChange && { onChange }),
    });
    this.#slots.set(number, process);
    return process;
  }
}
