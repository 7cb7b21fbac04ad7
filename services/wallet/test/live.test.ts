import { newId, systemClock } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { expect, test } from "vitest";
import type { News } from "../src/api/index.ts";
import { createLive, type Watching } from "../src/live/index.ts";
import type { PortalSession } from "../src/sessions/index.ts";

const session: PortalSession = {
  id: newId("session"),
  digest: "",
  sid: newId("session"),
  generation: 1,
  person: {
    account: newId("account"),
    name: "Ada",
    email: "",
    acr: "urn:remit:aal1",
    signedInAt: systemClock.now(),
  },
  tokens: { refresh: "", idToken: "", access: {} },
};

/** A tab whose person is asked nothing; what is asked for it is counted. */
function tab() {
  const asked = { approvals: 0, purchases: 0 };
  const held = Promise.withResolvers<News>();
  const watching: Watching = {
    session,
    approvals: () => {
      asked.approvals += 1;
      return held.promise;
    },
    purchases: async () => {
      asked.purchases += 1;
      return "";
    },
  };
  return { asked, watching, answer: held.resolve };
}

test("a stream that nobody reads, such as the answer to HEAD, asks for nothing", async () => {
  const live = createLive({ clock: systemClock });
  const [unread, read] = [tab(), tab()];
  live.stream(unread.watching);
  const reader = live.stream(read.watching).getReader();
  await reader.read();
  expect(read.asked.purchases).toBe(1);
  expect(unread.asked).toEqual({ approvals: 0, purchases: 0 });
  await reader.cancel();
});

test("the pages of a session hear at once that it has ended, and the stream ends", async () => {
  const live = createLive({ clock: systemClock });
  const { watching, asked } = tab();
  const reader = live.stream(watching).getReader();
  await reader.read();
  const next = reader.read();
  await eventually(() => expect(asked.approvals).toBe(1));
  live.ended({ sid: session.sid });
  expect(new TextDecoder().decode((await next).value)).toBe("event: over\ndata: {}\n\n");
  expect((await reader.read()).done).toBe(true);
});

test("what is no problem of an API breaks the stream off, and the browser comes again", async () => {
  const live = createLive({ clock: systemClock });
  const { watching } = tab();
  const broken = { ...watching, purchases: () => Promise.reject(new Error("the database is away")) };
  await expect(live.stream(broken).getReader().read()).rejects.toThrow("the database is away");
});

test("of a session twenty streams are open, and the oldest makes room for one more", async () => {
  const live = createLive({ clock: systemClock });
  const readers: ReadableStreamDefaultReader<Uint8Array>[] = [];
  for (let opened = 0; opened < 21; opened++) {
    const reader = live.stream(tab().watching).getReader();
    await reader.read();
    readers.push(reader);
  }
  const [oldest, ...others] = readers;
  expect((await oldest?.read())?.done).toBe(true);
  const waiting = others.map((reader) => reader.read());
  live.ended({ sid: session.sid });
  const said = await Promise.all(waiting);
  expect(said.map(({ value }) => new TextDecoder().decode(value))).toEqual(
    Array.from({ length: 20 }, () => "event: over\ndata: {}\n\n"),
  );
});
