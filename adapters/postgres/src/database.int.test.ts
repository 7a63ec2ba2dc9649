import { databaseConformance, POOL_SIZE } from '@souk/store/conformance';
import { testDatabase } from '../../../tests/support/database.ts';

databaseConformance('PostgreSQL', () => testDatabase('conformance', [], { poolSize: POOL_SIZE }));
