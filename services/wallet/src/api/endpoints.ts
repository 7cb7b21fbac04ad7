import {
  AgentSetup,
  AgentSetupToken,
  ApprovalBody,
  ApprovalList,
  ApproveApproval,
  BurnDown,
  CreateAgentSetup,
  DenyApproval,
  DisputeBody,
  DisputeList,
  EnrolPaymentMethod,
  EraseAccount,
  ErasedAccount,
  GiveMandate,
  MandateBody,
  MandateExport,
  MandateExportList,
  MandateHistory,
  MandateList,
  MembershipList,
  MerchantBody,
  NarrowMandate,
  OpenDispute,
  PaymentConfirmation,
  PaymentMethodBody,
  PaymentMethodList,
  PaymentMethodSetup,
  RevokeMandate,
  SessionList,
  SessionsEnded,
  SetWalletRules,
  SignInMethods,
  Spending,
  SpendingForecast,
  WalletAgent,
  WalletAgentList,
  WalletCharge,
  WalletChargeList,
  WalletRules,
  WalletStanding,
  WalletTotals,
} from "@remit/protocol/contracts";
import { z } from "zod";

export type Service = "issuer" | "directory" | "billing" | "gateway";
export type EndpointMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** One address of a service's API, as the portal calls it. A test holds the table against the services' own documents. */
export type Endpoint = {
  readonly service: Service;
  readonly method: EndpointMethod;
  /** `/api/v1/mandates/:id`. */
  readonly path: string;
  readonly answer: z.ZodType;
  /** Without one none is sent. */
  readonly body?: z.ZodType;
  /** Anybody may read it: no token goes along. */
  readonly open?: boolean;
  /** The answer is taken as its bytes: a document. */
  readonly raw?: boolean;
};

const get = <A extends z.ZodType>(path: string, answer: A) =>
  ({ service: "issuer", method: "GET", path, answer }) as const;

const open = <A extends z.ZodType>(service: Service, path: string, answer: A) =>
  ({ service, method: "GET", path, answer, open: true }) as const;

const post = <B extends z.ZodType, A extends z.ZodType>(path: string, body: B, answer: A) =>
  ({ service: "issuer", method: "POST", path, body, answer }) as const;

const Nothing = z.strictObject({});
const WhichSessions = z.strictObject({ which: z.enum(["all", "others"]) });

export const endpoints = {
  mandates: get("/api/v1/mandates", MandateList),
  mandate: get("/api/v1/mandates/:id", MandateBody),
  mandateHistory: get("/api/v1/mandates/:id/history", MandateHistory),
  mandateExports: get("/api/v1/mandates/:id/exports", MandateExportList),
  revokeExport: post("/api/v1/exports/:id/revoke", Nothing, MandateExport),
  giveMandate: post("/api/v1/mandates", GiveMandate, MandateBody),
  narrowMandate: post("/api/v1/mandates/:id/narrow", NarrowMandate, MandateBody),
  suspendMandate: post("/api/v1/mandates/:id/suspend", Nothing, MandateBody),
  resumeMandate: post("/api/v1/mandates/:id/resume", Nothing, MandateBody),
  revokeMandate: post("/api/v1/mandates/:id/revoke", RevokeMandate, MandateBody),
  approvals: get("/api/v1/approvals", ApprovalList),
  approval: get("/api/v1/approvals/:id", ApprovalBody),
  approve: post("/api/v1/approvals/:id/approve", ApproveApproval, ApprovalBody),
  deny: post("/api/v1/approvals/:id/deny", DenyApproval, ApprovalBody),
  charges: get("/api/v1/wallet/charges", WalletChargeList),
  charge: get("/api/v1/wallet/charges/:id", WalletCharge),
  totals: get("/api/v1/wallet/totals", WalletTotals),
  agents: get("/api/v1/wallet/agents", WalletAgentList),
  agent: get("/api/v1/wallet/agents/:id", WalletAgent),
  setUpAgent: post("/api/v1/wallet/setups", CreateAgentSetup, AgentSetupToken),
  agentSetup: get("/api/v1/wallet/setups/:id", AgentSetup),
  freezeAgent: post("/api/v1/wallet/agents/:id/freeze", Nothing, WalletAgent),
  unfreezeAgent: post("/api/v1/wallet/agents/:id/unfreeze", Nothing, WalletAgent),
  freezeAll: post("/api/v1/wallet/freeze", Nothing, WalletStanding),
  unfreezeAll: post("/api/v1/wallet/unfreeze", Nothing, WalletStanding),
  rules: get("/api/v1/wallet/rules", WalletRules),
  setRules: { ...post("/api/v1/wallet/rules", SetWalletRules, WalletRules), method: "PUT" },
  disputes: get("/api/v1/wallet/disputes", DisputeList),
  dispute: get("/api/v1/wallet/disputes/:id", DisputeBody),
  openDispute: post("/api/v1/wallet/disputes", OpenDispute, DisputeBody),
  withdrawDispute: post("/api/v1/wallet/disputes/:id/withdraw", Nothing, DisputeBody),
  spending: get("/api/v1/wallet/spending", Spending),
  forecast: get("/api/v1/wallet/forecast", SpendingForecast),
  burnDown: get("/api/v1/mandates/:id/burn-down", BurnDown),
  paymentMethods: { ...get("/api/v1/payment-methods", PaymentMethodList), service: "billing" },
  enrolPaymentMethod: {
    ...post("/api/v1/payment-methods", EnrolPaymentMethod, PaymentMethodBody),
    service: "billing",
  },
  setUpPaymentMethod: {
    ...post("/api/v1/payment-methods/setups", Nothing, PaymentMethodSetup),
    service: "billing",
  },
  finishPaymentMethod: {
    ...post("/api/v1/payment-methods/:id/finish", Nothing, PaymentMethodBody),
    service: "billing",
  },
  makeDefaultPaymentMethod: {
    ...post("/api/v1/payment-methods/:id/default", Nothing, PaymentMethodBody),
    service: "billing",
  },
  removePaymentMethod: {
    ...post("/api/v1/payment-methods/:id/remove", Nothing, PaymentMethodList),
    service: "billing",
  },
  confirmation: { ...get("/api/v1/charges/:id/confirmation", PaymentConfirmation), service: "billing" },
  sessions: get("/api/v1/sessions", SessionList),
  endSession: post("/api/v1/sessions/:id/revoke", Nothing, SessionsEnded),
  endOtherSessions: post("/api/v1/sessions/revoke", WhichSessions, SessionsEnded),
  memberships: get("/api/v1/memberships", MembershipList),
  merchant: open("directory", "/api/v1/merchants/:id", MerchantBody),
  eraseAccount: post("/api/v1/account/erase", EraseAccount, ErasedAccount),
  signInMethods: get("/api/v1/account/sign-in-methods", SignInMethods),
} as const satisfies Readonly<Record<string, Endpoint>>;

export type EndpointName = keyof typeof endpoints;
