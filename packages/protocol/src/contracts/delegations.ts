import { z } from "zod";
import { Currency, idOf, Timestamp } from "./values.ts";

// The AgentIdP API: in camel case, as its clients write.

const ScopeName = z
  .string()
  .max(128)
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "is a scope (RFC 6749 §3.3)");
const DelegationToken = z.string().min(1).max(512);

export const delegationTtlS = { min: 60, max: 86_400, usual: 3_600 } as const;

/** POST /oauth2/token/delegate. With `delegationToken`, the caller hands on what was handed to it by that. */
export const CreateDelegation = z.strictObject({
  delegateeAgentId: idOf("agent"),
  scopes: z.array(ScopeName).min(1).max(20),
  ttlSeconds: z.int().min(delegationTtlS.min).max(delegationTtlS.max).default(delegationTtlS.usual),
  delegationToken: DelegationToken.optional(),
  /** Refused until budgets can be handed on: what cannot be held to is never promised. */
  budget: z.strictObject({ currency: Currency, amountMinor: z.int().min(1) }).optional(),
});
export type CreateDelegation = z.infer<typeof CreateDelegation>;

const link = {
  /** This link of the chain; deleting it ends it and all below it. */
  chainId: idOf("delegation"),
  delegatorAgentId: idOf("agent"),
  delegateeAgentId: idOf("agent"),
  scopes: z.array(z.string()),
  expiresAt: Timestamp,
};

export const HandedDelegation = z.object({ delegationToken: z.string(), ...link });
export type HandedDelegation = z.infer<typeof HandedDelegation>;

/** GET /api/v1/delegations. */
export const DelegationQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(100),
  cursor: idOf("delegation").optional(),
});

/** The links of an organization that stand, the newest first. */
export const DelegationPage = z.object({
  data: z.array(
    z.object({
      ...link,
      /** The link that this one was handed on from; null for the first of its chain. */
      parentId: idOf("delegation").nullable(),
      depth: z.int().min(1),
      subject: z.string(),
      createdAt: Timestamp,
    }),
  ),
  nextCursor: z.string().nullable(),
});

/** POST /oauth2/token/verify-delegation. */
export const VerifyDelegation = z.strictObject({ delegationToken: z.string().max(8192) });

export const DelegationFault = z.enum([
  "unknown",
  "expired",
  "revoked",
  "ancestor_revoked",
  "agent_inactive",
  "delegator_changed",
  "scopes_withdrawn",
]);
export type DelegationFault = z.infer<typeof DelegationFault>;

/** What is so at this moment; `reason` says why a delegation is not valid, and every member is there either way. */
export const DelegationVerdict = z.object({
  valid: z.boolean(),
  reason: DelegationFault.nullable(),
  chainId: idOf("delegation").nullable(),
  delegatorAgentId: idOf("agent").nullable(),
  delegateeAgentId: idOf("agent").nullable(),
  /** For whom all of the chain acts. */
  subject: z.string().nullable(),
  scopes: z.array(z.string()),
  expiresAt: Timestamp.nullable(),
  /** From the first link down to this one. */
  chain: z.array(z.object(link)),
});
export type DelegationVerdict = z.infer<typeof DelegationVerdict>;
