import {
  Client,
  credentials,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  decode,
  type Echo,
  encode,
  measureCalls,
  measureStreams,
  readRpcOrder,
  serving,
  TIMEOUT_MS,
} from '../../lib/echo.ts';

const order = readRpcOrder();
const ECHO = '/bench.v1.EchoService/Echo';
const REPEAT = '/bench.v1.EchoService/Repeat';
const pem = (text: string): Buffer => Buffer.from(text);

if (order.role !== 'server') {
  const { tls } = order;
  const channel = tls ? credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert)) : credentials.createInsecure();
  const client = new Client(`${tls ? 'localhost' : '127.0.0.1'}:${order.port}`, channel);
  const options = () => ({ deadline: Date.now() + TIMEOUT_MS });
  if (order.role === 'client') {
    await measureCalls(
      order,
      (asked) =>
        new Promise((resolve, reject) => {
          client.makeUnaryRequest(ECHO, encode, decode, asked, options(), (error, answer) =>
            error ? reject(error) : resolve(answer as Echo),
          );
        }),
    );
  } else {
    await measureStreams(
      order,
      (asked, each) =>
        new Promise((resolve, reject) => {
          const stream = client.makeServerStreamRequest(REPEAT, encode, decode, asked, options());
          stream.on('data', each).on('error', reject).on('end', resolve);
        }),
    );
  }
} else {
  const shared = {
    ...{ requestSerialize: encode, requestDeserialize: decode, responseSerialize: encode, responseDeserialize: decode },
    requestStream: false,
  };
  const definition: ServiceDefinition = {
    echo: { path: ECHO, responseStream: false, ...shared },
    repeat: { path: REPEAT, responseStream: true, ...shared },
  };
  const implementation: UntypedServiceImplementation = {
    echo: (
      { request: { $typeName, id, quantity, note } }: { request: Echo; metadata: Metadata },
      callback: (error: null, answer: Echo) => void,
    ) => callback(null, { $typeName, id, quantity, note }),
    repeat: async (call: ServerWritableStream<Echo, Echo>) => {
      const { $typeName, id, quantity, note } = call.request;
      for (let at = 0; at < quantity; at++)
        if (!call.write({ $typeName, id, quantity: at, note }))
          await new Promise((resolve) => call.once('drain', resolve));
      call.end();
    },
  };
  const server = new Server();
  server.addService(definition, implementation);
  const { tls } = order;
  const own = tls
    ? ServerCredentials.createSsl(pem(tls.ca), [{ private_key: pem(tls.key), cert_chain: pem(tls.cert) }], true)
    : ServerCredentials.createInsecure();
  server.bindAsync('127.0.0.1:0', own, (error, port) => {
    if (error) throw error;
    serving(port);
  });
}
