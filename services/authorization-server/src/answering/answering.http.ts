import { minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page, type RawPair } from "@remit/platform/http";
import { type Json, Problem } from "@remit/protocol";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Account, Accounts } from "../accounts/index.ts";
import { type Answerer, type Approval, type Approvals, confirmedText } from "../approvals/index.ts";
import { acrOf } from "../assurance/index.ts";
import type { Factors } from "../factors/index.ts";
import type { AccountAccess } from "../oidc/index.ts";
import { csrf, type FormCheck, refusalPage } from "../pages/index.ts";
import { type Question, type StepUps, stepUpFields } from "../step-ups/index.ts";
import { approvalPage, approvalsPath, listPage, type Named, secondFactorPath, signInFirst } from "./views.ts";

type Deps = {
  /** Whether the money is real. */
  readonly livemode: boolean;
  readonly access: Pick<AccountAccess, "current" | "signInAt">;
  readonly accounts: Pick<Accounts, "byId">;
  readonly approvals: Approvals;
  readonly factors: Pick<Factors, "hasSecond">;
  readonly stepUps: StepUps;
  readonly forms: FormCheck;
  /** Origin of the wallet that shows the same questions, where there is one. */
  readonly wallet: string | undefined;
  /** As its owner wrote it. */
  readonly nameOf: (approval: Approval) => Promise<string>;
  /** Whose session the browser's cookie opens. */
  readonly opened: (
    raw: RawPair,
  ) => Promise<{ readonly uid: string; readonly accountId: string | undefined }>;
};

type Person = { readonly account: Account; readonly session: string };

const Path = z.strictObject({ id: idOf("approval") });
const ApproveForm = z.strictObject({ csrf, ...stepUpFields, step_up: stepUpFields.step_up.optional() });
const DenyForm = z.strictObject({ csrf, reason: z.string().max(500).optional() });
const limit = { count: 60, windowMs: minuteMs, by: "ip" } as const;
const shownMax = 50;
const freshMs = 5 * minuteMs;

/** Where a person answers agents, by the session that the interaction pages began. A GET only shows. */
export const answeringPages = (deps: Deps): Page[] => [
  listOf(deps),
  oneOf(deps),
  approveOf(deps),
  denyOf(deps),
  secondFactorOf(deps),
];

const listOf = (deps: Deps): Page =>
  page({
    method: "GET",
    path: approvalsPath,
    limit,
    refused: refusalPage,
    handle: (call) =>
      forPerson(deps, call, async ({ account }) => {
        const all = { principal: account.id, state: undefined, before: undefined, limit: shownMax };
        const found = await deps.approvals.list(account.home, all);
        const named = await Promise.all(found.map((approval) => namedOf(deps, approval)));
        return { status: 200, ...listPage(account, named) };
      }),
  });

const oneOf = (deps: Deps): Page =>
  page({
    method: "GET",
    path: `${approvalsPath}/:id`,
    params: Path,
    limit,
    refused: refusalPage,
    handle: (call, { params: { id } }) =>
      forPerson(deps, call, async (person) =>
        show(deps, person, { call, approval: await theirs(deps, person, id) }),
      ),
  });

const approveOf = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${approvalsPath}/:id/approve`,
    params: Path,
    form: ApproveForm,
    limit,
    refused: refusalPage,
    handle: (call, { params: { id }, form }) =>
      forPerson(deps, call, async (person) => {
        deps.forms.check(call, { conversation: person.session, csrf: form.csrf });
        const approval = await theirs(deps, person, id);
        if (await isTooLate(deps, call, person))
          return { status: 303, location: await deps.access.signInAt({ page: "approvals", anew: true }) };
        try {
          const by = {
            ...answererOf(call, person),
            confirm: await confirmed(deps, person, { call, form, approval }),
          };
          await deps.approvals.approve(nameFor(person, id), by);
        } catch (error) {
          // A wrong code or a cancelled passkey: the question still waits, and is asked to be confirmed anew.
          if (!(error instanceof Problem) || error.code !== "step_up_refused") throw error;
          return { ...(await show(deps, person, { call, approval, refused: error.detail })), status: 401 };
        }
        return { status: 303, location: `${approvalsPath}/${id}` };
      }),
  });

const denyOf = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${approvalsPath}/:id/deny`,
    criticality: "critical",
    params: Path,
    form: DenyForm,
    limit,
    refused: refusalPage,
    handle: (call, { params: { id }, form }) =>
      forPerson(deps, call, async (person) => {
        deps.forms.check(call, { conversation: person.session, csrf: form.csrf });
        const reason = form.reason === "" ? undefined : form.reason;
        await deps.approvals.deny(nameFor(person, id), { ...answererOf(call, person), reason });
        return { status: 303, location: `${approvalsPath}/${id}` };
      }),
  });

/** Whoever has no second factor adds one by the sign-in that wants two, and comes back to what waits. */
const secondFactorOf = (deps: Deps): Page =>
  page({
    method: "GET",
    path: secondFactorPath,
    limit,
    refused: refusalPage,
    handle: (call) =>
      forPerson(deps, call, async () => ({
        status: 303,
        location: await deps.access.signInAt({ page: "approvals", acr: acrOf(2) }),
      })),
  });

/** Whoever is signed in in this browser; nobody else is told anything. */
async function forPerson(
  { opened, accounts }: Deps,
  call: PageCall,
  work: (person: Person) => Promise<PageAnswer>,
): Promise<PageAnswer> {
  const { uid, accountId } = await opened(call.raw);
  const account = accountId === undefined ? undefined : await accounts.byId(accountId);
  return account === undefined ? { status: 401, ...signInFirst() } : work({ account, session: uid });
}

const nameFor = ({ account }: Person, id: Approval["id"]) => ({
  tenant: account.home,
  principal: account.id,
  id,
});

async function theirs({ approvals }: Deps, person: Person, id: Approval["id"]): Promise<Approval> {
  const found = await approvals.find(nameFor(person, id));
  if (found === undefined) throw new Problem("not_found", { detail: "There is no such approval." });
  return found;
}

const namedOf = async ({ nameOf }: Deps, approval: Approval): Promise<Named> => ({
  approval,
  agent: await nameOf(approval),
});

const answererOf = (call: PageCall, { account }: Person): Answerer => ({
  account: account.id,
  ip: call.ip,
  userAgent: call.header("user-agent"),
});

/** What is confirmed: this approval and what it allows, so that the proof is good for nothing else. */
const questionOf = ({ id, agent, subject }: Approval): Question => ({
  action: "approval.approve",
  what:
    subject.kind === "mandate"
      ? // Details are JSON by their making.
        { approval: id, agent, details: subject.request.details as unknown as Json }
      : { approval: id, purchase: confirmedText(subject, agent) },
  aal: 2,
});

async function show(
  deps: Deps,
  person: Person,
  { call, approval, refused }: { call: PageCall; approval: Approval; refused?: string | undefined },
): Promise<{ status: number; html: string; headers: Record<string, string> }> {
  const { account, session } = person;
  const second = approval.state === "pending" && (await deps.factors.hasSecond(account.id));
  const stepUp = second
    ? await deps.stepUps.ask({ account, session, now: call.now }, questionOf(approval))
    : undefined;
  const lacks = deps.livemode && !second;
  const named = await namedOf(deps, approval);
  const check = deps.forms.field(session);
  const { wallet } = deps;
  return { status: 200, ...approvalPage({ ...named, account, check, stepUp, lacks, refused, wallet }) };
}

/**
 * Who has no second factor to confirm with showed a moment ago who they are: the session alone allows nobody to spend.
 * Nothing is answered then, and the question still waits.
 */
async function isTooLate({ access, factors }: Deps, call: PageCall, { account }: Person): Promise<boolean> {
  if (await factors.hasSecond(account.id)) return false;
  const me = await access.current(call.raw);
  return me === undefined || call.now - me.authenticatedAt > freshMs;
}

/**
 * Where the account has a second factor, and wherever the money is real, a yes needs it; it is used up in the
 * transaction of the yes.
 */
async function confirmed(
  { livemode, factors, stepUps }: Deps,
  { account, session }: Person,
  { call, form, approval }: { call: PageCall; form: z.output<typeof ApproveForm>; approval: Approval },
): Promise<Answerer["confirm"]> {
  if (!(await factors.hasSecond(account.id))) {
    if (!livemode) return undefined;
    throw new Problem("insufficient_user_authentication", {
      detail: "Add a passkey or an authenticator app first: without one no spending is allowed here.",
    });
  }
  const { step_up: id = "", response, code, password } = form;
  const answered = { id, answer: { response, code, password }, ip: call.ip };
  const asking = { account, session, now: call.now };
  const checked = await stepUps.check(asking, questionOf(approval), answered);
  return (tx) => stepUps.consume(tx, checked, call.now);
}
