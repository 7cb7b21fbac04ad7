import type { Words } from "./en.ts";
import { activity } from "./es/activity.ts";
import { agents } from "./es/agents.ts";
import { approvals } from "./es/approvals.ts";
import { charts } from "./es/charts.ts";
import { control } from "./es/control.ts";
import { disputes } from "./es/disputes.ts";
import { home } from "./es/home.ts";
import { mandates } from "./es/mandates.ts";
import { money } from "./es/money.ts";
import { notices } from "./es/notices.ts";
import { palette } from "./es/palette.ts";
import { problems } from "./es/problems.ts";
import { rules } from "./es/rules.ts";
import { security } from "./es/security.ts";
import { setup } from "./es/setup.ts";
import { shell } from "./es/shell.ts";
import { tables } from "./es/tables.ts";

export const es: Words = {
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
