/** What was measured: operations per second, latency of one in ms, processor time of one in µs. */
export type Figures = {
  readonly rate: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly cpu_us: number;
};

/** Runs `work` for a while with `inFlight` at once, after a warm-up that does not count. */
export async function measure(
  work: () => unknown,
  how: { readonly seconds?: number; readonly inFlight?: number } = {},
): Promise<Figures> {
  const { seconds = 3, inFlight = 1 } = how;
  await repeat(work, { ms: Math.min(1000, seconds * 300), inFlight });
  const before = process.cpuUsage();
  const started = performance.now();
  const latencies = await repeat(work, { ms: seconds * 1000, inFlight });
  const elapsed = performance.now() - started;
  const cpu = process.cpuUsage(before);
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => round(latencies[Math.floor(latencies.length * part)] ?? 0, 3);
  return {
    rate: round(latencies.length / (elapsed / 1000), 1),
    p50_ms: at(0.5),
    p95_ms: at(0.95),
    cpu_us: round((cpu.user + cpu.system) / latencies.length, 1),
  };
}

async function repeat(
  work: () => unknown,
  { ms, inFlight }: { ms: number; inFlight: number },
): Promise<number[]> {
  const until = performance.now() + ms;
  const latencies: number[] = [];
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      const started = performance.now();
      await work();
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return latencies;
}

export const round = (value: number, places = 2): number => Number(value.toFixed(places));
