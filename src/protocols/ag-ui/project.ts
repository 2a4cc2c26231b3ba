import type { ReplyEvent } from "../../replies/reply-event.ts";
import { stride, type Projection, type ProtocolEvent } from "../view.ts";
import { interruptOf } from "./interrupts.ts";
import { closeMembers, memberOf, tellAgentEvent } from "./run/members.ts";
import { initialState, type RunOptions, type RunState, type Telling } from "./run/telling.ts";
import { become, close, write, writeRest } from "./run/text.ts";
import { closeCalls, tellCall } from "./run/tools.ts";
import { valueOf } from "./run/value-of.ts";

/** Of what is told in one event of the log, where its numbers would not reach further. */
const maxStoredCalls = 10;

/** Our events that the protocol has none for, told as they are. */
const customEvents: ReadonlySet<string> = new Set([
  "queued",
  "media",
  "sources",
  "suggestions",
  "tasks",
  "steered",
  "audio_chunk",
  "audio_response",
]);

/** A reply, or what of it follows a decision, as a run of AG-UI. */
export function runProjection(options: RunOptions): Projection<RunState> {
  const { after = 0 } = options;

  const project = (
    before: RunState,
    event: ReplyEvent,
    firstNumber: number,
  ): readonly [RunState, readonly ProtocolEvent[]] => {
    if (before.isOver) return [before, []];
    const isShown = firstNumber >= (after + 1) * stride;
    // As most events are: nothing that goes with what was said before.
    if (event.type === "assistant_chunk" && isShown && before.open?.kind === "text") {
      return goOn(before, before.open.id, event.chunk, firstNumber);
    }
    const told: object[] = [];
    let state = before;
    const run: Telling = {
      options,
      get state() {
        return state;
      },
      set(more) {
        state = { ...state, ...more };
      },
      emit(type, more, note) {
        if (!isShown) return;
        const metadata = { chat_service: { seq: firstNumber + told.length, ...note } };
        told.push({ type, ...more, metadata });
      },
    };
    if (isShown) begin(run);
    tell(run, event, isShown);
    return [state, told.map((data) => ({ data }))];
  };

  return { initial: initialState, project, isOver: ({ isOver }) => isOver };
}

function goOn(
  before: RunState,
  messageId: string,
  delta: string,
  seq: number,
): readonly [RunState, readonly ProtocolEvent[]] {
  if (delta === "") return [before, []];
  const metadata = { chat_service: { seq } };
  return [
    { ...before, content: before.content + delta },
    [{ data: { type: "TEXT_MESSAGE_CONTENT", messageId, delta, metadata } }],
  ];
}

function runIdOf({ options: { runId, goesOn = false }, state }: Telling): string {
  return `${runId}${goesOn && state.segment > 1 ? `_${state.segment}` : ""}`;
}

function begin(run: Telling): void {
  if (run.state.hasBegun) return;
  run.set({ hasBegun: true });
  const { threadId, input: messages } = run.options;
  const runId = runIdOf(run);
  const rest = { state: {}, tools: [], context: [], forwardedProps: {} };
  run.emit("RUN_STARTED", {
    threadId,
    runId,
    protocolVersion: "1.0",
    ...(messages !== undefined &&
      run.state.segment === 1 && { input: { threadId, runId, messages, ...rest } }),
  });
}

function tell(run: Telling, event: ReplyEvent, isShown: boolean): void {
  const { messageId, isOld = false, goesOn = false } = run.options;
  switch (event.type) {
    case "assistant_chunk":
      write(run, "text", event.chunk);
      return;
    case "reasoning_chunk":
      write(run, "reasoning", event.chunk, memberOf(run, event.agent_id));
      return;
    case "tool_call":
      tellCall(run, event, event.tool_call_id, memberOf(run, event.agent_id));
      return;
    case "agent_event":
      tellAgentEvent(run, event);
      return;
    case "agent_custom":
      run.emit("CUSTOM", { name: event.name, value: event.data ?? {} });
      return;
    case "replaced":
      become(run, event.content);
      return;
    case "snapshot":
      catchUp(run, event);
      return;
    case "conversation_complete": {
      end(run, event.full_response, "success");
      const { usage, output = null, finish_reason } = event;
      finish(
        run,
        { type: "success" },
        {
          ...(output !== null && { result: output }),
          ...(usage !== null && {
            usage: [{ inputTokens: usage.input_tokens, outputTokens: usage.output_tokens }],
          }),
        },
        finish_reason === "stop" ? {} : { finish_reason },
      );
      return;
    }
    case "cancelled":
      end(run, event.full_response, "success");
      finish(run, isOld ? null : { type: "cancelled" }, {}, { reason: event.reason });
      return;
    case "error":
      end(run, event.full_response, "success");
      run.emit("RUN_ERROR", { message: event.error, code: event.error_type });
      run.set({ isOver: true });
      return;
    case "paused": {
      end(run, null, "suspended");
      const interrupts = event.requirements.map((each) => interruptOf(messageId, each));
      const fault = event.error === undefined ? {} : { error: event.error };
      finish(run, { type: "interrupt", interrupts }, {}, fault);
      // One that decides goes on behind it; so does one that is shown as a whole.
      if (isShown && !goesOn) return;
      run.set({ isOver: false, hasBegun: false, segment: run.state.segment + 1 });
      return;
    }
    default:
      if (customEvents.has(event.type)) {
        run.emit("CUSTOM", { name: event.type, value: valueOf(event) });
      }
  }
}

/** The log begins here. */
function catchUp(run: Telling, event: Extract<ReplyEvent, { type: "snapshot" }>): void {
  const { shown = "", storedCalls = [] } = run.options;
  const { counts, items } = run.state;
  const { content, reasoning = "" } = event;
  const isFirst = counts.text + counts.reasoning + items.length === 0;
  if (isFirst && shown !== "") {
    // The text before the interrupt has a message already; its thinking was shown with it.
    run.set({ content: shown, reasoning, counts: { text: 1, reasoning: 1, members: 0 } });
  } else writeRest(run, "reasoning", reasoning);
  if (isFirst && shown === "") {
    for (const [index, stored] of storedCalls.slice(-maxStoredCalls).entries()) {
      tellCall(run, stored, stored.tool_call_id ?? `stored_${index}`, null);
    }
  }
  become(run, content);
  for (const name of ["sources", "suggestions", "tasks"] as const) {
    const value = event[name];
    if (value !== undefined) run.emit("CUSTOM", { name, value: { [name]: value } });
  }
}

/** Whatever is open, the innermost first; `text` is all of the reply's, where it is known. */
function end(run: Telling, text: string | null, outcome: "success" | "suspended"): void {
  if (text !== null) writeRest(run, "text", text);
  close(run);
  closeCalls(run, outcome);
  closeMembers(run, outcome);
}

function finish(run: Telling, outcome: object | null, more: object, note: object): void {
  const { threadId } = run.options;
  const given = { threadId, runId: runIdOf(run), ...(outcome && { outcome }), ...more };
  run.emit("RUN_FINISHED", given, note);
  run.set({ isOver: true });
}
