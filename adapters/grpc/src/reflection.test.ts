import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { grpcClient } from '../test/grpc-js.ts';
import { serveEcho } from '../test/server.ts';

interface Answer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Uint8Array[] };
  readonly allExtensionNumbersResponse?: { readonly extensionNumber: readonly number[] };
  readonly errorResponse?: { readonly errorCode: number };
}

for (const version of ['v1', 'v1alpha']) {
  test(`a tool learns with ${version} what is served, enough to make a client of it`, async () => {
    await using server = await serveEcho();
    const client = grpcClient(
      server.http2,
      `grpc/reflection/${version}/reflection.proto`,
      `grpc.reflection.${version}.ServerReflection`,
    );
    const call = client.serverReflectionInfo();
    const answers = (call as AsyncIterable<Answer>)[Symbol.asyncIterator]();
    const ask = async (request: object): Promise<Answer> => {
      call.write(request);
      return (await answers.next()).value;
    };
    const listed = await ask({ listServices: '*' });
    assert.deepEqual(
      listed.listServicesResponse?.service.map(({ name }) => name),
      [
        'echo.v1.EchoService',
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
      ],
    );
    const bySymbols = [
      'echo.v1.EchoService',
      'echo.v1.EchoService.Talk',
      'echo.v1.SayRequest',
      'echo.v1.SayRequest.text',
    ];
    for (const fileContainingSymbol of bySymbols) {
      const { fileDescriptorResponse } = await ask({ fileContainingSymbol });
      const files: FileDescriptorProto[] = (fileDescriptorResponse?.fileDescriptorProto ?? []).map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      );
      assert.equal(files[0]?.name, 'echo/v1/echo.proto', fileContainingSymbol);
      const known = new Map(files.map((file) => [file.name, file]));
      const rebuilt = createFileRegistry(files[0]!, (name) => known.get(name));
      assert.equal(rebuilt.getService('echo.v1.EchoService')?.methods.length, 6);
    }
    const byName = await ask({ fileByFilename: 'souk/options/v1/options.proto' });
    assert.ok((byName.fileDescriptorResponse?.fileDescriptorProto.length ?? 0) > 0);
    const extendee = 'google.protobuf.MethodOptions';
    const byExtension = { containingType: extendee, extensionNumber: 50501 };
    assert.ok((await ask({ fileContainingExtension: byExtension })).fileDescriptorResponse);
    const numbers = await ask({ allExtensionNumbersOfType: extendee });
    assert.deepEqual(numbers.allExtensionNumbersResponse?.extensionNumber, [50501]);
    for (const request of [{ fileContainingSymbol: 'echo.v1.Nobody' }, { fileByFilename: 'no.proto' }]) {
      assert.equal((await ask(request)).errorResponse?.errorCode, 5);
    }
    call.end();
    assert.equal((await answers.next()).done, true);
    client.close();
  });
}
