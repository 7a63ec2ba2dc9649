import { after } from 'node:test';
import { busSuite } from '@souk/messaging/conformance';
import { startServer } from '../test/bus-world.ts';

const server = await startServer();
after(() => server.stop());

busSuite('postgres', () => server.world());
