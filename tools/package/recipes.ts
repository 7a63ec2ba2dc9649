/** What a package that leaves the repository needs beside its own code. */
export interface Recipe {
  /** Names of @souk/kernel that its users need, and would import from there inside the repository. */
  readonly kernelNames: readonly string[];
  /** Oldest Node.js that it runs on; what is compiled uses nothing newer. */
  readonly node: string;
  readonly target: 'es2022';
}

/** Platform packages that can stand alone: they import the kernel, Node.js and nothing else. */
export const recipes: Readonly<Record<string, Recipe>> = {
  resilience: {
    kernelNames: [
      ...['systemRuntime', 'virtualRuntime', 'Runtime', 'VirtualRuntime', 'Clock', 'Timer', 'Timers', 'Random'],
      ...['SoukError', 'isSoukError', 'hasReason', 'isRetryable', 'Code'],
    ],
    node: '>=20',
    target: 'es2022',
  },
};
