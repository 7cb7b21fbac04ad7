import type { ConsoleWords } from "./en.ts";
import { en } from "./en.ts";

export const es: ConsoleWords = en;
