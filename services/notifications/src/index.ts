export type { ChannelName, Channels, OutgoingMessage, Transport } from './channels.ts';
export { notifications } from './service.ts';
