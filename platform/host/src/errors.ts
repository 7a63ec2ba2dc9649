import { defineErrors } from '@souk/kernel';

export const hostErrors = defineErrors('HOST', {
  SERVICE_TWICE: { code: 'internal', text: 'service {service} is declared twice' },
  CALLEE_MISSING: {
    code: 'failed_precondition',
    text: 'service {service} calls {callee}, which nothing here serves: add the service that serves it',
  },
  PORT_IN_USE: {
    code: 'unavailable',
    text: 'port {port} is in use: stop what listens there, or choose another with PORT or --http.port',
  },
  NO_HTTP: { code: 'internal', text: 'this version of Node has no listener for {event} to take over' },
  PORT_DENIED: { code: 'permission_denied', text: 'port {port} may not be used by this user: choose one above 1023' },
});
