import type { Words } from "./en.ts";
import { activity } from "./ja/activity.ts";
import { agents } from "./ja/agents.ts";
import { approvals } from "./ja/approvals.ts";
import { charts } from "./ja/charts.ts";
import { control } from "./ja/control.ts";
import { disputes } from "./ja/disputes.ts";
import { home } from "./ja/home.ts";
import { mandates } from "./ja/mandates.ts";
import { money } from "./ja/money.ts";
import { notices } from "./ja/notices.ts";
import { palette } from "./ja/palette.ts";
import { problems } from "./ja/problems.ts";
import { rules } from "./ja/rules.ts";
import { security } from "./ja/security.ts";
import { setup } from "./ja/setup.ts";
import { shell } from "./ja/shell.ts";
import { tables } from "./ja/tables.ts";

export const ja: Words = {
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
