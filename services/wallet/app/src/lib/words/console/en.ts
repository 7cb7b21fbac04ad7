import { api } from "./en/api.ts";
import { disputes } from "./en/disputes.ts";
import { fleet } from "./en/fleet.ts";
import { frame } from "./en/frame.ts";
import { payouts } from "./en/payouts.ts";
import { records } from "./en/records.ts";
import { selling } from "./en/selling.ts";
import { trust } from "./en/trust.ts";

/** Every word of the pages of organizations, one file an area. The other languages have these types: a missing word does not compile. */
export const en = {
  ...frame,
  ...fleet,
  ...records,
  ...trust,
  ...selling,
  ...disputes,
  ...payouts,
  ...api,
};

export type ConsoleWords = typeof en;
