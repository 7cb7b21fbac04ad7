import { encode } from "uqr";
import { apiOf, refused, textIn } from "#lib/server-side.ts";
import type { Actions } from "./$types.ts";

export const actions = {
  default: async (event) => {
    const name = textIn(await event.request.formData(), "name");
    const answer = await apiOf(event).setUpAgent({ body: { name } });
    if (!answer.ok) return refused(event, answer.refusal);
    const { id, setup_token: token, expires_at: until } = answer.value;
    const command = `npx remit agent setup ${token} --issuer ${event.locals.platform.issuer}`;
    return { setup: { id, name, until, command, qr: picture(command) } };
  },
} satisfies Actions;

/** The command as one path: no picture is fetched, and no third party sees the token. */
function picture(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { ecc: "M", border: 0 });
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return { size, path };
}
