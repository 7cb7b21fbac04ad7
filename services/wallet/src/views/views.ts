import { type Clock, invariant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, Tx } from "@remit/platform/sql";
import { sha256b64url } from "@remit/protocol/node";
import { viewIn } from "../showing/index.ts";
import * as rows from "./views.sql.ts";

/** A filter of a long list under a name that a person gave it. */
export type View = {
  readonly name: string;
  /** As it stands in the address after the question mark. */
  readonly search: string;
};

/** One person's views. */
export type PersonViews = {
  of(list: string): Promise<readonly View[]>;
  all(): Promise<readonly (View & { readonly list: string })[]>;
  /** False where it cannot be kept: of no list, without a name, too long, or one more than a list may have. */
  keep(list: string, view: View): Promise<boolean>;
  remove(list: string, name: string): Promise<void>;
  forget(): Promise<void>;
};

export type Views = { of(account: string): PersonViews };

type Deps = { readonly db: Database; readonly keyring: Keyring; readonly clock: Clock };

const viewNameMax = 60;
const searchMax = 1_000;
const viewsMax = 30;
const sealingScope = "views";
const lists = /^\/(activity|console\/org_\w{1,40}\/(agents|audit|requests)|merchant\/org_\w{1,40}\/charges)$/;

export function createViews({ db, keyring, clock }: Deps): Views {
  const opened = async (tx: Tx, { sealed, ...key }: rows.ViewRow): Promise<View> => {
    const bytes = await keyring.open(tx, sealingScope, { sealed, aad: aadOf(key) });
    invariant(bytes !== undefined, "what people call their views is never shredded");
    return JSON.parse(new TextDecoder().decode(bytes)) as View; // sealed by this room alone
  };
  const views = (account: string): PersonViews => ({
    of: (list) =>
      db.global.transaction(async (tx) => {
        const found: View[] = [];
        for (const row of await rows.readViews(tx, account, list)) found.push(await opened(tx, row));
        return found;
      }),
    all: () =>
      db.global.transaction(async (tx) => {
        const found: (View & { list: string })[] = [];
        for (const row of await rows.readAllViews(tx, account))
          found.push({ list: row.list, ...(await opened(tx, row)) });
        return found;
      }),
    keep: async (list, view) => {
      const kept = keptOf(list, view);
      if (kept === undefined) return false;
      const key = keyOf(account, list, kept.name);
      return db.global.transaction(async (tx) => {
        const plaintext = new TextEncoder().encode(JSON.stringify(kept));
        const sealed = await keyring.seal(tx, sealingScope, { plaintext, aad: aadOf(key) });
        return rows.saveView(tx, { ...key, sealed }, { most: viewsMax, now: clock.now() });
      });
    },
    remove: (list, name) => rows.deleteView(db.single, keyOf(account, list, nameOf(name))),
    forget: () => rows.forgetViews(db.single, account),
  });
  return { of: views };
}

const aadOf = ({ account, list, digest }: rows.ViewKey): string => `${account} ${list} ${digest}`;

const keyOf = (account: string, list: string, name: string): rows.ViewKey => ({
  account,
  list,
  digest: sha256b64url(JSON.stringify([account, list, name])),
});

const nameOf = (typed: string): string => typed.normalize("NFC").replaceAll(/\s+/g, " ").trim();

/** What is kept of what was asked for. */
function keptOf(list: string, view: View): View | undefined {
  const [name, search] = [nameOf(view.name), viewIn(view.search)];
  const fits = name !== "" && name.length <= viewNameMax && search.length <= searchMax;
  return fits && lists.test(list) ? { name, search } : undefined;
}
