import { type Page, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { consentAnswer } from "../consent/index.ts";
import { limit, members, placeOf, textOfRefusal, Uid } from "../conversation/index.ts";
import { refusalPage } from "../pages/index.ts";
import { complete, type SignInDeps, saidOf, signInAnswer } from "./answers.ts";
import { afterFirst, secondFactorPages } from "./second-factor.http.ts";

const { csrf, passkey, response } = members;
const path = "/oauth/interactions/:uid";
const PasswordForm = z.strictObject({
  csrf,
  email: z.string().min(1).max(254),
  password: members.password,
});
const PasskeyForm = z.strictObject({ csrf, passkey, response });

/** Sign-in, and step-up, which is the same for somebody known. What counts is a POST from our own page (A17). */
export const signInPages = (deps: SignInDeps): Page[] => [
  showPage(deps),
  passwordPage(deps),
  passkeyPage(deps),
  ...secondFactorPages(deps),
  leavePage(deps),
];

const showPage = ({ interactions, forms, ...deps }: SignInDeps): Page =>
  page({
    method: "GET",
    path,
    params: Uid,
    refused: refusalPage,
    handle: async (call, { params: { uid } }) => {
      const asked = await interactions.read(call.raw);
      if (asked.uid !== uid)
        throw new Problem("not_found", { detail: "This request is not of this browser." });
      if (asked.kind === "consent") return consentAnswer({ forms }, asked);
      return signInAnswer({ interactions, forms, ...deps }, call, { asked });
    },
  });

const passwordPage = (deps: SignInDeps): Page =>
  page({
    method: "POST",
    path: `${path}/sign-in`,
    params: Uid,
    form: PasswordForm,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const { email, password } = form;
      const checked = await deps.accounts.checkPassword({ email, password, ip: call.ip, now: call.now });
      if (checked.kind === "right")
        return afterFirst(deps, call, {
          asked,
          account: checked.account,
          provenAt: call.now,
          first: { kind: "password" },
        });
      return signInAnswer(deps, call, {
        asked,
        email,
        ...saidOf(checked, "E-mail or password is not right."),
      });
    },
  });

const passkeyPage = (deps: SignInDeps): Page =>
  page({
    method: "POST",
    path: `${path}/passkey`,
    params: Uid,
    form: PasskeyForm,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      try {
        const place = placeOf(call, asked);
        const used = await deps.factors.passkeys.use(place, {
          ticket: form.passkey,
          response: form.response,
          verification: "required",
          ...(asked.known === undefined ? {} : { account: asked.known.id }),
        });
        const { account, proof } = used;
        return await complete(deps, call, { asked, account, provenAt: call.now, proofs: [proof] });
      } catch (error) {
        const refused = textOfRefusal(error);
        return signInAnswer(deps, call, { asked, refused, status: 401 });
      }
    },
  });

const leavePage = ({ conversation }: SignInDeps): Page =>
  page({
    method: "POST",
    path: `${path}/leave`,
    params: Uid,
    form: z.strictObject({ csrf }),
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      await conversation.readForm(call, uid, form);
      return conversation.leave(call);
    },
  });
