import { Type } from "typebox";
import { errorDocs } from "../../http/problem-docs.ts";
import { nullable } from "../../http/schemas.ts";
import { runError } from "./errors.ts";

const open = { additionalProperties: true };

/** What is in texts that are stored, and in headers. */
export const nameSchema = (description: string) =>
  Type.String({ minLength: 1, maxLength: 256, description });

/** As AG-UI has it; what the clients of both generations send. */
export const runInput = Type.Object(
  {
    threadId: nameSchema("The conversation, as the client calls it, or a session's id."),
    runId: nameSchema("The same again is the same run: it is shown once more."),
    protocolVersion: Type.Optional(nullable(Type.String({ maxLength: 20 }))),
    messages: Type.Array(
      Type.Object({ id: Type.Optional(Type.String()), role: Type.String() }, open),
      {
        maxItems: 10_000,
        description:
          "The last message of the user is new; where it goes on is told by those before it.",
      },
    ),
    tools: Type.Optional(Type.Unknown({ description: "Of the front end's own: refused." })),
    context: Type.Optional(
      Type.Unknown({
        description: "Entries of `description` and `value`: instructions of this turn.",
      }),
    ),
    state: Type.Optional(
      Type.Unknown({
        description: "Where it holds something, told to the agent with the context.",
      }),
    ),
    resume: Type.Optional(
      Type.Unknown({
        description: "Answers to the interrupts of a run: `interruptId`, `status`, `payload`.",
      }),
    ),
  },
  {
    ...open,
    title: "RunAgentInput",
    examples: [
      {
        threadId: "trip to Oslo",
        runId: "run-1",
        state: {},
        messages: [{ id: "m1", role: "user", content: "What is 2 + 2?" }],
        tools: [],
        context: [],
      },
    ],
  },
);

export const runErrorSchema = Type.Object(
  {
    type: Type.Literal("RUN_ERROR"),
    message: Type.String(),
    code: Type.String({ description: "Stable name of the error." }),
  },
  {
    $id: "RunError",
    title: "RunError",
    description: "Errors below `/agui` and `/copilotkit`.",
  },
);

export const errorResponses = errorDocs("RunError", runError);

export const tags = ["AG-UI"];
export const security = [{ bearer: [] }, { apiKey: [] }, {}];
