export { grpcErrors } from './errors.ts';
export { type GrpcHandlerOptions, grpcHandler } from './grpc-handler.ts';
export { addGrpcHealth, type GrpcHealthOptions } from './health.ts';
export { addGrpcReflection, type GrpcReflectionOptions } from './reflection.ts';
