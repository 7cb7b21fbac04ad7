import { invalidateAll } from "$app/navigation";

/**
 * Asks for the page anew because something happened elsewhere. Nobody did it who sits here, so the server counts it as no use
 * of the session (src/sign-in/cookies.ts): a page that is only left open ends with its time.
 */
export async function refresh(): Promise<void> {
  const keep = (value: string, maxAgeS: number) =>
    (document.cookie = `still=${value}; Path=/; SameSite=Lax; Max-Age=${maxAgeS}`);
  keep("1", 20);
  try {
    await invalidateAll();
  } finally {
    keep("", 0);
  }
}
