import { setTimeout as pause } from "node:timers/promises";
import type { DevFile } from "@remit/embedded";
import { KekRotationBody, RevokedKey, RotatedKeys, SigningKeyList } from "@remit/protocol/contracts";
import { bold, faint, good, print, printJson } from "./output.ts";
import { callAsOperator, withInstance } from "./running/index.ts";
import type { Where } from "./where.ts";

export type RotateWish = Where & { readonly purpose?: string };
export type RevokeWish = Where & { readonly reason: string };

const post = (dev: DevFile, path: string, body: object) =>
  callAsOperator(dev, { origin: dev.issuer, method: "POST", path, body });

export const listKeys = (options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const list = SigningKeyList.parse(
      await callAsOperator(dev, { origin: dev.issuer, method: "GET", path: "/api/v1/keys" }),
    );
    if (options.json === true) return printJson(list);
    print(bold(line(["purpose", "state", "kid", "signs from", "until"])));
    for (const key of list.data) {
      const until = key.reason === null ? (key.not_after ?? "") : `${key.not_after} (revoked: ${key.reason})`;
      print(line([key.purpose, key.state, key.kid, key.not_before, until]));
    }
  });

const line = ([purpose = "", state = "", kid = "", from = "", until = ""]: readonly string[]): string =>
  `${purpose.padEnd(14)}${state.padEnd(10)}${kid.padEnd(46)}${from.padEnd(26)}${until}`.trimEnd();

export const rotateKeys = (options: RotateWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const body = options.purpose === undefined ? {} : { purpose: options.purpose };
    const rotated = RotatedKeys.parse(await post(dev, "/api/v1/keys/rotate", body));
    if (options.json === true) return printJson(rotated);
    for (const key of rotated.data)
      print(good(`${key.purpose}: ${key.kid} is published, and signs from ${key.signs_from}.`));
    print(faint("Until then the present key signs. What it signed verifies for as long as it may live."));
  });

export const revokeKey = (kid: string, options: RevokeWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const path = `/api/v1/keys/${encodeURIComponent(kid)}/revoke`;
    const revoked = RevokedKey.parse(await post(dev, path, { reason: options.reason }));
    if (options.json === true) return printJson(revoked);
    print(good(`${revoked.kid} (${revoked.purpose}) is revoked: ${revoked.reason}.`));
    print(`Nobody accepts what it signed after ${revoked.refused_everywhere_by}.`);
    print(again(revoked));
  });

/** How what is lost comes back. */
function again({ purpose, successor }: RevokedKey): string {
  if (successor === null) return "It did not sign, so nothing has to be issued again.";
  const now = `${successor} signs in its place.`;
  if (purpose === "mandate")
    return `${now} Agents ask their principals for new mandates; those it signed are refused.`;
  if (purpose === "receipt" || purpose === "audit")
    return `${now} What it signed before stands; /.well-known/remit-keys says until when, and why it ended.`;
  return `${now} Clients get new tokens as they got the old ones; refresh tokens and sessions still work.`;
}

const pollMs = 500;

/** Each service has a key-encryption key of its own; the rotation of each goes on by itself, also when we stop looking. */
export const rotateKek = (options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const { issuer, directory, billing, gateway } = dev;
    const services = Object.entries({ "authorization-server": issuer, directory, billing, gateway });
    const rotated: Record<string, KekRotationBody> = {};
    for (const [service, origin] of services) {
      const path = "/api/v1/keys/kek";
      const read = async (method: "GET" | "POST", at: string) =>
        KekRotationBody.parse(await callAsOperator(dev, { origin, method, path: at }));
      let progress = await read("POST", `${path}/rotate`);
      while (progress.former !== null) {
        await pause(pollMs);
        progress = await read("GET", path);
      }
      rotated[service] = progress;
      if (options.json !== true)
        print(good(`${service}: everything is under ${progress.current}; the former key is destroyed.`));
    }
    if (options.json === true) return printJson(rotated);
    print(faint("Back up the new key files now: a backup of a database needs the key of its time."));
  });
