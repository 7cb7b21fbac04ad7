import {
  AgentActivity,
  AgentBody,
  AgentPage,
  AgentSummary,
  AnswerDispute,
  ApiKeyPage,
  AuditEventBody,
  AuditInclusion,
  AuditPage,
  AuditVerification,
  BillingUsage,
  ChangeAgent,
  ChangeMember,
  ChangeOrganization,
  ChangePartner,
  ChangeWebhook,
  ComplianceControls,
  ComplianceReport,
  CreateAgent,
  CreateApiKey,
  CreateCredential,
  CreatePartner,
  CreateSetupToken,
  CreateTrustPolicy,
  CreateWebhook,
  CredentialPage,
  DelegationPage,
  DeliveryBody,
  DeliveryPage,
  DeliveryWithAttempts,
  DisputeBody,
  DisputeList,
  DrainOffer,
  FeeScheduleList,
  ForwardingBody,
  InvitationBody,
  InviteMember,
  InvoiceBody,
  InvoiceList,
  IssuedApiKey,
  IssuedCredential,
  MarketplaceAgent,
  MemberList,
  MerchantBalances,
  MerchantBody,
  OfferBody,
  OfferPage,
  OfferSales,
  Onboarding,
  OnboardMerchant,
  OrganizationBody,
  OwnMerchantList,
  PartnerBody,
  PartnerPage,
  PayoutAccountBalance,
  PayoutAccountBody,
  PayoutAccountList,
  PayoutList,
  PlanCheckout,
  PlanEnd,
  RefundCharge,
  ReplayDeliveries,
  ReplayedDeliveries,
  RequestPage,
  RequestWithEntries,
  RotateCredential,
  RotateWebhookSecret,
  RunningFees,
  SetupTokenBody,
  SoldBody,
  SoldDays,
  SoldPage,
  StartPlanCheckout,
  StatementBody,
  TierStatus,
  TimeZone,
  TokenTrend,
  TrustPolicyBody,
  TrustPolicyPage,
  WebhookBody,
  WebhookPage,
  WebhookWithSecret,
} from "@remit/protocol/contracts";
import { z } from "zod";
import type { Endpoint, EndpointMethod, Service } from "./endpoints.ts";

const Nothing = z.strictObject({});
const Gone = z.undefined();
const Changed = z.object({ accountId: z.string(), role: z.string() });

/** What is answered as it is, such as a PDF. */
export const Bytes = z.instanceof(Uint8Array<ArrayBuffer>);

const at =
  <S extends Service>(service: S) =>
  <P extends string, A extends z.ZodType>(path: P, answer: A) =>
    ({ service, method: "GET", path, answer }) as const;
const get = at("issuer");
const atGateway = at("gateway");
const atBilling = at("billing");

const send = <M extends EndpointMethod, B extends z.ZodType, A extends z.ZodType>(
  method: M,
  path: string,
  { body, answer, service = "issuer" }: { body: B; answer: A; service?: Service },
) => ({ service, method, path, body, answer }) as const;

const remove = (path: string, service: Service = "issuer") =>
  ({ service, method: "DELETE", path, answer: Gone }) as const;

const agents = {
  agents: get("/api/v1/agents", AgentPage),
  agent: get("/api/v1/agents/:id", AgentBody),
  registerAgent: send("POST", "/api/v1/agents", { body: CreateAgent, answer: AgentBody }),
  changeAgent: send("PATCH", "/api/v1/agents/:id", { body: ChangeAgent, answer: AgentBody }),
  suspendAgent: send("POST", "/api/v1/agents/:id/suspend", { body: Nothing, answer: AgentBody }),
  reactivateAgent: send("POST", "/api/v1/agents/:id/reactivate", { body: Nothing, answer: AgentBody }),
  decommissionAgent: send("POST", "/api/v1/agents/:id/decommission", { body: Nothing, answer: AgentBody }),
  delegations: get("/api/v1/delegations", DelegationPage),
  setupToken: send("POST", "/api/v1/setup-tokens", { body: CreateSetupToken, answer: SetupTokenBody }),
  credentials: get("/api/v1/agents/:id/credentials", CredentialPage),
  issueCredential: send("POST", "/api/v1/agents/:id/credentials", {
    body: CreateCredential,
    answer: IssuedCredential,
  }),
  rotateCredential: send("POST", "/api/v1/agents/:id/credentials/:credential/rotate", {
    body: RotateCredential,
    answer: IssuedCredential,
  }),
  revokeCredential: remove("/api/v1/agents/:id/credentials/:credential"),
} as const;

const programs = {
  apiKeys: get("/api/v1/api-keys", ApiKeyPage),
  createApiKey: send("POST", "/api/v1/api-keys", { body: CreateApiKey, answer: IssuedApiKey }),
  rotateApiKey: send("POST", "/api/v1/api-keys/:id/rotate", { body: Nothing, answer: IssuedApiKey }),
  revokeApiKey: remove("/api/v1/api-keys/:id"),
  requests: get("/api/v1/requests", RequestPage),
  request: get("/api/v1/requests/:id", RequestWithEntries),
} as const;

const records = {
  audit: get("/api/v1/audit", AuditPage),
  auditEntry: get("/api/v1/audit/:id", AuditEventBody),
  auditProof: get("/api/v1/audit/:id/proof", AuditInclusion),
  verifyAudit: get("/api/v1/audit/verify", AuditVerification),
  tokenTrend: get("/api/v1/analytics/tokens", TokenTrend),
  activity: get("/api/v1/analytics/agents/activity", AgentActivity),
  agentSummary: get("/api/v1/analytics/agents", AgentSummary),
  timeZone: get("/api/v1/analytics/time-zone", TimeZone),
  setTimeZone: send("PUT", "/api/v1/analytics/time-zone", { body: TimeZone, answer: TimeZone }),
  report: get("/api/v1/compliance/report", ComplianceReport),
  controls: get("/api/v1/compliance/controls", ComplianceControls),
} as const;

const plan = {
  plan: get("/api/v1/tiers/status", TierStatus),
  usage: get("/api/v1/billing/usage", BillingUsage),
  checkOut: send("POST", "/api/v1/billing/checkout", { body: StartPlanCheckout, answer: PlanCheckout }),
  endPlan: send("POST", "/api/v1/billing/cancel", { body: Nothing, answer: PlanEnd }),
} as const;

const people = {
  organization: get("/api/v1/organizations/:id", OrganizationBody),
  exportOrganization: { ...get("/api/v1/organizations/:id/export", Bytes), raw: true },
  changeOrganization: send("PATCH", "/api/v1/organizations/:id", {
    body: ChangeOrganization,
    answer: OrganizationBody,
  }),
  members: get("/api/v1/organizations/:id/members", MemberList),
  invite: send("POST", "/api/v1/organizations/:id/members", { body: InviteMember, answer: InvitationBody }),
  changeMember: send("PATCH", "/api/v1/organizations/:id/members/:account", {
    body: ChangeMember,
    answer: Changed,
  }),
  removeMember: remove("/api/v1/organizations/:id/members/:account"),
  withdrawInvitation: remove("/api/v1/organizations/:id/invitations/:invitation"),
} as const;

const trust = {
  partners: get("/api/v1/federation/partners", PartnerPage),
  addPartner: send("POST", "/api/v1/federation/trust", { body: CreatePartner, answer: PartnerBody }),
  changePartner: send("PATCH", "/api/v1/federation/partners/:id", {
    body: ChangePartner,
    answer: PartnerBody,
  }),
  removePartner: remove("/api/v1/federation/partners/:id"),
  trustPolicies: get("/api/v1/oidc/trust-policies", TrustPolicyPage),
  addTrustPolicy: send("POST", "/api/v1/oidc/trust-policies", {
    body: CreateTrustPolicy,
    answer: TrustPolicyBody,
  }),
  removeTrustPolicy: remove("/api/v1/oidc/trust-policies/:id"),
} as const;

const webhooks = {
  webhooks: get("/api/v1/webhooks", WebhookPage),
  webhook: get("/api/v1/webhooks/:id", WebhookBody),
  addWebhook: send("POST", "/api/v1/webhooks", { body: CreateWebhook, answer: WebhookWithSecret }),
  changeWebhook: send("PATCH", "/api/v1/webhooks/:id", { body: ChangeWebhook, answer: WebhookBody }),
  removeWebhook: remove("/api/v1/webhooks/:id"),
  rotateWebhook: send("POST", "/api/v1/webhooks/:id/rotate-secret", {
    body: RotateWebhookSecret,
    answer: WebhookWithSecret,
  }),
  testWebhook: send("POST", "/api/v1/webhooks/:id/test", { body: Nothing, answer: DeliveryBody }),
  deliveries: get("/api/v1/webhooks/:id/deliveries", DeliveryPage),
  delivery: get("/api/v1/webhooks/:id/deliveries/:delivery", DeliveryWithAttempts),
  replayDelivery: send("POST", "/api/v1/webhooks/:id/deliveries/:delivery/replay", {
    body: Nothing,
    answer: DeliveryBody,
  }),
  replayDeliveries: send("POST", "/api/v1/webhooks/:id/replay", {
    body: ReplayDeliveries,
    answer: ReplayedDeliveries,
  }),
} as const;

const disputing = {
  disputes: get("/api/v1/disputes", DisputeList),
  dispute: get("/api/v1/disputes/:id", DisputeBody),
  answerDispute: send("POST", "/api/v1/disputes/:id/evidence", { body: AnswerDispute, answer: DisputeBody }),
  acceptDispute: send("POST", "/api/v1/disputes/:id/accept", { body: Nothing, answer: DisputeBody }),
  evidence: { ...get("/api/v1/charges/:id/evidence", Bytes), raw: true },
} as const;

const selling = {
  offers: atGateway("/api/v1/offers", OfferPage),
  offer: atGateway("/api/v1/offers/:id", OfferBody),
  sales: atGateway("/api/v1/offers/:id/sales", OfferSales),
  drainOffer: send("POST", "/api/v1/offers/:id/drain", {
    body: DrainOffer,
    answer: OfferBody,
    service: "gateway",
  }),
  removeOffer: remove("/api/v1/offers/:id", "gateway"),
  sold: get("/api/v1/sold", SoldPage),
  soldDays: get("/api/v1/sold/days", SoldDays),
  soldOne: get("/api/v1/sold/:id", SoldBody),
  refundSold: send("POST", "/api/v1/sold/:id/refund", { body: RefundCharge, answer: SoldBody }),
  invoices: atBilling("/api/v1/invoices", InvoiceList),
  invoice: atBilling("/api/v1/invoices/:id", InvoiceBody),
  invoicePdf: { ...atBilling("/api/v1/invoices/:id/pdf", Bytes), raw: true },
  fees: atBilling("/api/v1/fee-schedules", FeeScheduleList),
  forwarding: atBilling("/api/v1/forwarding", ForwardingBody),
  merchants: at("directory")("/api/v1/organization/merchants", OwnMerchantList),
  verifyMerchant: send("POST", "/api/v1/merchants/:id/verify", {
    body: Nothing,
    answer: MerchantBody,
    service: "directory",
  }),
  listing: { ...at("directory")("/api/v1/marketplace/agents/:id", MarketplaceAgent), open: true },
} as const;

const settling = {
  payoutAccounts: atBilling("/api/v1/payout-accounts", PayoutAccountList),
  onboard: send("POST", "/api/v1/payout-accounts", {
    body: OnboardMerchant,
    answer: Onboarding,
    service: "billing",
  }),
  replacePayoutAccount: send("POST", "/api/v1/payout-accounts/replacement", {
    body: OnboardMerchant,
    answer: Onboarding,
    service: "billing",
  }),
  refreshPayoutAccount: send("POST", "/api/v1/payout-accounts/:id/refresh", {
    body: Nothing,
    answer: PayoutAccountBody,
    service: "billing",
  }),
  payoutAccountBalance: atBilling("/api/v1/payout-accounts/:id/balance", PayoutAccountBalance),
  payouts: atBilling("/api/v1/payouts", PayoutList),
  runningFees: atBilling("/api/v1/running-fees", RunningFees),
  merchantBalances: atBilling("/api/v1/merchant-balances", MerchantBalances),
  statement: atBilling("/api/v1/statements/:merchant", StatementBody),
  statementCsv: { ...atBilling("/api/v1/statements/:merchant/csv", Bytes), raw: true },
  statementPdf: { ...atBilling("/api/v1/statements/:merchant/pdf", Bytes), raw: true },
} as const;

/** What members of an organization ask for in its name. Held against the services' documents like the other table. */
export const organizationEndpoints = {
  ...agents,
  ...programs,
  ...records,
  ...plan,
  ...people,
  ...trust,
  ...webhooks,
  ...disputing,
  ...selling,
  ...settling,
} as const satisfies Readonly<Record<string, Endpoint>>;
