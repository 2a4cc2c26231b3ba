import type { Database } from "./database.ts";

/** So much that it takes room on the disk that there was not before. */
const probeRows = 4_000;

/** Writes and takes it back. A full disk, and a server that only reads, answer everything else. */
export async function tryWriting(database: Database): Promise<void> {
  const undone = new Error("undone");
  try {
    await database.transaction(async (tx) => {
      await tx.query(
        "INSERT INTO rounds (name, next_at) SELECT 'probe ' || gen_random_uuid(), now() FROM generate_series(1, $1)",
        [probeRows],
      );
      throw undone;
    });
  } catch (error) {
    if (error !== undone) throw error;
  }
}
