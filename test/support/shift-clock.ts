/**
 * Preloaded by `node --import`: this process believes that it is later (or earlier) by CLOCK_SHIFT_MS than it is. Timers
 * and monotonic clocks go right, as they do on a machine whose clock is wrong.
 */
const shiftMs = Number(process.env["CLOCK_SHIFT_MS"] ?? 0);
const RealDate = Date;

globalThis.Date = new Proxy(RealDate, {
  construct: (_, args: unknown[]) =>
    args.length === 0
      ? new RealDate(RealDate.now() + shiftMs)
      : (Reflect.construct(RealDate, args) as Date),
  apply: () => new RealDate(RealDate.now() + shiftMs).toString(),
  get: (target, name) =>
    name === "now" ? () => RealDate.now() + shiftMs : (Reflect.get(target, name) as unknown),
});
