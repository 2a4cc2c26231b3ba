import { upstreamText, type Scene } from "../../src/agents/agent-backend.contract.ts";
import type { Turn } from "./scripted-turn.ts";

/** A scene of the contract of agent backends, as a model server plays it. */
export function turnOf(scene: Scene): Turn {
  switch (scene.kind) {
    case "answer":
      return { tokens: scene.texts };
    case "hang_before_answer":
      return { fault: { kind: "hang_before_headers" } };
    case "hang_in_answer":
      return { tokens: scene.texts, fault: { kind: "hang" } };
    case "refuse":
      return { fault: { kind: "status", status: 500, body: { error: { message: upstreamText } } } };
    case "overloaded":
      return { fault: { kind: "status", status: 503, body: upstreamText } };
    case "die_before_answer":
      return { fault: { kind: "die" } };
    case "die_in_answer":
      return { tokens: scene.texts, fault: { kind: "half_frame" } };
    case "end_early":
      return { tokens: scene.texts, fault: { kind: "end_early" } };
    case "fail_in_answer":
      return {
        tokens: scene.texts,
        fault: { kind: "error_frame", error: { message: upstreamText } },
      };
    case "garbage":
      return { fault: { kind: "garbage", text: upstreamText } };
    case "huge_line":
      return { fault: { kind: "huge_line", bytes: scene.bytes } };
  }
}
