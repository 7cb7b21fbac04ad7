/** What the demo merchant's upstream may be told to do instead of answering well. */
export const upstreamAnswers = ["ok", "500", "404", "reset", "hang", "slow"] as const;
export type UpstreamAnswer = (typeof upstreamAnswers)[number];
export type UpstreamSwitch = {
  readonly answer: UpstreamAnswer;
  readonly times?: number | undefined;
  readonly delay_ms?: number | undefined;
};

/** The demo merchant: sells one small report and counts how often it was made. */
export type Upstream = {
  readonly calls: () => number;
  set(to: UpstreamSwitch): void;
  /** Counts a call and says how it is answered. */
  take(): { readonly call: number; readonly answer: UpstreamAnswer; readonly delayMs: number };
  restore(calls: number): void;
};

export function createUpstream(): Upstream {
  let calls = 0;
  let current: { readonly to: UpstreamSwitch; left: number } | undefined;
  return {
    calls: () => calls,
    set: (to) => {
      current = to.answer === "ok" ? undefined : { to, left: to.times ?? Number.POSITIVE_INFINITY };
    },
    take: () => {
      calls += 1;
      if (current === undefined || current.left === 0) return { call: calls, answer: "ok", delayMs: 0 };
      current.left -= 1;
      return { call: calls, answer: current.to.answer, delayMs: current.to.delay_ms ?? 500 };
    },
    restore: (before) => {
      calls = before;
    },
  };
}

export const report = (call: number): object => ({
  title: "Weather over the North Sea",
  issue: call,
  wind_knots: 17,
  waves_m: 1.4,
  advice: "Sail before noon.",
});
