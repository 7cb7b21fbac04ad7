import { watch } from "node:fs";
import path from "node:path";
import type { Log } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import type { HealthCheck, Offers, Shop } from "./model.ts";
import { readOffersFile } from "./offers-file.ts";

/** What is for sale now. A reload that fails keeps the former offers. */
export type OfferBook = {
  current(): Offers;
  reload(): Promise<void>;
  close(): void;
};

/** Reads the file and follows it: a change on disk is live as soon as the file is whole and right. */
export async function openOfferBook(file: string, log: Log): Promise<OfferBook> {
  let offers: Offers = new Map();
  let reading = Promise.resolve();
  const read = async (): Promise<void> => {
    offers = await readOffersFile(file);
    for (const { id, rail, because } of droppedIn(offers))
      log.warn({ route: id, rail, because }, "a way to pay is not sold");
    log.info({ merchants: offers.size }, "offers are read");
  };
  // One after the other, so that the file read last is the one that counts.
  const reload = (): Promise<void> => {
    const next = reading.then(read);
    reading = next.catch((error: unknown) =>
      log.warn({ error }, "the offers file is refused; former offers stay"),
    );
    return next;
  };
  await read();
  // The directory is watched, not the file: a file put in place by rename is another inode.
  const watcher = watch(path.dirname(path.resolve(file)), (_, name) => {
    if (name !== null && name !== path.basename(file)) return;
    reload().catch(() => undefined); // told of above
  });
  watcher.on("error", (error) => log.error({ error }, "the offers file is no longer watched"));
  return { current: () => offers, reload, close: () => watcher.close() };
}

/** The shop of a Host header; 421 for a host nobody sells at (RFC 9110 §15.5.20). */
export function shopAt(offers: Offers, host: string | undefined): Shop {
  const shop = host === undefined ? undefined : offers.get(host.toLowerCase());
  if (shop === undefined) throw new Problem("merchant_host_unknown");
  return shop;
}

/** The health pages of all upstreams, each once: of two who ask one, the more anxious counts. */
export function watchedIn(offers: Offers): (HealthCheck & { readonly upstream: string })[] {
  const watched = new Map<string, HealthCheck & { readonly upstream: string }>();
  for (const { upstream, health } of [...offers.values()].flatMap((shop) => shop.routes)) {
    if (health === undefined) continue;
    const key = `${upstream} ${health.path}`;
    const known = watched.get(key);
    if (known === undefined || health.everyMs < known.everyMs) watched.set(key, { ...health, upstream });
  }
  return [...watched.values()];
}

/** Ways that are configured and cannot be sold, such as a card below its minimum: sellers must hear of it. */
const droppedIn = (offers: Offers): { id: string; rail: string; because: string }[] =>
  [...offers.values()].flatMap(({ routes }) =>
    routes.flatMap((route) =>
      route.gate === "paid" ? route.dropped.map((way) => ({ id: route.id, ...way })) : [],
    ),
  );
