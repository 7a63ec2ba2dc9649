export { smtpErrors } from './errors.ts';
export { createSmtpTransport, type Mail, type SmtpOptions, type SmtpTransport } from './smtp-transport.ts';
