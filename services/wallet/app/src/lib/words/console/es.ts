import type { ConsoleWords } from "./en.ts";
import { api } from "./es/api.ts";
import { disputes } from "./es/disputes.ts";
import { fleet } from "./es/fleet.ts";
import { frame } from "./es/frame.ts";
import { payouts } from "./es/payouts.ts";
import { records } from "./es/records.ts";
import { selling } from "./es/selling.ts";
import { trust } from "./es/trust.ts";

export const es: ConsoleWords = {
  ...frame,
  ...fleet,
  ...records,
  ...trust,
  ...selling,
  ...disputes,
  ...payouts,
  ...api,
};
