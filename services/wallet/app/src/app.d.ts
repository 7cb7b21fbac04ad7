import type { Locale } from "#lib/words/locales.ts";
import type { Platform as Given } from "../../src/portal/index.ts";

declare global {
  namespace App {
    // SvelteKit reads these interfaces by their names.
    interface Platform extends Given {}
    interface Locals {
      locale: Locale;
      theme: "light" | "dark" | "system";
      zone: string;
      platform: Given;
    }
    interface Error {
      message: string;
      code?: string;
      detail?: string;
      remedy?: string;
      requestId?: string;
    }
  }
}
