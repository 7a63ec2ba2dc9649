import type { DescField, ScalarType } from '@bufbuild/protobuf';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';

/**
 * What the library keeps in a message instead of a message: free-form objects are plain JSON, wrappers are their bare value.
 * Undefined for any other field.
 */
export function plainForm(field: DescField): 'object' | ScalarType | undefined {
  const { message } = field;
  if (message === undefined) return undefined;
  if (message.typeName === 'google.protobuf.Struct' && field.parent.typeName !== 'google.protobuf.Value')
    return 'object';
  if (field.fieldKind !== 'message' || field.oneof !== undefined || !isWrapperDesc(message)) return undefined;
  return message.fields[0]?.scalar;
}
