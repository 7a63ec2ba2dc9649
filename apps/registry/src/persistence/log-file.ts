import { open } from 'node:fs/promises';

/** A file that grows at its end. */
export interface LogFile {
  /** Bytes that are on disk for certain. */
  readonly bytes: number;
  /** Resolves when it is on disk. After an error, nothing counts as written, and the next text takes its place. One call at a time. */
  append(text: string): Promise<void>;
  close(): Promise<void>;
}

export async function createLogFile(path: string): Promise<LogFile> {
  const file = await open(path, 'w', 0o600);
  let written = 0;
  return {
    get bytes() {
      return written;
    },
    append: async (text) => {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, at, bytes.length - at, written + at);
        at += bytesWritten;
      }
      await file.datasync();
      written += bytes.length;
    },
    close: () => file.close(),
  };
}
