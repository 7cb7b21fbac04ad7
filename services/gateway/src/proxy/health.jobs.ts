import { type Clock, monotonicMs, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Upstreams } from "./upstreams.ts";

type Watched = { readonly upstream: string; readonly path: string; readonly everyMs: number };

/** Asks each health page as often as its offer says, in each process: what is well for one may be out of reach for another. */
export function healthJobs(
  jobs: Jobs,
  deps: {
    readonly upstreams: Pick<Upstreams, "probe">;
    readonly clock: Clock;
    readonly watched: () => readonly Watched[];
  },
): Jobs {
  let askedMs = new Map<string, number>();
  return jobs.everywhere("upstreams.health", secondMs, async () => {
    const nowMs = monotonicMs(deps.clock);
    const watched = deps.watched();
    const due = watched.filter((page) => nowMs - (askedMs.get(keyOf(page)) ?? -Infinity) >= page.everyMs);
    askedMs = new Map(
      watched.map((page) => [keyOf(page), due.includes(page) ? nowMs : (askedMs.get(keyOf(page)) ?? nowMs)]),
    );
    await Promise.all(
      due.map(({ upstream, path, everyMs }) => deps.upstreams.probe(upstream, path, everyMs)),
    );
  });
}

const keyOf = ({ upstream, path }: Watched): string => `${upstream} ${path}`;
