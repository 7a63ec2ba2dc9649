export { grpcErrors } from './errors.ts';
export { type GrpcHandlerOptions, grpcHandler } from './grpc-handler.ts';
export { createGrpcTransport } from './grpc-transport.ts';
export { addGrpcHealth, type GrpcHealthOptions } from './health.ts';
export type { GrpcTls, GrpcTransportOptions } from './options.ts';
export { addGrpcReflection, type GrpcReflectionOptions } from './reflection.ts';
