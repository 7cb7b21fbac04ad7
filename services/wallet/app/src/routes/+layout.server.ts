import type { LayoutServerLoad } from "./$types.ts";

export const load: LayoutServerLoad = ({ locals: { locale, theme, zone, platform } }) => ({
  locale,
  theme,
  zone,
  nowMs: platform.nowMs,
  issuer: platform.issuer,
});
