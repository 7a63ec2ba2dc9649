import type { DescEnum, DescExtension, DescField, DescFile, DescMessage, DescMethod } from '@bufbuild/protobuf';
import { getOption, hasOption } from '@bufbuild/protobuf';

type Subject = DescEnum | DescField | DescMessage | DescMethod;

/** Names of the options that the platform reads, whatever system declares them. */
type OptionName = 'souk.options.v1.method' | 'souk.options.v1.field' | 'souk.options.v1.event' | 'google.api.http';

/**
 * Extensions that a file can use, by name. Contracts are found through the files that import them, so that the platform depends
 * on no contract. The map is a cache of a pure function of immutable descriptors: which process asks, or when, changes nothing.
 */
const extensionsOf = new WeakMap<DescFile, ReadonlyMap<string, DescExtension>>();

/** The value of an option, or undefined where the contract does not set it. */
export function readOption<T>(subject: Subject, name: OptionName): T | undefined {
  const extension = extensionsIn(fileOf(subject)).get(name);
  if (extension === undefined || !hasOption(subject, extension)) return undefined;
  return getOption(subject, extension) as T;
}

const fileOf = (subject: Subject): DescFile => {
  if (subject.kind === 'field') return subject.parent.file;
  return subject.kind === 'rpc' ? subject.parent.file : subject.file;
};

function extensionsIn(file: DescFile): ReadonlyMap<string, DescExtension> {
  const known = extensionsOf.get(file);
  if (known !== undefined) return known;
  const found = new Map<string, DescExtension>();
  const visited = new Set<DescFile>();
  const visit = (next: DescFile): void => {
    if (visited.has(next)) return;
    visited.add(next);
    for (const extension of next.extensions) found.set(extension.typeName, extension);
    next.dependencies.forEach(visit);
  };
  visit(file);
  extensionsOf.set(file, found);
  return found;
}
