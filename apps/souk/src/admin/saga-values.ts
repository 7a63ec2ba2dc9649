import { fromJson } from '@bufbuild/protobuf';
import { type Timestamp, timestampFromMs, type Value, ValueSchema } from '@bufbuild/protobuf/wkt';

// Values of a journal as fields of messages; what is not there sets no field.

export const timeField = <TName extends string>(name: TName, ms: unknown): { [K in TName]?: Timestamp } =>
  (typeof ms === 'number' && Number.isFinite(ms) ? { [name]: timestampFromMs(ms) } : {}) as {
    [K in TName]?: Timestamp;
  };

export const dateField = <TName extends string>(name: TName, date: Date | undefined): { [K in TName]?: Timestamp } =>
  timeField(name, date?.getTime());

/** Gone through JSON, so that a field that is undefined is none. */
export const jsonField = <TName extends string>(name: TName, json: unknown): { [K in TName]?: Value } =>
  (json === undefined ? {} : { [name]: fromJson(ValueSchema, JSON.parse(JSON.stringify(json))) }) as {
    [K in TName]?: Value;
  };
