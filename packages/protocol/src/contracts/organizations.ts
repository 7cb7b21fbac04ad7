import { z } from "zod";
import { Cursor, idOf, Timestamp, text } from "./values.ts";

// The AgentIdP API: in camel case, as its clients write. An organization is what we call a tenant elsewhere.

export const memberRoles = ["owner", "admin", "member", "auditor"] as const;
export type MemberRole = (typeof memberRoles)[number];

/** Names in addresses of ours and others: nobody else's. */
const reservedSlugs: readonly string[] = [
  "about",
  "account",
  "admin",
  "api",
  "app",
  "auth",
  "billing",
  "console",
  "dashboard",
  "docs",
  "help",
  "login",
  "mail",
  "oauth",
  "platform",
  "remit",
  "root",
  "security",
  "settings",
  "static",
  "status",
  "support",
  "system",
  "wallet",
  "well-known",
  "www",
];

export const Slug = z
  .string()
  .max(63)
  .regex(
    /^[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){1,62}$/,
    "is 2 to 63 lower-case letters, digits and single hyphens",
  )
  .refine((slug) => !reservedSlugs.includes(slug), "is reserved");

const Name = text(100).min(2);
const MaxAgents = z.int().min(0).max(1_000_000_000).nullable();

/** POST /api/v1/organizations. */
export const CreateOrganization = z.strictObject({ name: Name, slug: Slug, maxAgents: MaxAgents.optional() });
export type CreateOrganization = z.infer<typeof CreateOrganization>;

/**
 * PATCH /api/v1/organizations/{id}. Limits and standing are for whoever made it, and for the operator, whose decisions only
 * the operator lifts. A suspension holds all below it.
 */
export const ChangeOrganization = z
  .strictObject({ name: Name, slug: Slug, maxAgents: MaxAgents, status: z.enum(["active", "suspended"]) })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "names nothing to change")
  .meta({ examples: [{ name: "Talent" }] });
export type ChangeOrganization = z.infer<typeof ChangeOrganization>;

export const OrganizationBody = z.object({
  organizationId: idOf("tenant"),
  name: z.string(),
  slug: z.string().nullable(),
  kind: z.enum(["personal", "company", "platform"]),
  status: z.enum(["active", "suspended", "deleted"]),
  /** Whose decision it is that it does not act: `above` while an organization above it does not. */
  decidedBy: z.enum(["operator", "maker", "organization", "above"]).nullable(),
  /** How many it and the organizations below it may have together. null: any number. */
  maxAgents: z.int().nullable(),
  maxAgentsBy: z.enum(["operator", "maker", "organization"]).nullable(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
  /** When a deleted organization is erased; until then whoever made it may bring it back. */
  eraseAt: Timestamp.nullable(),
});
export type OrganizationBody = z.infer<typeof OrganizationBody>;

/** With its first management client, whose secret is shown this once. */
export const CreatedOrganization = OrganizationBody.extend({
  admin: z.object({ clientId: idOf("client"), clientSecret: z.string() }),
});

export const OrganizationQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(50).default(20),
  cursor: Cursor.optional(),
});
export const OrganizationPage = z.object({
  data: z.array(OrganizationBody),
  nextCursor: z.string().nullable(),
});

export const MemberBody = z.object({
  accountId: idOf("account"),
  email: z.string().nullable(),
  name: z.string().nullable(),
  role: z.enum(memberRoles),
  createdAt: Timestamp,
});
export const InvitationBody = z.object({
  invitationId: idOf("invitation"),
  email: z.string().nullable(),
  role: z.enum(memberRoles),
  expiresAt: Timestamp,
});
/** Everybody who belongs to it, and who was asked to and has not answered. */
export const MemberList = z.object({ data: z.array(MemberBody), invitations: z.array(InvitationBody) });

/** POST /api/v1/organizations/{id}/members: a letter goes to the address, with a code. */
export const InviteMember = z.strictObject({
  email: z.email().max(254),
  role: z.enum(memberRoles).default("member"),
});
export const ChangeMember = z.strictObject({ role: z.enum(memberRoles) });

/** GET /api/v1/memberships: where a person belongs, their own organization first. */
export const MembershipList = z.object({
  data: z.array(
    z.object({
      organizationId: idOf("tenant"),
      name: z.string(),
      slug: z.string().nullable(),
      kind: z.string(),
      personal: z.boolean(),
      role: z.enum(memberRoles),
      scopes: z.array(z.string()),
      since: Timestamp,
    }),
  ),
});

/** POST /api/v1/invitations/accept. */
export const AcceptInvitation = z.strictObject({ code: z.string().min(1).max(128) });
export const JoinedOrganization = z.object({ organizationId: idOf("tenant"), role: z.enum(memberRoles) });
