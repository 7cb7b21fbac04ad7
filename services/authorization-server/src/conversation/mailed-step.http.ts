import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import { z } from "zod";
import type { Accounts } from "../accounts/index.ts";
import type { MailedCode, MailedCodes, Sending } from "../mail/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { type Html, refusalPage } from "../pages/index.ts";
import { type Conversation, limit, members, Uid } from "./conversation.ts";
import { placeOf, type Refused } from "./steps.ts";
import { mailedCodePage } from "./views.ts";

/** A step that a code from a mailbox opens: what it is for, and what comes after it. */
export type MailedStep<C extends z.ZodType> = {
  /** Of its ticket; the letters to one address are counted by it. */
  readonly purpose: string;
  /** Where its form goes, below the conversation. */
  readonly step: string;
  readonly why: string;
  /** What the ticket carries to the page after it. */
  readonly content: C;
  /** Asked for beside the code, as `second`. */
  readonly second?: Html;
  /** With the right code: `use` uses it up. What is refused is asked again. */
  right(call: PageCall, opened: OpenedByMail<z.output<C>>): Promise<PageAnswer | Refused>;
};

export type OpenedByMail<T> = {
  readonly asked: SignInAsked;
  readonly code: MailedCode<T>;
  readonly second: string;
  readonly use: () => Promise<void>;
};

type Deps = {
  readonly accounts: Pick<Accounts, "digestOf">;
  readonly mailedCodes: MailedCodes;
  readonly conversation: Conversation;
};

export type MailedStepPages = {
  /** Writes the letter; the page that asks for its code, which is the same whoever has the address (A18). */
  send(
    call: PageCall,
    asked: SignInAsked,
    of: Pick<Sending, "email" | "content" | "letter">,
  ): Promise<PageAnswer>;
  readonly page: Page;
};

const { csrf, ticket, code } = members;
type CodeForm = { csrf: string; ticket: string; code: string; second?: string };
const Code: z.ZodType<CodeForm> = z.strictObject({ csrf, ticket, code });
const CodeAndSecond: z.ZodType<CodeForm> = z.strictObject({ csrf, ticket, code, second: z.string().max(64) });

export function createMailedStep<C extends z.ZodType>(deps: Deps, step: MailedStep<C>): MailedStepPages {
  const { accounts, mailedCodes, conversation } = deps;
  const { purpose } = step;
  const ask = (
    asked: SignInAsked,
    shown: { email: string; ticket: string } & Partial<Refused>,
  ): PageAnswer => {
    const { status = 200, ...more } = shown;
    const html = mailedCodePage(asked, {
      ...more,
      why: step.why,
      form: conversation.form(asked, step.step),
      leave: conversation.form(asked, "leave"),
      ...(step.second === undefined ? {} : { more: step.second }),
    });
    return conversation.show(asked, { status, html });
  };
  return {
    async send(call, asked, of) {
      const { email } = of;
      const place = { ...placeOf(call, asked), ip: call.ip };
      const sent = await mailedCodes.send(place, { ...of, purpose, digest: accounts.digestOf(email) });
      return ask(asked, { email, ticket: sent });
    },
    page: page({
      method: "POST",
      path: `/oauth/interactions/:uid/${step.step}`,
      params: Uid,
      form: step.second === undefined ? Code : CodeAndSecond,
      limit,
      refused: refusalPage,
      handle: async (call, { params: { uid }, form }) => {
        const asked = await conversation.readForm(call, uid, form);
        const given = { purpose, ticket: form.ticket, code: form.code };
        const checked = await mailedCodes.check(placeOf(call, asked), given, step.content);
        const again = (refused: Refused): PageAnswer =>
          ask(asked, { email: checked.email, ticket: form.ticket, ...refused });
        if (checked.outcome !== "right") return again({ refused: refusals[checked.outcome], status: 401 });
        const { second = "" } = form;
        const use = (): Promise<void> => mailedCodes.use(checked);
        const answer = await step.right(call, { asked, code: checked, second, use });
        return "refused" in answer ? again(answer) : answer;
      },
    }),
  };
}

const refusals = {
  locked: "Too many attempts with this letter. Go back and ask for a new one.",
  wrong: "The code is not right.",
} as const;
