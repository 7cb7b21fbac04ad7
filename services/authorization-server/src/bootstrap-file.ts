import { readFile } from "node:fs/promises";
import { StartRefused } from "@remit/platform/host";
import { parsePublicJwk } from "@remit/protocol";
import { z } from "zod";
import type { Bootstrap } from "./bootstrap.ts";

// 256 random bits in base64url; a shorter one could be guessed, and nothing slows a guesser down.
const clientSecret = z.string().min(43, "is at least 256 random bits").max(256);
const url = z.url({ protocol: /^https?$/ }).max(2_000);
const publicJwk = z.unknown().transform((value, context) => {
  const key = parsePublicJwk(value);
  if (key === undefined) context.addIssue({ code: "custom", message: "is a public P-256 or Ed25519 key" });
  return key ?? z.NEVER;
});

/** What the file holds: a `Bootstrap` as JSON has it. */
const BootstrapFile = z.strictObject({
  tenant: z.strictObject({ name: z.string().min(1).max(100) }),
  principal: z.strictObject({
    email: z.email().max(320),
    name: z.string().min(1).max(100),
    password: z.string().min(12).max(256),
  }),
  admin: z.strictObject({ client_secret: clientSecret }),
  operator: z.strictObject({ client_secret: clientSecret }),
  wallet: z
    .strictObject({
      jwks: z.strictObject({ keys: z.tuple([publicJwk]) }),
      redirect_uris: z.array(url).min(1).max(10),
      post_logout_redirect_uris: z.array(url).max(10).optional(),
      backchannel_logout_uri: url.optional(),
    })
    .optional(),
});

/**
 * What an installation begins with, from a file that its operator wrote (`REMIT_BOOTSTRAP_FILE`): the only way to a first
 * tenant, its principal and its management client, and to the operator's client. Values are never printed.
 */
export async function readBootstrap(file: string): Promise<Bootstrap> {
  const remedy =
    "It is JSON with tenant, principal, admin and operator; the service's README has an example.";
  const refused = (why: string): StartRefused => new StartRefused(`REMIT_BOOTSTRAP_FILE: ${why}`, remedy);
  const text = await readFile(file, "utf8").catch(() => {
    throw refused(`${file} cannot be read`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused(`${file} is not JSON`);
  }
  const parsed = BootstrapFile.safeParse(value);
  if (!parsed.success)
    throw refused(parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`).join("; "));
  const { tenant, principal, admin, operator, wallet } = parsed.data;
  return {
    tenant,
    principal,
    admin: { clientSecret: admin.client_secret },
    operator: { clientSecret: operator.client_secret },
    ...(wallet === undefined ? {} : { wallet: walletOf(wallet) }),
  };
}

function walletOf(
  wallet: NonNullable<z.output<typeof BootstrapFile>["wallet"]>,
): NonNullable<Bootstrap["wallet"]> {
  const { jwks, redirect_uris, post_logout_redirect_uris: home, backchannel_logout_uri: heard } = wallet;
  return {
    jwks,
    redirectUris: redirect_uris,
    ...(home === undefined ? {} : { postLogoutRedirectUris: home }),
    ...(heard === undefined ? {} : { backchannelLogoutUri: heard }),
  };
}
