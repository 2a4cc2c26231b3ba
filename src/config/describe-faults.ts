/** What is written to the console when the service cannot start with its configuration; ends with a line feed. */
export function describeFaults(faults: readonly string[]): string {
  const count = faults.length === 1 ? "one thing is" : `${faults.length} things are`;
  return [
    `chat-service cannot start: ${count} wrong with its configuration.`,
    "",
    ...faults.map((fault) => `  - ${fault}${/[.?!]$/.test(fault) ? "" : "."}`),
    "",
    "Correct this in the configuration file or the environment and start again.",
    "Every setting is explained in docs/configuration.md and listed in config.example.yaml.",
    "",
  ].join("\n");
}
