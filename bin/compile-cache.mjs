// What Node makes of the sources is kept: compiled code, and TypeScript without its types. Loaded before the first TypeScript
// file, as reading one without this loads the compiler that strips types, 30 MB that stay. Beside the code, so that whoever
// may write it may write the code; where nobody may, there is none. Node 20, which can start no more than a newer one, has
// no such cache.
import module from "node:module";
import { fileURLToPath } from "node:url";

module.enableCompileCache?.(
  fileURLToPath(new URL("../node_modules/.cache/chat-service", import.meta.url)),
);
