import type { ConsoleWords } from "./en.ts";
import { api } from "./ja/api.ts";
import { disputes } from "./ja/disputes.ts";
import { fleet } from "./ja/fleet.ts";
import { frame } from "./ja/frame.ts";
import { payouts } from "./ja/payouts.ts";
import { records } from "./ja/records.ts";
import { selling } from "./ja/selling.ts";
import { trust } from "./ja/trust.ts";

export const ja: ConsoleWords = {
  ...frame,
  ...fleet,
  ...records,
  ...trust,
  ...selling,
  ...disputes,
  ...payouts,
  ...api,
};
