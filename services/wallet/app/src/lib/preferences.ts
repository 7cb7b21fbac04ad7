export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

export const themeIn = (text: string | undefined): Theme =>
  themes.find((theme) => theme === text) ?? "system";

/** The viewer's time zone as their browser once said; UTC until then. */
export function zoneIn(text: string | undefined): string {
  if (text === undefined || text.length > 64) return "UTC";
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}
