export {
  type BalancedTransport,
  type BalancedTransportOptions,
  createBalancedTransport,
  type MirroringPicker,
} from './balanced-transport.ts';
export { type ChannelServer, type ChannelServerOptions, createChannelServer } from './channel/channel-server.ts';
export {
  CHANNEL_PATH,
  CHANNEL_PROTOCOL,
  FRAME_KINDS,
  type Frame,
  type FrameListener,
  FrameReader,
  FrameWriter,
  LONGEST_TEXT,
  NO_BODY,
  NO_TIMEOUT,
  SEPARATOR,
  signal,
} from './channel/frame.ts';
export { type CallOptions, type Client, type ClientMethod, type ClientOptions, createClient } from './client.ts';
export { type Compression, compressFor, decompress, readCompression } from './compression.ts';
export { type HttpAnswer, readConnectAnswer } from './connect-answer.ts';
export { fromConnectError, toConnectError } from './connect-error.ts';
export { connectHandler } from './connect-handler.ts';
export { type ConnectTransportOptions, createConnectTransport, type Fetch } from './connect-transport.ts';
export { createDeadlines, type Deadlines, type WheelEntry, whyCanceled } from './deadline.ts';
export { idempotencyErrors, rpcErrors } from './errors.ts';
export type {
  BidiStreamHandler,
  ClientStreamHandler,
  Handler,
  HandlerOf,
  Handlers,
  ServerStreamHandler,
} from './handler.ts';
export type { HttpCall, HttpProtocol, HttpReply, HttpTarget } from './http-call.ts';
export { createHttpHandler, type HttpHandler, type HttpHandlerOptions } from './http-handler.ts';
export { createInProcessTransport } from './in-process.ts';
export type { Call, Interceptor, Next, StreamCall, StreamInterceptor, StreamNext } from './interceptor.ts';
export { type MethodLimits, parseMethodLimits } from './method-limits.ts';
export { isNotSent, notSent } from './not-sent.ts';
export { problemReply } from './problem.ts';
export { restHandler } from './rest.ts';
export type { RoutedMethod, RoutedStream, ServedMethod } from './routed-method.ts';
export {
  type AddOptions,
  type CallFacts,
  createRouter,
  decodeRequest,
  encodeBinary,
  encodeJson,
  encodeMessage,
  type Router,
  type RouterOptions,
} from './router.ts';
export { onlyOne } from './stream-method.ts';
export {
  AFFINITY_HEADER,
  type InstanceTransport,
  MIRROR_HEADER,
  type Transport,
  VERSION_HEADER,
  type WireCall,
  type WireRequest,
  type WireResponse,
  type WireStreamRequest,
} from './wire.ts';
export { fromWireError, toWireError, type WireError } from './wire-error.ts';
