import { defineErrors } from '@souk/kernel';

export const hostErrors = defineErrors('HOST', {
  SERVICE_TWICE: { code: 'internal', text: 'service {service} is declared twice' },
  CALLEE_MISSING: {
    code: 'failed_precondition',
    text: 'service {service} calls {callee}, which nothing here serves: add the service that serves it',
  },
  CONTRACT_TWICE: {
    code: 'failed_precondition',
    text: 'services {service} and {other} both serve {contract}: a contract has one owner; take it out of `serves` of one of them',
  },
  EVENT_UNTOLD: {
    code: 'failed_precondition',
    text: 'service {service} hears {event}, which no service publishes: add it to `publishes` of the one that does, or take it out of `consumes`',
  },
  SETTING_NOT_DATA: {
    code: 'failed_precondition',
    text: 'setting {setting} is {what}, which no other process can be given: make it plain data, and make the rest of it in `parts` or `start` of the service',
  },
  SHARED_OBJECT: {
    code: 'failed_precondition',
    text: '{first} and {second} are one object that can be changed, and in processes of their own they would be two: freeze it, or give each service its own',
  },
  SPLIT_UNSAFE: {
    code: 'failed_precondition',
    text: '{count} things would break when services get processes of their own: {problems}',
  },
  PORT_IN_USE: {
    code: 'unavailable',
    text: 'port {port} is in use: stop what listens there, or choose another with PORT or --http.port',
  },
  NO_HTTP: { code: 'internal', text: 'this version of Node has no listener for {event} to take over' },
  PORT_DENIED: { code: 'permission_denied', text: 'port {port} may not be used by this user: choose one above 1023' },
});
