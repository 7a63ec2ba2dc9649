import { serve } from '../../lib/policies.ts';

await serve({ bare: (work) => () => work() });
