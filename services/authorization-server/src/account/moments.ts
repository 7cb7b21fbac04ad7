import type { Instant } from "@remit/kernel";

const format = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZone: "UTC",
  timeZoneName: "short",
});

/** "26 Nov 2026, 06:33 UTC". */
export const moment = (at: Instant): string => format.format(at);
