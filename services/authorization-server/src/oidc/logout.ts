import type { IncomingMessage, ServerResponse } from "node:http";
import { Problem, readJson } from "@remit/protocol";
import { type Html, html, layout, pageHeaders } from "../pages/index.ts";
import { type ClientEntity, type Ctx, logoutAsked } from "./seam.ts";

export const endSessionPath = "/oauth/end-session";

/**
 * RP-Initiated Logout 1.0 §2: the person says yes on our own page, whoever sent the browser here (A20). The form carries
 * the secret that the core put into this browser's session.
 */
export const rpInitiatedLogout = {
  enabled: true,
  logoutSource: async (ctx: Ctx): Promise<void> => {
    const { secret, client, returnTo } = logoutAsked(ctx);
    const target = returnTo === undefined ? undefined : URL.parse(returnTo)?.origin;
    answer(ctx, {
      title: "Sign out",
      targets: target === undefined ? [] : [target],
      body: html`<div class="sheet">
<h1>Sign out?</h1>
<p>You will be signed out of ${nameOf(client)} in this browser, and the applications that you opened with it are told. What you allowed an agent to spend goes on; take it back on its own page.</p>
<form method="post" action="${endSessionPath}/confirm">
<input type="hidden" name="xsrf" value="${secret}">
<div class="actions">
<button type="submit">Stay signed in</button>
<button class="seal" type="submit" name="logout" value="yes">Sign out</button>
</div>
</form>
</div>`,
    });
  },
  postLogoutSuccessSource: async (ctx: Ctx): Promise<void> => {
    answer(ctx, {
      title: "Signed out",
      targets: [],
      body: html`<div class="sheet"><h1>You are signed out</h1>
<p>Close this window if others use this computer.</p></div>`,
    });
  },
};

// Quoted, so that a name like "your bank" is seen as a name.
const nameOf = (client: ClientEntity | undefined): string =>
  client === undefined || client.remit_kind === "wallet" ? "Remit" : `“${client.clientName}” and Remit`;

function answer(
  ctx: Ctx,
  { title, body, targets }: { title: string; body: Html; targets: readonly string[] },
): void {
  ctx.type = "html";
  for (const [name, value] of Object.entries(pageHeaders({ formTargets: targets }))) ctx.set(name, value);
  ctx.body = layout({ title, body });
}

/** What our ID tokens have for a header: no typ, or the plain one. Logout and access tokens have their own. */
export function isIdToken(jwt: string): boolean {
  const read = readJson(Buffer.from(jwt.split(".")[0] ?? "", "base64url"), 1_024);
  const typ: unknown = "value" in read ? Object(read.value).typ : "unreadable";
  return typ === undefined || typ === "JWT";
}

export const isLogoutForm = ({ method, url = "" }: IncomingMessage): boolean =>
  method === "POST" && url.split("?", 1)[0] === endSessionPath;

const formBytesMax = 16_384;

/** RP-Initiated Logout 1.0 §2: also by POST. The core knows GET alone; it asks before it does anything either way. */
export async function askByGet(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    // A request's body yields Buffers; its type says any.
    bytes += chunk.length;
    if (bytes > formBytesMax)
      throw new Problem("payload_too_large", { detail: `At most ${formBytesMax} bytes.` });
    chunks.push(chunk);
  }
  const form = new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
  res.writeHead(303, { location: `${endSessionPath}?${form.toString()}`, "cache-control": "no-store" }).end();
}
