import { type Page, type PageAnswer, page } from "@remit/platform/http";
import { z } from "zod";
import { accountPage, backTo } from "../account/index.ts";
import { members } from "../conversation/index.ts";
import { changes, letters } from "../mail/index.ts";
import { refusalPage } from "../pages/index.ts";
import { changeMethods } from "./changing.ts";
import { type Changer, closing, type Deps, formAt, limit, openStep, takeStep, textOf } from "./steps.http.ts";
import { passwordBody } from "./views.ts";

const path = "/account/sign-in-methods/password";
const step = { page: "password" } as const;
const because = "password_changed";

export const passwordPages = (deps: Deps): Page[] => [
  page({
    method: "GET",
    path,
    refused: refusalPage,
    handle: (call) => openStep(deps, call, { ...step, show: async (changer) => shown(deps, { changer }) }),
  }),
  setPage(deps),
  removePage(deps),
];

function shown(deps: Deps, { changer, refused }: { changer: Changer; refused?: string }): PageAnswer {
  const { me, methods } = changer;
  return accountPage("sign-in-methods", {
    title: methods.password ? "Change the password" : "Set a password",
    body: passwordBody(me.account, methods, {
      set: formAt(deps, changer, "password"),
      remove: formAt(deps, changer, "password/remove"),
    }),
    ...(refused === undefined ? {} : { refused, status: 400 }),
  });
}

const setPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path,
    form: z.strictObject({ ...closing, username: members.email, password: members.password }),
    limit,
    refused: refusalPage,
    handle: (call, { form }) =>
      takeStep(deps, call, {
        ...step,
        form,
        show: async (changer) => {
          const { me } = changer;
          const { account } = me;
          const { now } = call;
          const closes = { because, others: form.end_others === "yes" } as const;
          try {
            const password = await deps.accounts.preparePassword(form.password, account.id);
            await changeMethods(deps, { me, now, closes }, async (tx) => {
              await deps.accounts.savePassword(tx, { account, password, now });
              await deps.post.send(tx, letters.changed({ to: account.email, what: changes.passwordChanged }));
            });
          } catch (error) {
            return shown(deps, { changer, refused: textOf(error) });
          }
          return backTo("sign-in-methods", "password-set");
        },
      }),
  });

const removePage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/remove`,
    form: z.strictObject(closing),
    limit,
    refused: refusalPage,
    handle: (call, { form }) =>
      takeStep(deps, call, {
        ...step,
        form,
        show: async (changer) => {
          const { me } = changer;
          const { now } = call;
          const closes = { because, others: form.end_others === "yes" } as const;
          try {
            await changeMethods(deps, { me, now, closes }, (tx) =>
              deps.factors.removePassword(tx, me.account, now),
            );
          } catch (error) {
            return shown(deps, { changer, refused: textOf(error) });
          }
          return backTo("sign-in-methods", "password-removed");
        },
      }),
  });
