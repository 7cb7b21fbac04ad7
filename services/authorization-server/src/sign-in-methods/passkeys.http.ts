import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { accountPage, backTo, type Destination } from "../account/index.ts";
import { members } from "../conversation/index.ts";
import { deviceName, passkeyScript } from "../factors/index.ts";
import { csrf, refusalPage } from "../pages/index.ts";
import { changeMethods } from "./changing.ts";
import { type Changer, closing, type Deps, formAt, limit, openStep, takeStep, textOf } from "./steps.http.ts";
import { newPasskeyBody, passkeyBody } from "./views.ts";

const name = z.string().trim().max(80);
const NewPasskey = z.strictObject({ csrf, passkey: members.passkey, response: z.string().max(24_576), name });
const Path = z.strictObject({ key: z.string().regex(/^[\w-]{43}$/) });
const path = "/account/sign-in-methods";
const adding = { page: "new-passkey", two: true } as const;

export const passkeyPages = (deps: Deps): Page[] => [
  page({
    method: "GET",
    path: `${path}/new-passkey`,
    refused: refusalPage,
    handle: (call) =>
      openStep(deps, call, { ...adding, show: (changer) => newPasskey(deps, call, { changer }) }),
  }),
  addPage(deps),
  page({
    method: "GET",
    path: `${path}/passkeys/:key`,
    params: Path,
    refused: refusalPage,
    handle: (call, { params: { key } }) =>
      openStep(deps, call, {
        page: pageOf(key),
        show: async (changer) => onePasskey(deps, { changer, key }),
      }),
  }),
  renamePage(deps),
  removePage(deps),
];

const pageOf = (key: string): Destination => `passkey.${key}`;

async function newPasskey(
  deps: Deps,
  call: PageCall,
  { changer, refused }: { changer: Changer; refused?: string },
): Promise<PageAnswer> {
  const { account, conversation } = changer.me;
  const passkey = await deps.factors.passkeys.beginEnrolment({ conversation, now: call.now }, account);
  const called = deviceName(call.header("user-agent"));
  return accountPage("sign-in-methods", {
    title: "Add a passkey",
    body: newPasskeyBody(formAt(deps, changer, "new-passkey"), { passkey, called }),
    scripts: [passkeyScript],
    ...(refused === undefined ? {} : { refused, status: 400 }),
  });
}

const addPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/new-passkey`,
    form: NewPasskey,
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
          const called = form.name === "" ? deviceName(call.header("user-agent")) : form.name;
          // Sent by the Enter key: nothing was created yet.
          if (form.response === "")
            return newPasskey(deps, call, { changer, refused: "Press “Create a passkey” to create it." });
          try {
            const given = {
              ticket: form.passkey,
              response: form.response,
              name: called,
              account: account.id,
            };
            const checked = await deps.factors.passkeys.checkEnrolment({ conversation, now }, given);
            await changeMethods(deps, { me, now }, (tx) =>
              deps.factors.passkeys.add(tx, checked, { account, notify: true, now }),
            );
          } catch (error) {
            return newPasskey(deps, call, { changer, refused: textOf(error) });
          }
          return backTo("sign-in-methods", "passkey-added");
        },
      }),
  });

function onePasskey(
  deps: Deps,
  { changer, key, refused }: { changer: Changer; key: string; refused?: string },
): PageAnswer {
  const { methods } = changer;
  const passkey = methods.passkeys.find((one) => one.key === key);
  if (passkey === undefined) throw new Problem("not_found", { detail: "There is no such passkey." });
  return accountPage("sign-in-methods", {
    title: passkey.name,
    body: passkeyBody(passkey, methods, {
      rename: formAt(deps, changer, `passkeys/${key}/rename`),
      remove: formAt(deps, changer, `passkeys/${key}/remove`),
    }),
    ...(refused === undefined ? {} : { refused, status: 400 }),
  });
}

const renamePage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/passkeys/:key/rename`,
    params: Path,
    form: z.strictObject({ csrf, name: name.min(1) }),
    limit,
    refused: refusalPage,
    handle: (call, { params: { key }, form }) =>
      takeStep(deps, call, {
        page: pageOf(key),
        form,
        show: async ({ me }) => {
          const given = { key, name: form.name, now: call.now };
          await changeMethods(deps, { me, now: call.now }, (tx) =>
            deps.factors.passkeys.rename(tx, me.account, given),
          );
          return backTo("sign-in-methods", "passkey-renamed");
        },
      }),
  });

const removePage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/passkeys/:key/remove`,
    params: Path,
    form: z.strictObject(closing),
    limit,
    refused: refusalPage,
    handle: (call, { params: { key }, form }) =>
      takeStep(deps, call, {
        page: pageOf(key),
        form,
        show: async (changer) => {
          const { me } = changer;
          const { now } = call;
          const closes = { because: "revoked_by_person", others: form.end_others === "yes" } as const;
          try {
            await changeMethods(deps, { me, now, closes }, (tx) =>
              deps.factors.passkeys.remove(tx, me.account, { key, now }),
            );
          } catch (error) {
            return onePasskey(deps, { changer, key, refused: textOf(error) });
          }
          return backTo("sign-in-methods", "passkey-removed");
        },
      }),
  });
