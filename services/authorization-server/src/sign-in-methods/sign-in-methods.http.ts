import { type Page, page } from "@remit/platform/http";
import { accountPage, forSignedIn, places, ShownAfter } from "../account/index.ts";
import type { SignedIn } from "../oidc/index.ts";
import { type Html, refusalPage } from "../pages/index.ts";
import { appPages } from "./app.http.ts";
import { passkeyPages } from "./passkeys.http.ts";
import { passwordPages } from "./password.http.ts";
import { recoveryCodePages } from "./recovery-codes.http.ts";
import type { Deps } from "./steps.http.ts";
import { methodsBody } from "./views.ts";

/** More of how somebody signs in, from another room: below what is ours. `check` is the hidden field of the form check. */
export type MethodsSection = (me: SignedIn, check: Html) => Promise<Html>;

/** How a person signs in: they see it here and change it. Whatever changes it takes a sign-in of the last minutes. */
export const signInMethodPages = (deps: Deps & { readonly sections: readonly MethodsSection[] }): Page[] => [
  page({
    method: "GET",
    path: places["sign-in-methods"].href,
    query: ShownAfter,
    refused: refusalPage,
    handle: (call, { query: { done } }) =>
      forSignedIn(deps, call, {
        page: "sign-in-methods",
        show: async (me) => {
          const methods = await deps.factors.methodsOf(me.account.id);
          const check = deps.forms.field(me.conversation);
          const more = await Promise.all(deps.sections.map((section) => section(me, check)));
          const body = methodsBody(methods, more);
          return accountPage("sign-in-methods", { title: "Sign-in methods", body, done });
        },
      }),
  }),
  ...passkeyPages(deps),
  ...passwordPages(deps),
  ...appPages(deps),
  ...recoveryCodePages(deps),
];
