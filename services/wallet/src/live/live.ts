import { type Clock, minuteMs, momentOf, msSince, secondMs } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import type { News } from "../api/index.ts";
import type { PortalSession } from "../sessions/index.ts";

/** What one tab watches. */
export type Watching = {
  readonly session: PortalSession;
  readonly approvals: (known: string | undefined) => Promise<News>;
  /** A word for the newest purchases as they stand; another word means that something happened. */
  readonly purchases: () => Promise<string | undefined>;
};

/** Which sessions are over: one at the issuer, or all of a person. */
export type Ended = { readonly sid: string } | { readonly account: string };

/** Tells open pages what happens (HTML, server-sent events). */
export type Live = {
  stream(watching: Watching): ReadableStream<Uint8Array>;
  /** The pages of a session that has ended hear so at once. */
  ended(of: Ended): void;
  /** Lets all streams end, before the server drains. */
  close(): void;
};

// A browser comes again by itself; what is open for ever would keep a process that is to stop.
const lifeMs = 10 * minuteMs;
const afterTroubleMs = 2 * secondMs;
const openMax = 20;

type Open = { readonly session: PortalSession; readonly stop: (event: "over" | "later") => void };

export function createLive({ clock }: { readonly clock: Clock }): Live {
  const open = new Set<Open>();
  return {
    stream: (watching) => {
      const stopped = Promise.withResolvers<"over" | "later">();
      const mine: Open = { session: watching.session, stop: stopped.resolve };
      const events = eventsOf(watching, { clock, stopped: stopped.promise });
      let begun = false;
      return new ReadableStream<Uint8Array>(
        {
          pull: async (controller) => {
            if (!begun) begin(open, mine);
            begun = true;
            const next = await events.next().catch((error: unknown) => {
              open.delete(mine);
              throw error;
            });
            if (next.done !== true) return controller.enqueue(new TextEncoder().encode(next.value));
            open.delete(mine);
            controller.close();
          },
          cancel: () => {
            open.delete(mine);
            stopped.resolve("later");
          },
        },
        // What nobody reads, such as an answer to HEAD, is not kept and asks for nothing.
        { highWaterMark: 0 },
      );
    },
    ended: (of) => {
      for (const { session, stop } of open)
        if ("sid" in of ? session.sid === of.sid : session.person.account === of.account) stop("over");
    },
    close: () => {
      for (const { stop } of open) stop("later");
    },
  };
}

/** Of one session the oldest ends: each asks for itself, and nobody looks at so many pages. */
function begin(open: Set<Open>, mine: Open): void {
  const others = [...open].filter(({ session }) => session.id === mine.session.id);
  for (const oldest of others.slice(0, Math.max(0, others.length + 1 - openMax))) {
    open.delete(oldest);
    oldest.stop("later");
  }
  open.add(mine);
}

type Stream = { readonly clock: Clock; readonly stopped: Promise<"over" | "later"> };

/** What is told says that something changed, and nothing of what: the page asks for it by the way it always does. */
async function* eventsOf(watching: Watching, { clock, stopped }: Stream): AsyncGenerator<string, void> {
  const begun = momentOf(clock);
  let tag: string | undefined;
  let purchases = await watching.purchases();
  yield `retry: ${secondMs}\n\n`;
  while (msSince(begun, clock) < lifeMs) {
    const news = await Promise.race([watching.approvals(tag), stopped]);
    if (news === "later") return;
    if (news === "over" || news.kind === "over") return yield event("over", {});
    if (news.kind === "trouble") await Promise.race([pause(afterTroubleMs), stopped]);
    if (news.kind === "changed") {
      const isFirst = tag === undefined;
      tag = news.tag;
      const { data } = news.list;
      yield event("approvals", { waiting: data.length, newest: data[0]?.id ?? null, first: isFirst });
    }
    const now = await watching.purchases();
    if (now !== undefined && now !== purchases) yield event("purchases", {});
    else yield ": still here\n\n";
    purchases = now ?? purchases;
  }
}

const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
