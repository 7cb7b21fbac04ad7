import { type Page, type PageAnswer, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { accountPage, backTo, type Destination } from "../account/index.ts";
import type { Identity } from "../identities/index.ts";
import { refusalPage } from "../pages/index.ts";
import { changeMethods } from "./changing.ts";
import { type Changer, closing, type Deps, formAt, limit, openStep, takeStep, textOf } from "./steps.http.ts";
import { identityBody } from "./views.ts";

const Path = z.strictObject({ id: idOf("identity") });
const path = "/account/sign-in-methods/identities/:id";
type Id = Identity["id"];
const pageOf = (id: Id): Destination => `identity.${id}`;

/** What a person has linked at identity providers, one by one. */
export const identityPages = (deps: Deps): Page[] => [
  page({
    method: "GET",
    path,
    params: Path,
    refused: refusalPage,
    handle: (call, { params: { id } }) =>
      openStep(deps, call, { page: pageOf(id), show: (changer) => oneIdentity(deps, { changer, id }) }),
  }),
  page({
    method: "POST",
    path: `${path}/unlink`,
    params: Path,
    form: z.strictObject(closing),
    limit,
    refused: refusalPage,
    handle: (call, { params: { id }, form }) =>
      takeStep(deps, call, {
        page: pageOf(id),
        form,
        show: async (changer) => {
          const { me } = changer;
          const { now } = call;
          const closes = { because: "revoked_by_person", others: form.end_others === "yes" } as const;
          try {
            await changeMethods(deps, { me, now, closes }, (tx) =>
              deps.identities.unlink(tx, me.account, { id, now }),
            );
          } catch (error) {
            return oneIdentity(deps, { changer, id, refused: textOf(error) });
          }
          return backTo("sign-in-methods", "identity-unlinked");
        },
      }),
  }),
];

async function oneIdentity(
  deps: Deps,
  { changer, id, refused }: { changer: Changer; id: Id; refused?: string },
): Promise<PageAnswer> {
  const { me, methods } = changer;
  const identities = await deps.identities.of(me.account.id);
  const identity = identities.find((one) => one.id === id);
  if (identity === undefined)
    throw new Problem("not_found", { detail: "This is not linked to your account." });
  const others = methods.password || methods.passkeys.length > 0;
  const last = !others && !(await deps.identities.hasBeside(me.account.id, id));
  return accountPage("sign-in-methods", {
    title: `Unlink “${identity.providerName}”`,
    body: identityBody(identity, { last, unlink: formAt(deps, changer, `identities/${id}/unlink`) }),
    ...(refused === undefined ? {} : { refused, status: 400 }),
  });
}
