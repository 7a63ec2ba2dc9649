export type { JournalRecord, JournalRow } from './journal.ts';
export {
  givenHistory,
  type HistoryOutlook,
  recordHistory,
  replayHistories,
  type SomeDefinition,
} from './testing-history.ts';
export type { Effect, ScriptedOutcome } from './testing-participant.ts';
export {
  type At,
  recordsOf,
  type Simulated,
  type SimulatedCall,
  type SimulateInit,
  simulate,
} from './testing-simulate.ts';
