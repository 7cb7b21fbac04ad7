import path from "node:path";
import type { Clock, Id, Instant } from "@remit/kernel";
import type { Page, Route } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import { mailEngine } from "@remit/platform/mail";
import type { Outbound } from "@remit/platform/outbound";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import { accountErasureRoutes } from "./account-erasure/index.ts";
import { type Accounts, createAccounts, createBreachedPasswords } from "./accounts/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { consentPages } from "./consent/index.ts";
import { createConversation, createKeptCodes } from "./conversation/index.ts";
import type { Notice } from "./deliveries/index.ts";
import { createEnrolment } from "./enrolment/index.ts";
import { createFactors, type Factors, factorRoutes } from "./factors/index.ts";
import { federatedSignIn, federationJobs, federationRoutes } from "./federation.ts";
import { endLastingGrantsOf } from "./grants/index.ts";
import { createGuesses, guessJobs } from "./guesses/index.ts";
import { createIdentities, hasIdentity, type Identities, unlinkAll } from "./identities/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import {
  createMailedCodes,
  createPost,
  letters,
  type MailedCodes,
  mailJobs,
  type Post,
} from "./mail/index.ts";
import type { Mandates } from "./mandates/index.ts";
import type { Interactions } from "./oidc/index.ts";
import { createFormCheck, type FormCheck } from "./pages/index.ts";
import { recoveryPages } from "./recovery/index.ts";
import { endSessionsOf, lockSessionsOf } from "./sessions/index.ts";
import { afterFirst, type SignInDeps, signInPages } from "./sign-in/index.ts";
import { signUpPages } from "./sign-up/index.ts";
import { createStepUps, type StepUps, stepUpJobs } from "./step-ups/index.ts";
import { createTickets, type Tickets } from "./tickets/index.ts";

/** Who people are and how they show it: what the pages and the OAuth core are built from. */
export type People = {
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly stepUps: StepUps;
  readonly tickets: Tickets;
  readonly post: Post;
  readonly mailedCodes: MailedCodes;
  readonly forms: FormCheck;
  /** Writes to those who run the tenant of the transaction that a webhook of theirs was turned off. */
  tellAdmins(tx: TenantTx, notice: Notice): Promise<void>;
  readonly identities: Identities;
};

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly keyring: Keyring;
};
type Doors = Grounds & {
  readonly keys: IssuerKeys;
  readonly outbound: Outbound;
  readonly metrics: Metrics;
};

export function createPeople(grounds: Grounds, jobs: Jobs): People {
  const { config, clock, log, db, keyring } = grounds;
  const guesses = createGuesses(grounds);
  const breached = createBreachedPasswords(config.breachedPasswords, { log });
  const accounts = createAccounts({ db, keyring, guesses, breached });
  const tickets = createTickets(keyring.derive("tickets"));
  const post = createPost(grounds);
  const mailedCodes = createMailedCodes({ db, tickets, guesses, post });
  const shown = { db, keyring, guesses, tickets, post, accounts, linked: hasIdentity };
  const factors = createFactors({ ...shown, issuer: config.issuer });
  const stepUps = createStepUps({ db, keyring, accounts, factors });
  const forms = createFormCheck({ issuer: config.issuer, key: keyring.derive("csrf") });
  const inbox = path.join(config.dataDir, "mail");
  const engine = mailEngine(config.smtp, inbox);
  mailJobs(jobs, { db, keyring, engine });
  guessJobs(jobs, { db, clock });
  stepUpJobs(jobs, { db, clock });
  const tellAdmins = async (tx: TenantTx, notice: Notice): Promise<void> => {
    for (const { email } of await accounts.adminsOf(tx))
      await post.send(tx, letters.webhookDisabled({ to: email, ...notice }));
  };
  federationJobs(jobs, { db, clock });
  const identities = createIdentities({ db, keyring, accounts, post, hasPasskey: factors.hasPasskeyWithin });
  return { accounts, factors, stepUps, tickets, post, mailedCodes, forms, tellAdmins, identities };
}

/**
 * Whoever gets back in throws everybody else out: what was lost may have been stolen. Sessions are locked first, so that
 * none gives a mandate meanwhile, and end after the mandates: tokens come last, as everywhere.
 */
const endAccessWith =
  (mandates: Mandates) =>
  async (tx: TenantTx, { account, now }: { account: Id<"account">; now: Instant }): Promise<void> => {
    const why = { because: "recovery", actor: { type: "account", id: account }, now } as const;
    await lockSessionsOf(tx, account);
    await mandates.suspendAllWithin(tx, account, why);
    await endSessionsOf(tx, account, why);
    await endLastingGrantsOf(tx, account, why);
    await unlinkAll(tx, { account, now });
  };

/** What a person's wallet, and a tenant's management, may ask of all this. */
export const peopleRoutes = (grounds: Doors, people: People, mandates: Mandates): Route[] => [
  ...accountErasureRoutes({ ...people, db: grounds.db, livemode: grounds.config.livemode, mandates }),
  ...factorRoutes({ ...people, db: grounds.db }),
  ...federationRoutes(grounds),
];

/** Everything that a person sees on the way through an authorization request. */
export function peoplePages(
  grounds: Doors,
  people: People,
  { interactions, mandates }: { readonly interactions: Interactions; readonly mandates: Mandates },
): Page[] {
  const { config, db } = grounds;
  const { forms } = people;
  const conversation = createConversation({
    interactions,
    forms,
    interrupt: (...sign) => federated.offerLink(...sign),
  });
  const keptCodes = createKeptCodes({ ...people, db, conversation });
  const enrolment = createEnrolment({ ...people, db, conversation, keptCodes });
  const signUp = config.signUp !== "closed";
  const signIn: SignInDeps = {
    ...people,
    interactions,
    conversation,
    enrolment,
    signUp,
    offers: (asked) => federated.offers(asked),
  };
  const federated = federatedSignIn(grounds, people, {
    conversation,
    afterFirst: (call, shown) => afterFirst(signIn, call, shown),
  });
  return [
    ...signInPages(signIn),
    ...federated.pages,
    ...enrolment.pages,
    ...keptCodes.pages,
    ...(signUp ? signUpPages({ ...people, db, conversation, keptCodes, enrolment }) : []),
    ...recoveryPages({
      ...people,
      db,
      conversation,
      enrolment,
      keptCodes,
      endAccess: endAccessWith(mandates),
    }),
    ...consentPages({ interactions, forms }),
  ];
}
