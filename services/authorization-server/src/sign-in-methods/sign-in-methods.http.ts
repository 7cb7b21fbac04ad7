import { type Page, page } from "@remit/platform/http";
import { accountPage, forSignedIn, places, ShownAfter } from "../account/index.ts";
import { refusalPage } from "../pages/index.ts";
import { appPages } from "./app.http.ts";
import { identityPages } from "./identities.http.ts";
import { passkeyPages } from "./passkeys.http.ts";
import { passwordPages } from "./password.http.ts";
import { recoveryCodePages } from "./recovery-codes.http.ts";
import type { Deps } from "./steps.http.ts";
import { methodsBody } from "./views.ts";

/** How a person signs in: they see it here and change it. Whatever changes it takes a sign-in of the last minutes. */
export const signInMethodPages = (deps: Deps): Page[] => [
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
          const identities = await deps.identities.of(me.account.id);
          const body = methodsBody({ ...methods, identities });
          return accountPage("sign-in-methods", { title: "Sign-in methods", body, done });
        },
      }),
  }),
  ...passkeyPages(deps),
  ...passwordPages(deps),
  ...appPages(deps),
  ...recoveryCodePages(deps),
  ...identityPages(deps),
];
