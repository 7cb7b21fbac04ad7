import { api } from "./de/api.ts";
import { disputes } from "./de/disputes.ts";
import { fleet } from "./de/fleet.ts";
import { frame } from "./de/frame.ts";
import { payouts } from "./de/payouts.ts";
import { records } from "./de/records.ts";
import { selling } from "./de/selling.ts";
import { trust } from "./de/trust.ts";
import type { ConsoleWords } from "./en.ts";

export const de: ConsoleWords = {
  ...frame,
  ...fleet,
  ...records,
  ...trust,
  ...selling,
  ...disputes,
  ...payouts,
  ...api,
};
