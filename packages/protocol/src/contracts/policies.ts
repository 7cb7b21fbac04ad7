import { z } from "zod";
import { scopes } from "../scopes.ts";
import { Cursor, idOf, Timestamp, text } from "./values.ts";

export const policyKinds = ["cedar", "opa_data", "opa_remote"] as const;
export type PolicyKind = (typeof policyKinds)[number];

const Kind = z.enum(policyKinds);

/** Cedar text; or as JSON an OPA data document (`endpoint_permissions`), or where an OPA answers (`url`). 32 KiB at most. */
const Content = z.string().min(1).max(32_768);

/** POST /api/v1/policies. It decides nothing before it is activated. */
export const CreatePolicy = z.strictObject({
  name: text(100),
  kind: Kind.default("cedar"),
  content: Content,
});
/** PUT /api/v1/policies/{id}: another version of it, which decides nothing before it is activated. */
export const ChangePolicy = z.strictObject({ name: text(100).optional(), content: Content });
export const ValidatePolicy = z.strictObject({ kind: Kind.default("cedar"), content: Content });
export const ActivatePolicy = z.strictObject({ version: z.int().min(1).optional() });

export const PolicyBody = z.object({
  id: idOf("policy"),
  name: z.string(),
  kind: Kind,
  /** The newest version. */
  version: z.int(),
  /** The one that decides; null: none. */
  active_version: z.int().nullable(),
  created_at: Timestamp,
  changed_at: Timestamp,
});
export const PolicyWithContent = PolicyBody.extend({
  content: z.string(),
  content_version: z.int(),
  content_by: z.string(),
});
export const PolicyList = z.object({ data: z.array(PolicyBody) });
export const PolicyValidation = z.object({ valid: z.boolean(), errors: z.array(z.string()) });

/** The scope map: which scopes each call needs; one of them suffices. */
export const EndpointPermissions = z.object({
  endpoint_permissions: z.record(z.string(), z.array(z.string())),
});
export const PolicySchema = z.object({ cedar_schema: z.string() });

export const principalTypes = ["agent", "client", "account", "service"] as const;

/** POST /api/v1/policies/explain: a call that nobody makes. */
export const ExplainPolicy = z.strictObject({
  principal: z.strictObject({
    type: z.enum(principalTypes),
    id: z.string().min(1).max(255),
    scopes: z.array(z.enum(scopes)).max(40).default([]),
    bound: z.boolean().default(true),
    /** Whether it has proven itself within the last 5 minutes, as changes of policies ask for. */
    proven: z.boolean().default(false),
  }),
  /** The agent that acts for the principal by a token of its own, which is judged too; the principal itself, unless said. */
  client: z.string().min(1).max(255).optional(),
  /** `DELETE:/api/v1/agents/:id`, as in the scope map. */
  action: z.string().min(1).max(200),
  /** What stands in the action's address, by name: `{"id": "agt_…"}`. */
  params: z.record(z.string(), z.string().max(255)).default({}),
  ip: z.union([z.ipv4(), z.ipv6()]).default("127.0.0.1"),
  /** RFC 3339; now, unless said. */
  time: Timestamp.optional(),
  /** A policy that is not saved yet, decided as if it were active. */
  draft: ValidatePolicy.optional(),
});
export type ExplainPolicy = z.infer<typeof ExplainPolicy>;

export const PolicyExplanation = z.object({
  decision: z.enum(["allow", "deny"]),
  /** What decided: the scope map, the policies, or the rule that lets an administrator always repair them. */
  because: z.enum(["scope", "policy", "break_glass"]),
  scope: z.object({ needed: z.array(z.string()), granted: z.boolean() }),
  /** Each statement that decided: a permit if allowed, a forbid if not; empty where nothing permitted. */
  determining: z.array(
    z.object({
      policy: z.string(),
      statement: z.string(),
      text: z.string(),
      of: z.enum(["bundled", "operator", "tenant"]),
    }),
  ),
  errors: z.array(z.string()),
  resource: z.object({ type: z.string(), id: z.string() }),
});
export type PolicyExplanation = z.infer<typeof PolicyExplanation>;

export const DecisionQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: Cursor.optional(),
  decision: z.enum(["allow", "deny"]).optional(),
});
export const DecisionPage = z.object({
  data: z.array(
    z.object({
      id: idOf("decision"),
      at: Timestamp,
      request_id: z.string(),
      principal: z.string(),
      /** The `client_id` of the token: who acted, where that is not the principal. Null in old decisions. */
      client: z.string().nullable(),
      action: z.string(),
      resource: z.string(),
      decision: z.enum(["allow", "deny"]),
      /** `break_glass`: past the organization's policies, to mend them. */
      because: z.enum(["policy", "break_glass"]),
      determining: z.array(z.string()),
      errors: z.array(z.string()),
    }),
  ),
  next_cursor: z.string().nullable(),
});
