import { minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Accounts } from "../accounts/index.ts";
import { type Asked, type Interactions, interactionPath } from "../oidc/index.ts";
import { csrf, type FormCheck, pageHeaders, refusalPage } from "../pages/index.ts";
import { consentPage, signInPage } from "./views.ts";

type Deps = {
  readonly accounts: Accounts;
  readonly interactions: Interactions;
  readonly forms: FormCheck;
};

const Uid = z.strictObject({ uid: z.string().regex(/^[\w-]{16,64}$/) });
const SignInForm = z.strictObject({
  csrf,
  email: z.string().min(1).max(254),
  password: z.string().min(1).max(1024),
});
const ConsentForm = z.strictObject({ csrf, decision: z.enum(["approve", "deny"]) });

/** Sign-in and consent. A GET only shows; what counts is a POST from our own page in the browser that began it. */
export function signInPages(deps: Deps): Page[] {
  const { interactions, forms } = deps;
  const show = page({
    method: "GET",
    path: "/oauth/interactions/:uid",
    params: Uid,
    refused: refusalPage,
    handle: async (call, { params }) => {
      const asked = await read(deps, call, params.uid);
      return answer(deps, asked, { status: 200, email: "" });
    },
  });
  const signIn = page({
    method: "POST",
    path: "/oauth/interactions/:uid/sign-in",
    params: Uid,
    form: SignInForm,
    limit: { count: 30, windowMs: minuteMs, by: "ip" },
    refused: refusalPage,
    handle: (call, { params, form }) => trySignIn(deps, call, { uid: params.uid, form }),
  });
  const decide = page({
    method: "POST",
    path: "/oauth/interactions/:uid/consent",
    params: Uid,
    form: ConsentForm,
    refused: refusalPage,
    handle: async (call, { params, form }) => {
      forms.check(call, { conversation: params.uid, csrf: form.csrf });
      const asked = await read(deps, call, params.uid);
      if (asked.kind !== "consent") throw new Problem("invalid_request", { detail: "Sign in first." });
      const from = { ip: call.ip, userAgent: call.header("user-agent") };
      const location =
        form.decision === "approve"
          ? await interactions.allow(call.raw, asked, from)
          : await interactions.deny(call.raw, asked);
      return { status: 303, location };
    },
  });
  return [show, signIn, decide];
}

async function trySignIn(
  deps: Deps,
  call: PageCall,
  { uid, form }: { uid: string; form: z.output<typeof SignInForm> },
): Promise<PageAnswer> {
  deps.forms.check(call, { conversation: uid, csrf: form.csrf });
  const asked = await read(deps, call, uid);
  const { email, password } = form;
  const outcome = await deps.accounts.signIn({ email, password, ip: call.ip, now: call.now });
  switch (outcome.kind) {
    case "signed_in":
      return { status: 303, location: await deps.interactions.signedIn(call.raw, outcome.account) };
    case "locked": {
      const minutes = Math.ceil(outcome.retryAfterS / 60);
      const refused = `Too many attempts. Try again in ${minutes} minutes.`;
      return answer(deps, asked, { status: 429, email, refused, retryAfterS: outcome.retryAfterS });
    }
    case "refused":
      return answer(deps, asked, { status: 401, email, refused: "E-mail or password is not right." });
  }
}

type Shown = {
  readonly status: number;
  readonly email: string;
  readonly refused?: string;
  readonly retryAfterS?: number;
};

function answer(deps: Deps, asked: Asked, shown: Shown): PageAnswer {
  const check = deps.forms.field(asked.uid);
  const path = interactionPath(asked.uid);
  const target = URL.parse(asked.redirectUri)?.origin;
  const headers = {
    ...pageHeaders({ formTargets: target === undefined ? [] : [target] }),
    ...(shown.retryAfterS === undefined ? {} : { "retry-after": String(shown.retryAfterS) }),
  };
  const { email, refused } = shown;
  const view =
    asked.kind === "consent"
      ? consentPage({ action: `${path}/consent`, check }, asked)
      : signInPage(
          { action: `${path}/sign-in`, check },
          { client: asked.client, email, ...(refused === undefined ? {} : { refused }) },
        );
  return { status: shown.status, headers, html: view };
}

/** The conversation of this browser: the cookie must be the one of the address. */
async function read({ interactions }: Deps, call: PageCall, uid: string): Promise<Asked> {
  const asked = await interactions.read(call.raw);
  if (asked.uid !== uid) throw new Problem("not_found", { detail: "This request is not of this browser." });
  return asked;
}
