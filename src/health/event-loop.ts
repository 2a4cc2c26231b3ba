import { monitorEventLoopDelay } from "node:perf_hooks";

export interface EventLoopWatch {
  /** The longest delay of the last one to two windows, in milliseconds. */
  recentDelayMs(): number;
  close(): void;
}

/** The monitor's own timer: its interval is part of what it measures. */
const resolutionMs = 20;
const defaultWindowMs = 5_000;

/** Watches how late timers run, which is how long everything else waited too. */
export function watchEventLoop(windowMs = defaultWindowMs): EventLoopWatch {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  let previousMs = 0;
  const currentMs = () => Math.max(0, histogram.max / 1e6 - resolutionMs);
  const timer = setInterval(() => {
    previousMs = currentMs();
    histogram.reset();
  }, windowMs);
  timer.unref();
  return {
    recentDelayMs: () => Math.round(Math.max(previousMs, currentMs())),
    close() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
