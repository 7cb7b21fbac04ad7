import { type Page, type PageAnswer, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Asked, Consent, Interactions } from "../oidc/index.ts";
import { interactionPath } from "../oidc/index.ts";
import { csrf, type FormCheck, pageHeaders, refusalPage } from "../pages/index.ts";
import { consentPage } from "./views.ts";

type Deps = { readonly interactions: Interactions; readonly forms: FormCheck };

const Uid = z.strictObject({ uid: z.string().regex(/^[\w-]{16,64}$/) });
const ConsentForm = z.strictObject({ csrf, decision: z.enum(["approve", "deny"]) });

/** The page that asks; the sign-in room shows it once somebody is signed in. */
export function consentAnswer({ forms }: Pick<Deps, "forms">, asked: Consent): PageAnswer {
  const form = { action: `${interactionPath(asked.uid)}/consent`, check: forms.field(asked.uid) };
  const target = URL.parse(asked.redirectUri)?.origin;
  const headers = pageHeaders({ formTargets: target === undefined ? [] : [target] });
  return { status: 200, headers, html: consentPage(form, asked) };
}

/** The answer to it. A GET only shows; what counts is a POST from our own page in the browser that began it. */
export const consentPages = ({ interactions, forms }: Deps): Page[] => [
  page({
    method: "POST",
    path: "/oauth/interactions/:uid/consent",
    params: Uid,
    form: ConsentForm,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      forms.check(call, { conversation: uid, csrf: form.csrf });
      const asked: Asked = await interactions.read(call.raw);
      if (asked.uid !== uid)
        throw new Problem("not_found", { detail: "This request is not of this browser." });
      if (asked.kind !== "consent") throw new Problem("invalid_request", { detail: "Sign in first." });
      const from = { ip: call.ip, userAgent: call.header("user-agent") };
      const location =
        form.decision === "approve"
          ? await interactions.allow(call.raw, asked, from)
          : await interactions.deny(call.raw, asked);
      return { status: 303, location };
    },
  }),
];
