import type { Socket } from "node:net";

/** Counts what comes on a connection, of whatever it is a part. */
export interface ByteCount {
  /** Counts from here on, anew. */
  begin(): void;
  end(): void;
}

/** Calls `onSpent` for each piece that comes when more than `bytes` have come. */
export function countBytes(connection: Socket, bytes: number, onSpent: () => void): ByteCount {
  let from = 0;
  const count = () => {
    if (connection.bytesRead - from > bytes) onSpent();
  };
  return {
    begin() {
      connection.off("data", count);
      from = connection.bytesRead;
      connection.on("data", count);
    },
    end() {
      connection.off("data", count);
    },
  };
}
