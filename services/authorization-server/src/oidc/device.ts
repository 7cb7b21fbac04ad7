import { type ClientEntity, type Ctx, errors, formSecretOf } from "./seam.ts";

type Shown = { readonly html: string; readonly headers: Readonly<Record<string, string>> };

/** The pages of RFC 8628 §3.3, made by the device room. `secret` is the core's own form check, bound to the session. */
export type DevicePages = {
  /** Asks for the code, or, where the link had it, whether the device shows it. `refused` is what to say of the last try. */
  enter(page: {
    action: string;
    secret: string;
    code?: string | undefined;
    refused?: string | undefined;
  }): Shown;
  confirm(page: { action: string; secret: string; code: string; client: string }): Shown;
  done(page: { allowed: boolean }): Shown;
};

const verificationPath = "/device";

/** RFC 8628: the code is 8 letters of 20 that nobody takes for another, some 34 bits, and is good for ten minutes. */
export const deviceFeature = (pages: DevicePages): object => ({
  enabled: true,
  charset: "base-20",
  mask: "****-****",
  // The key that asked: the principal allows this key and no other.
  deviceInfo: (ctx: Ctx) => ({ jkt: ctx.oidc.client?.remit_dpop_thumbprint }),
  userCodeInputSource: async (...[ctx, , , error]: InputHook) => {
    if (error?.name === "AbortedError") return show(ctx, pages.done({ allowed: false }));
    const refused = error === undefined ? undefined : refusalOf(error);
    const code = error === undefined ? kept.get(ctx) : undefined;
    show(ctx, pages.enter({ action: verificationPath, secret: formSecretOf(ctx), code, refused }));
  },
  userCodeConfirmSource: async (...[ctx, , client, , code]: ConfirmHook) => {
    const name = client.clientName ?? client.clientId;
    show(ctx, pages.confirm({ action: verificationPath, secret: formSecretOf(ctx), code, client: name }));
  },
  successSource: async (ctx: Ctx) => show(ctx, pages.done({ allowed: true })),
});

/** What the core calls its hooks with; its own forms are not used. */
type InputHook = [ctx: Ctx, form: string, out?: unknown, error?: Error];
type ConfirmHook = [ctx: Ctx, form: string, client: ClientEntity, device: unknown, code: string];

const kept = new WeakMap<Ctx, string>();

/**
 * `verification_uri_complete` (RFC 8628 §3.3.1): the code stands in the link. The core would send a form by script at
 * once; here the person compares it with the device first and sends it, with or without scripts.
 */
export function keepUserCode(ctx: Ctx): void {
  if (ctx.method !== "GET" || ctx.path !== verificationPath) return;
  const code = ctx.query["user_code"];
  ctx.query = {};
  if (typeof code === "string" && /^[A-Za-z]{4}-?[A-Za-z]{4}$/.test(code)) kept.set(ctx, code.toUpperCase());
}

/** One sentence for a wrong, an old and a used code alike: a guess learns nothing of which it was. */
function refusalOf(error: Error): string {
  if (error instanceof errors.TemporarilyUnavailable)
    return error.error_description ?? "Too many codes were tried. Try again later.";
  if (error.name === "NoCodeError") return "Type the code that your device shows.";
  if (["NotFoundError", "ExpiredError", "AlreadyUsedError"].includes(error.name))
    return "There is no such code, or its time is over. Look at your device again.";
  return "This did not work. Type the code once more.";
}

function show(ctx: Ctx, { html, headers }: Shown): void {
  ctx.type = "html";
  for (const [name, value] of Object.entries(headers)) ctx.set(name, value);
  ctx.body = html;
}
