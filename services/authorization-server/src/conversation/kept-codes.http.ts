import { minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Accounts } from "../accounts/index.ts";
import { Proof } from "../assurance/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { keepingScript, refusalPage } from "../pages/index.ts";
import type { Tickets } from "../tickets/index.ts";
import { type Conversation, members, type Proven, ProvenAt, Uid } from "./conversation.ts";
import { accountBegun } from "./steps.ts";
import { codesPage } from "./views.ts";

/** Shows recovery codes on the way into the application: the last page of a sign-up, of a recovery, of a new factor. */
export type KeptCodes = {
  show(call: PageCall, asked: SignInAsked, given: Proven & { readonly codes: readonly string[] }): PageAnswer;
  readonly pages: readonly Page[];
};

type Deps = {
  readonly db: Database;
  readonly accounts: Accounts;
  readonly tickets: Tickets;
  readonly conversation: Conversation;
};
const Content = z.strictObject({ account: z.string(), proofs: z.array(Proof), provenAt: ProvenAt });

const purpose = "kept-codes";
const lifeMs = 15 * minuteMs;

export function createKeptCodes({ db, accounts, tickets, conversation }: Deps): KeptCodes {
  return {
    show: (call, asked, { account, proofs, provenAt, codes }) => {
      const place = { purpose, conversation: asked.uid, now: call.now, lifeMs };
      const ticket = tickets.seal(place, { account: account.id, proofs, provenAt });
      return conversation.show(asked, {
        scripts: [keepingScript],
        html: codesPage({ codes, ticket, form: conversation.form(asked, "kept-codes") }),
      });
    },
    pages: [
      page({
        method: "POST",
        path: "/oauth/interactions/:uid/kept-codes",
        params: Uid,
        form: z.strictObject({ csrf: members.csrf, ticket: members.ticket }),
        refused: refusalPage,
        handle: async (call, { params: { uid }, form }) => {
          const asked = await conversation.readForm(call, uid, form);
          const place = { purpose, conversation: uid, now: call.now, text: form.ticket };
          const ticket = tickets.open(place, Content);
          const { proofs, provenAt, ...content } = ticket.content;
          const account = await accountBegun(accounts, content.account, ticket.madeAt);
          await db.global.transaction((tx) => tickets.claim(tx, ticket));
          const finished = await conversation.finish(call, asked, { account, proofs, provenAt });
          if (finished === false)
            throw new Problem("forbidden", { detail: "The application asks for a security key." });
          return finished;
        },
      }),
    ],
  };
}
