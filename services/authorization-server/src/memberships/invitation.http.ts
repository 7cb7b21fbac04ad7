import { type Page, type PageAnswer, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { accountPage, backTo, type Door, forSignedIn, senderOf } from "../account/index.ts";
import { acceptInvitation, findInvitation, type MemberDeps } from "../organizations/index.ts";
import { csrf, refusalPage } from "../pages/index.ts";
import { invitationBody, typedCodeBody } from "./views.ts";

type Deps = Door & Pick<MemberDeps, "db" | "secrets" | "accounts">;

const place = "organizations";
const path = "/account/invitation";
const title = "Join an organization";
const code = z.string().regex(/^rms_[\w-]{43}$/);
// One sentence for every code that does not let this person in, so that a page tells nobody whom an organization asked (A18).
const refused =
  "This invitation lets your account in nowhere: it was sent to another address, has been used, or has ended. Ask whoever sent it for another.";

/** Where the letter leads. A GET only shows; whoever is signed out signs in, or makes an account, and comes back. */
export const invitationPages = (deps: Deps): Page[] => [shown(deps), accepted(deps)];

const shown = (deps: Deps): Page =>
  page({
    method: "GET",
    path,
    query: z.strictObject({ code: code.optional() }),
    refused: refusalPage,
    handle: (call, { query }) =>
      forSignedIn(deps, call, {
        page: query.code === undefined ? place : `invitation.${query.code}`,
        show: async ({ account, conversation }): Promise<PageAnswer> => {
          const form = { action: path, check: deps.forms.field(conversation) };
          if (query.code === undefined) return accountPage(place, { title, body: typedCodeBody(form) });
          const found = await findInvitation(deps, account, { code: query.code, now: call.now });
          if (found === undefined)
            return accountPage(place, { title, body: typedCodeBody(form), refused, status: 404 });
          return accountPage(place, {
            title,
            body: invitationBody(form, { ...found, code: query.code, email: account.email }),
          });
        },
      }),
  });

const accepted = (deps: Deps): Page =>
  page({
    method: "POST",
    path,
    form: z.strictObject({ csrf, code: z.string().trim().max(128) }),
    refused: refusalPage,
    handle: async (call, { form }) => {
      const { account, conversation } = await senderOf(deps, call, form);
      try {
        await acceptInvitation(deps, account, { code: form.code, now: call.now });
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "invitation_invalid") throw error;
        const again = { action: path, check: deps.forms.field(conversation) };
        return accountPage(place, { title, body: typedCodeBody(again), refused, status: 400 });
      }
      return backTo(place, "organization-joined");
    },
  });
