import { defineErrors } from '@souk/kernel';

export const appErrors = defineErrors('APP', {
  USAGE: { code: 'invalid_argument', text: '{problem}; "souk {command} --help" says what there is' },
  NOT_RUNNING: {
    code: 'unavailable',
    text: 'no shop answers at {url}: start it with "npm start", or name another with --url',
  },
  REFUSED: { code: 'failed_precondition', text: 'the shop refused {what}: {why}' },
  NO_JOB: {
    code: 'not_found',
    text: 'there is no job {id} in this process: jobs end with the process that runs them, and only the last hundred are kept',
  },
  TOO_MANY_JOBS: {
    code: 'resource_exhausted',
    text: '{most} jobs of operators run already, or the shop is stopping: wait for one to end, or cancel it',
    retry: 'later',
  },
  NO_SERVICE: { code: 'not_found', text: 'no service {service} runs here; there are {services}' },
  NO_SAGA: { code: 'not_found', text: 'there is no saga {id} in {services}' },
  SAGA_TWICE: {
    code: 'failed_precondition',
    text: 'there is a saga {id} in each of {services}: say which service is meant',
  },
  NO_PROJECTION: { code: 'not_found', text: 'there is no projection {name}; there are {projections}' },
  PROJECTION_TWICE: {
    code: 'failed_precondition',
    text: 'there is a projection {name} in each of {services}: say which service is meant',
  },
  PREVIEW_GONE: {
    code: 'failed_precondition',
    text: 'the preview is unknown, used or older than {minutes} minutes: ask for a new one',
  },
  TOO_MANY_SAGAS: {
    code: 'failed_precondition',
    text: 'more than {most} sagas match: narrow the filter',
  },
  CHANGE_INVALID: {
    code: 'invalid_argument',
    text: 'change: want an object of options, or null to take back what was set',
  },
  HELD_BY_OTHERS: {
    code: 'failed_precondition',
    text: '{policy} is not held by {whose} but by {owners}: say whose isolation shall end',
  },
  NOT_EVERYWHERE: {
    code: 'unavailable',
    text: '{policy}: done in {done} processes, but not in {processes}: {why}. Do it again once they answer, or have ended',
    retry: 'later',
  },
  TOPOLOGY_INVALID: { code: 'invalid_argument', text: 'the topology cannot be used: {why}' },
  REGISTRY_ADDRESS_INVALID: {
    code: 'invalid_argument',
    text: "'{address}' is no address of a registry: http://host:8500, etcd://host:2379 (etcds:// with TLS), kubernetes://namespace or file:/path.json",
  },
  REGISTRY_CREDENTIALS_INVALID: { code: 'invalid_argument', text: 'the setting {setting} cannot be used: {why}' },
  PORT_UNUSABLE: {
    code: 'unavailable',
    text: 'port {port} of {host} cannot be listened on ({why}): choose others with --http.host and --http.port',
  },
  RESTART_UNDER_WAY: {
    code: 'failed_precondition',
    text: '{process} is being restarted already: wait until that is done',
  },
  RESTART_FAILED: {
    code: 'unavailable',
    text: '{fresh} did not become ready, so {old} stays: its log says why',
  },
  NO_PROCESS: { code: 'not_found', text: 'there is no process {name}; there are {names}' },
  NOT_SPLIT: {
    code: 'failed_precondition',
    text: 'no split shop runs with its data in {folder}: start one with "npm run start:split"',
  },
  NO_CALLS_KEY: {
    code: 'failed_precondition',
    text: 'processes of a split shop need a key that they share: set SOUK_CALLS_KEY to the same 16 or more characters for each',
  },
  NO_ROLE: {
    code: 'invalid_argument',
    text: "there is no '{role}' to serve; there are {roles}",
  },
  NO_OPERATOR: {
    code: 'permission_denied',
    text: 'there is no operator token in {folder}: run this where the shop keeps its data, or name that folder with SOUK_DATA',
  },
});
