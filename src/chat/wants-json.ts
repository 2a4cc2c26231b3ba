/** Whether an `Accept` header asks for a reply in one piece rather than as a stream, which anything else gets. */
export function wantsJson(accept: string | undefined): boolean {
  const types = (accept ?? "").toLowerCase().split(",", 30);
  const qualityOf = (wanted: string): number =>
    Math.max(
      0,
      ...types.map((part) => {
        const [type = "", ...parameters] = part.trim().split(";");
        if (type.trim() !== wanted) return 0;
        const given = parameters.find((parameter) => parameter.trim().startsWith("q="));
        return given === undefined ? 1 : Number(given.trim().slice(2)) || 0;
      }),
    );
  const json = qualityOf("application/json");
  return json > 0 && json >= qualityOf("text/event-stream");
}
