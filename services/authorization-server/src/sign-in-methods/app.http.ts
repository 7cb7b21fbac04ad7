import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { accountPage, backTo } from "../account/index.ts";
import { members } from "../conversation/index.ts";
import { csrf, refusalPage } from "../pages/index.ts";
import { changeMethods } from "./changing.ts";
import { type Changer, closing, type Deps, formAt, limit, openStep, takeStep, textOf } from "./steps.http.ts";
import { newAppBody, removeAppBody } from "./views.ts";

const path = "/account/sign-in-methods";
const adding = { page: "new-app", two: true } as const;
const removing = { page: "app" } as const;

export const appPages = (deps: Deps): Page[] => [
  page({
    method: "GET",
    path: `${path}/new-app`,
    refused: refusalPage,
    handle: (call) =>
      openStep(deps, call, { ...adding, show: async (changer) => newApp(deps, call, { changer }) }),
  }),
  addPage(deps),
  page({
    method: "GET",
    path: `${path}/app`,
    refused: refusalPage,
    handle: (call) => openStep(deps, call, { ...removing, show: async (changer) => oneApp(deps, changer) }),
  }),
  removePage(deps),
];

function newApp(
  deps: Deps,
  call: PageCall,
  { changer, refused }: { changer: Changer; refused?: string },
): PageAnswer {
  const { account, conversation } = changer.me;
  if (changer.methods.app)
    throw new Problem("invalid_request", {
      detail: "Your account has an authenticator app. Remove it first.",
    });
  const app = deps.factors.codes.offerApp({ conversation, now: call.now }, account);
  return accountPage("sign-in-methods", {
    title: "Add an authenticator app",
    body: newAppBody(formAt(deps, changer, "new-app"), app),
    ...(refused === undefined ? {} : { refused, status: 400 }),
  });
}

const addPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/new-app`,
    form: z.strictObject({ csrf, app: members.ticket, code: members.code }),
    limit,
    refused: refusalPage,
    handle: (call, { form }) =>
      takeStep(deps, call, {
        ...adding,
        form,
        show: async (changer) => {
          const { me } = changer;
          const { account, conversation } = me;
          const { now } = call;
          const { codes } = deps.factors;
          const again = (refused: string) => newApp(deps, call, { changer, refused });
          try {
            const given = { ticket: form.app, code: form.code, account: account.id };
            const app = codes.checkApp({ conversation, now }, given);
            if (app === undefined) return again("The code is not right. Scan the new QR code and try again.");
            await changeMethods(deps, { me, now }, (tx) => codes.addApp(tx, app, { account, now }));
          } catch (error) {
            return again(textOf(error));
          }
          return backTo("sign-in-methods", "app-added");
        },
      }),
  });

function oneApp(deps: Deps, changer: Changer): PageAnswer {
  if (!changer.methods.app) throw new Problem("not_found", { detail: "Your account has no app." });
  return accountPage("sign-in-methods", {
    title: "Remove the authenticator app",
    body: removeAppBody(formAt(deps, changer, "app/remove"), changer.methods),
  });
}

const removePage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/app/remove`,
    form: z.strictObject(closing),
    limit,
    refused: refusalPage,
    handle: (call, { form }) =>
      takeStep(deps, call, {
        ...removing,
        form,
        show: async ({ me }) => {
          const { now } = call;
          const closes = { because: "revoked_by_person", others: form.end_others === "yes" } as const;
          await changeMethods(deps, { me, now, closes }, (tx) =>
            deps.factors.codes.removeApp(tx, me.account, now),
          );
          return backTo("sign-in-methods", "app-removed");
        },
      }),
  });
