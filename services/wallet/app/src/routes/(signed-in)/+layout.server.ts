import { apiOf, maybe } from "#lib/server-side.ts";
import type { LayoutServerLoad } from "./$types.ts";

export const load: LayoutServerLoad = async (event) => {
  const api = apiOf(event);
  const waiting = await maybe(event, api.approvals({ query: { status: "pending", limit: "100" } }));
  const { name, email } = event.locals.platform.signedIn?.person ?? { name: "", email: "" };
  return { who: name === "" ? email : name, waiting: waiting?.data.length ?? 0 };
};
