import { activity } from "./en/activity.ts";
import { agents } from "./en/agents.ts";
import { approvals } from "./en/approvals.ts";
import { charts } from "./en/charts.ts";
import { control } from "./en/control.ts";
import { disputes } from "./en/disputes.ts";
import { home } from "./en/home.ts";
import { mandates } from "./en/mandates.ts";
import { money } from "./en/money.ts";
import { notices } from "./en/notices.ts";
import { palette } from "./en/palette.ts";
import { problems } from "./en/problems.ts";
import { rules } from "./en/rules.ts";
import { security } from "./en/security.ts";
import { setup } from "./en/setup.ts";
import { shell } from "./en/shell.ts";
import { tables } from "./en/tables.ts";

/** Every word of the portal, one file an area. The other languages have these types: a missing word does not compile. */
export const en = {
  ...shell,
  ...home,
  ...mandates,
  ...approvals,
  ...activity,
  ...agents,
  ...security,
  ...setup,
  ...money,
  ...notices,
  ...rules,
  ...disputes,
  ...charts,
  ...control,
  ...tables,
  ...palette,
  ...problems,
};

export type Words = typeof en;
