import type { SessionConfig } from "../api/types.ts";
import { createStore } from "./store.ts";

/** Model and instructions that the next new conversation begins with. */
export const newConfig = createStore<SessionConfig>({});
