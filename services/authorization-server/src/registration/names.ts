import { refuse } from "./refuse.ts";

const forbidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}<>]/u;

/** The name is shown as unverified everywhere; control, invisible and direction-changing characters would deceive. */
export function nameOf(text: string): string {
  const name = text.normalize("NFC").trim();
  if (name.length === 0 || name.length > 80) return refuse("client_name must have 1 to 80 characters.");
  if (forbidden.test(name)) return refuse("client_name has a character that is not accepted.");
  return name;
}
