/** Run by create-store.ts, in a process of its own: writes the files of an empty embedded database into a folder. */
import { PGlite } from "@electric-sql/pglite";

const client = new PGlite(process.argv[2]);
await client.waitReady;
await client.close();
