import type { PageAnswer, PageCall } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import type { AccountAccess, SignedIn } from "../oidc/index.ts";
import type { FormCheck } from "../pages/index.ts";
import type { Destination } from "./frame.ts";

export type Door = { readonly access: AccountAccess; readonly forms: FormCheck };

/** For whoever is signed in; anybody else is sent to sign in, and back. */
export async function forSignedIn(
  { access }: Pick<Door, "access">,
  call: PageCall,
  { page, show }: { page: Destination; show: (me: SignedIn) => Promise<PageAnswer> },
): Promise<PageAnswer> {
  const me = await access.current(call.raw);
  if (me === undefined) return { status: 303, location: await access.signInAt({ page }) };
  return show(me);
}

/** Who sent a form of ours from the session that it was shown in (A17). */
export async function senderOf(
  { access, forms }: Door,
  call: PageCall,
  { csrf }: { csrf: string },
): Promise<SignedIn> {
  const me = await access.current(call.raw);
  if (me === undefined)
    throw new Problem("forbidden", { detail: "You are signed out. Open the page again." });
  forms.check(call, { conversation: me.conversation, csrf });
  return me;
}
