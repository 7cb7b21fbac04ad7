import { activity } from "./de/activity.ts";
import { agents } from "./de/agents.ts";
import { approvals } from "./de/approvals.ts";
import { charts } from "./de/charts.ts";
import { control } from "./de/control.ts";
import { disputes } from "./de/disputes.ts";
import { home } from "./de/home.ts";
import { mandates } from "./de/mandates.ts";
import { money } from "./de/money.ts";
import { notices } from "./de/notices.ts";
import { palette } from "./de/palette.ts";
import { problems } from "./de/problems.ts";
import { rules } from "./de/rules.ts";
import { security } from "./de/security.ts";
import { setup } from "./de/setup.ts";
import { shell } from "./de/shell.ts";
import { tables } from "./de/tables.ts";
import type { Words } from "./en.ts";

export const de: Words = {
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
