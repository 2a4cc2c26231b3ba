/** npm run bench [relay|agentos|length|nodes|audio|search|import|views|turn|memory|cache|readers|tables|remote-readers|capacity]: ratios measured side by side in one run; absolute figures depend on the machine. */
import { benchAgentOs } from "./agent-os.ts";
import { benchBranches } from "./branches.ts";
import { benchCache } from "./cache.ts";
import { showCapacity } from "./capacity.ts";
import { benchConversationLength } from "./conversation-length.ts";
import { benchFirstAudio } from "./first-audio.ts";
import { benchImport } from "./import.ts";
import { benchMemory } from "./memory.ts";
import { benchNodes } from "./nodes.ts";
import { benchReaders } from "./readers.ts";
import { benchRelay } from "./relay.ts";
import { benchRemoteReaders } from "./remote-readers.ts";
import { benchSearch } from "./search.ts";
import { benchTables } from "./tables.ts";
import { benchTurn } from "./turn.ts";
import { benchViews } from "./views.ts";

const benches: Record<string, () => Promise<void>> = {
  relay: benchRelay,
  agentos: benchAgentOs,
  async length() {
    await benchConversationLength();
    await benchBranches(10_000);
  },
  nodes: benchNodes,
  audio: benchFirstAudio,
  search: benchSearch,
  import: benchImport,
  views: benchViews,
  turn: benchTurn,
  memory: benchMemory,
  cache: benchCache,
  readers: benchReaders,
  tables: benchTables,
  "remote-readers": benchRemoteReaders,
  capacity: showCapacity,
};
const wanted = process.argv.slice(2);
for (const [name, run] of Object.entries(benches)) {
  if (wanted.length === 0 || wanted.includes(name)) await run();
}
process.exit(0);
