import { agentTables } from "./agents/index.ts";
import { approvalTables } from "./approvals/index.ts";
import { auditTables } from "./audit/index.ts";
import { chargeTables } from "./charges/index.ts";
import { clientKeyTables } from "./client-keys/index.ts";
import { credentialTables } from "./credentials/index.ts";
import { delegationTables } from "./delegations/index.ts";
import { deliveryTables } from "./deliveries/index.ts";
import { deviceTables } from "./device/index.ts";
import { disputeTables } from "./disputes/index.ts";
import { emailDomainTables } from "./email-domains/index.ts";
import { evidenceTables } from "./evidence/index.ts";
import { exportTables } from "./exports/index.ts";
import { federatedSignInTables } from "./federated-sign-in/index.ts";
import { freezeTables } from "./freezes/index.ts";
import { identityTables } from "./identities/index.ts";
import { identityProviderTables } from "./identity-providers/index.ts";
import { laneTables } from "./lanes/index.ts";
import { listingTables } from "./listings/index.ts";
import { mandateTables } from "./mandates/index.ts";
import { merchantPolicyTables } from "./merchant-policies/index.ts";
import { organizationTables } from "./organizations/index.ts";
import { partnerTables } from "./partners/index.ts";
import { planTables } from "./plans/index.ts";
import { policyTables } from "./policies/index.ts";
import { presentedTables } from "./presented/index.ts";
import { receiptTables } from "./receipts/index.ts";
import { requestTables } from "./requests/index.ts";
import { ruleTables } from "./rules/index.ts";
import { sessionTables } from "./sessions/index.ts";
import { signalTables } from "./signals/index.ts";
import { spendingTables } from "./spending/index.ts";
import { statusListTables } from "./status-lists/index.ts";
import { suspendedAssetTables } from "./suspended-assets/index.ts";
import { trustTables } from "./trusts/index.ts";
import { usageTables } from "./usage/index.ts";
import { webhookTables } from "./webhooks/index.ts";

/** Each table and how it is protected, for the test that compares this with the database (T03). */
export const tables = {
  ...organizationTables,
  accounts: "global",
  former_passwords: "global",
  passkeys: "global",
  authenticator_apps: "global",
  recovery_codes: "global",
  step_ups: "global",
  step_up_answers: "global",
  sign_in_failures: "global",
  ...agentTables,
  ...clientKeyTables,
  ...credentialTables,
  clients: "tenant",
  setup_tokens: "tenant",
  oauth_artifacts: "global",
  oauth_grants: "global",
  token_revocations: "global",
  ...emailDomainTables,
  ...identityProviderTables,
  ...identityTables,
  ...federatedSignInTables,
  ...approvalTables,
  ...deviceTables,
  ...delegationTables,
  ...trustTables,
  ...partnerTables,
  ...sessionTables,
  ...ruleTables,
  ...statusListTables,
  ...suspendedAssetTables,
  ...freezeTables,
  ...mandateTables,
  ...merchantPolicyTables,
  ...spendingTables,
  ...exportTables,
  ...chargeTables,
  ...presentedTables,
  ...evidenceTables,
  ...disputeTables,
  ...receiptTables,
  ...auditTables,
  ...policyTables,
  ...requestTables,
  ...webhookTables,
  ...deliveryTables,
  ...laneTables,
  ...signalTables,
  ...listingTables,
  ...planTables,
  ...usageTables,
} as const;

/** Those whose rows belong to one tenant each. */
export const tenantTables = Object.entries(tables).flatMap(([name, kind]) =>
  kind === "tenant" ? [name] : [],
);
