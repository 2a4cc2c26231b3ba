import { ToolFault, type Tool } from "./tool.ts";

export const currentTime: Tool = {
  definition: {
    type: "function",
    function: {
      name: "current_time",
      description: "The current date and time.",
      parameters: {
        type: "object",
        properties: {
          time_zone: {
            type: "string",
            description: "IANA name such as Asia/Shanghai; default UTC.",
          },
        },
      },
    },
  },
  run(args) {
    const timeZone = args["time_zone"] ?? "UTC";
    if (typeof timeZone !== "string") throw new ToolFault("time_zone must be a text");
    let format: Intl.DateTimeFormat;
    try {
      format = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long", timeZone });
    } catch {
      // A RangeError is how an unknown zone is told.
      throw new ToolFault("time_zone is not a known IANA time zone");
    }
    const now = new Date();
    return Promise.resolve({ text: `${format.format(now)} (${now.toISOString()})` });
  },
};
