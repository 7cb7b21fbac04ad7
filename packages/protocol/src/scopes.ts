/** What a scope allows, in the words of the consent page, and whether a plain bearer token may carry it. */
export type ScopeRule = { readonly allows: string; readonly bearer: boolean };

const rule = (allows: string, bearer: boolean): ScopeRule => ({ allows, bearer });

/** Every scope. Those that move money or change who may act need a DPoP-bound token, always. */
export const scopeRules = {
  "admin:orgs": rule("create and configure organizations", false),
  "agents:read": rule("see agents and their credentials' names", true),
  "agents:write": rule("register, change and suspend agents", true),
  "audit:read": rule("read and verify the audit log", true),
  "billing:read": rule("see fees, invoices and statements", false),
  // Of the installation's operator: what captures cost, when a month is closed, how a mismatch was resolved.
  "billing:write": rule("set fees, close months and resolve cases", false),
  "charges:write": rule("charge mandates as a merchant", false),
  "directory:read": rule("look merchants up", false),
  "directory:write": rule("register and verify merchants", false),
  email: rule("see your e-mail address", false),
  "events:write": rule("record events of a service", false),
  "oid4ac:payment": rule("pay with a mandate", false),
  "notices:write": rule("tell people of what waits for them", false),
  "offers:read": rule("see what is for sale and what was sold", true),
  // Says where a buyer's money arrives.
  "offers:write": rule("change what is for sale, and who is paid for it", false),
  offline_access: rule("stay connected while you are away", false),
  openid: rule("know who you are", false),
  "payments:execute": rule("execute payments that were decided", false),
  "plans:write": rule("choose the plan of an organization", false),
  profile: rule("see your name", false),
  // As the CAEP interoperability profile names them: receivers of other makers ask for nothing else.
  "ssf.manage": rule("say what is told of the organization, and to whom", true),
  "ssf.read": rule("hear what is told of the organization", true),
  "tokens:read": rule("inspect tokens", true),
  "wallet:read": rule("see mandates, charges and payment methods", false),
  "wallet:write": rule("change mandates and payment methods", false),
  "webhooks:read": rule("see webhooks and their deliveries", true),
  "webhooks:write": rule("change webhooks and send again", true),
} as const satisfies Readonly<Record<string, ScopeRule>>;

export type Scope = keyof typeof scopeRules;

// The map above has exactly these keys; Object.keys forgets that.
export const scopes = Object.keys(scopeRules) as readonly Scope[];

/** What manages an organization: calls of these scopes are judged by its policies too. Money and wallets have mandates and consents. */
export const managementScopes: ReadonlySet<string> = new Set<Scope>([
  "admin:orgs",
  "agents:read",
  "agents:write",
  "audit:read",
  "ssf.manage",
  "ssf.read",
  "tokens:read",
  "webhooks:read",
  "webhooks:write",
]);

const aliases: Readonly<Record<string, Scope>> = { "payment.charge": "oid4ac:payment" };

/** The scope of a name or of its alias; undefined when unknown. */
export function parseScope(name: string): Scope | undefined {
  if (Object.hasOwn(aliases, name)) return aliases[name];
  return isScope(name) ? name : undefined;
}

export const isScope = (name: string): name is Scope => Object.hasOwn(scopeRules, name);

/** True when a plain bearer token may carry the scope (and the tenant allows bearer tokens at all). */
export const mayBeBearer = (scope: Scope): boolean => scopeRules[scope].bearer;
