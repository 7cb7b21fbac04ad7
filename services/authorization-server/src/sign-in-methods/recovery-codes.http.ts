import { type Page, page } from "@remit/platform/http";
import { z } from "zod";
import { accountPage } from "../account/index.ts";
import { csrf, keepingScript, refusalPage } from "../pages/index.ts";
import { changeMethods } from "./changing.ts";
import { type Deps, formAt, limit, openStep, takeStep } from "./steps.http.ts";
import { newCodesBody, recoveryCodesBody } from "./views.ts";

const path = "/account/sign-in-methods/recovery-codes";
const step = { page: "recovery-codes", two: true } as const;

export const recoveryCodePages = (deps: Deps): Page[] => [
  page({
    method: "GET",
    path,
    refused: refusalPage,
    handle: (call) =>
      openStep(deps, call, {
        ...step,
        show: async (changer) =>
          accountPage("sign-in-methods", {
            title: "Recovery codes",
            body: recoveryCodesBody(formAt(deps, changer, "recovery-codes"), changer.methods),
          }),
      }),
  }),
  page({
    method: "POST",
    path,
    form: z.strictObject({ csrf }),
    limit,
    refused: refusalPage,
    handle: (call, { form }) =>
      takeStep(deps, call, {
        ...step,
        form,
        show: async ({ me }) => {
          const { now } = call;
          const codes = await changeMethods(deps, { me, now }, (tx) =>
            deps.factors.codes.makeRecoveryCodes(tx, me.account, { notify: true, now }),
          );
          // Shown by the answer itself: only digests stay here.
          const body = newCodesBody(codes);
          return accountPage("sign-in-methods", {
            title: "Keep these codes",
            body,
            scripts: [keepingScript],
          });
        },
      }),
  }),
];
