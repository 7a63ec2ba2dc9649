import { choice, duration, json, type Setting } from '@souk/config';
import {
  checkRules,
  type PolicyChange,
  type PolicyConfig,
  type PolicyKind,
  type PolicyRules,
  PRESETS,
} from '@souk/resilience';

const ABOUT: Readonly<Record<PolicyKind, string>> = {
  call: 'Calls to another service',
  server: 'Requests at the door of this process',
  waiting: 'Requests that asked to be answered late (Prefer: wait)',
  publish: 'Events on their way to the bus',
  consume: 'Events on their way to their handlers',
  sql: 'Statements of a service to its database',
  http: 'Calls to another company, such as the payment provider',
  email: 'Mail on its way to the mail server',
};

const preset = (kind: PolicyKind): Setting<Readonly<Record<string, unknown>>> =>
  json({
    default: PRESETS[kind],
    describe: `${ABOUT[kind]}: the policy of each, as JSON. What is given replaces the default as a whole; see platform/resilience/README.md.`,
    check: (config) => checkRules({ kinds: { [kind]: config as PolicyConfig } }),
  });

/** What stands between callers and what may fail. */
export const resilienceSettings = {
  call: preset('call'),
  server: preset('server'),
  waiting: preset('waiting'),
  publish: preset('publish'),
  consume: preset('consume'),
  sql: preset('sql'),
  http: preset('http'),
  email: preset('email'),
  rules: json({
    default: {},
    describe:
      'Changes for single policies, as JSON: by name, or by its beginning and a star; null takes a layer away. For example {"rpc:catalog.*": {"retry": {"maxAttempts": 2}}}.',
    check: (rules) => checkRules({ rules: rules as Record<string, PolicyChange> }),
  }),
  maxEventLoopDelay: duration({
    default: '500ms',
    min: '10ms',
    describe:
      'When the process comes later than this to its work for two seconds in a row, the least important requests are refused. Lower: sooner, and also for pauses that pass by themselves.',
  }),
  share: choice(['auto', 'on', 'off'], {
    default: 'auto',
    describe:
      'Instances on one database tell each other which targets are in trouble, so that all look harder at once, and obey the same orders; auto: unless the database is embedded, for then there is one instance.',
  }),
};

/** The settings as rules for policies. */
export function policyRules(
  settings: { readonly [K in PolicyKind | 'rules']: Readonly<Record<string, unknown>> },
): PolicyRules {
  const { rules, ...kinds } = settings;
  const known = Object.fromEntries(Object.keys(PRESETS).map((kind) => [kind, kinds[kind as PolicyKind]]));
  return { kinds: known as Partial<Record<PolicyKind, PolicyConfig>>, rules: rules as Record<string, PolicyChange> };
}
