import { StartFault } from "../problems/start-fault.ts";
import type { Database } from "./database.ts";
import { beginWriting, holdsAnything, readStore, tablesOf, writeRows } from "./store-rows.ts";

/**
 * Everything of one database into another that has the same migrations and nothing in it; all or nothing. Returns how many
 * rows of which table. Raises StartFault where something is there already.
 */
export async function copyDatabase(
  from: Database,
  to: Database,
): Promise<Readonly<Record<string, number>>> {
  return from.transaction((source) =>
    to.transaction(async (target) => {
      await beginWriting(target);
      const tables = await tablesOf(target);
      if (await holdsAnything(target, tables)) {
        throw new StartFault(
          "The database to move to holds conversations already: name an empty one in DATABASE_URL",
        );
      }
      const copied = Object.fromEntries(tables.map(({ name }) => [name, 0]));
      for await (const batch of readStore(source)) {
        await writeRows(target, batch);
        copied[batch.table.name] = (copied[batch.table.name] ?? 0) + batch.rows.length;
      }
      return copied;
    }),
  );
}
