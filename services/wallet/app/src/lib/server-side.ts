import { type ActionFailure, error, fail, type RequestEvent, redirect } from "@sveltejs/kit";
import type { Api, Refusal, Result } from "../../../src/api/index.ts";

/** The APIs in the name of whoever is signed in; anybody else is sent to sign in, and comes back here. */
export function apiOf({ locals, url }: Pick<RequestEvent, "locals" | "url">): Api {
  const { signedIn } = locals.platform;
  if (signedIn === undefined) redirect(303, signInFor(url));
  return signedIn.api;
}

/** What an API answered; a refusal ends the page, with its remedy and the request's id. */
export async function must<T>(
  event: Pick<RequestEvent, "url" | "locals">,
  asked: Promise<Result<T>>,
): Promise<T> {
  const result = await asked;
  if (result.ok) return result.value;
  leaveIfSignedOut(event.url, result.refusal);
  const { status, title, code, detail, remedy, requestId = event.locals.platform.requestId } = result.refusal;
  error(status, {
    message: title,
    code,
    requestId,
    ...(detail === undefined ? {} : { detail }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** For what a page can do without: undefined when it could not be had. */
export async function maybe<T>(
  { url }: Pick<RequestEvent, "url">,
  asked: Promise<Result<T>>,
): Promise<T | undefined> {
  const result = await asked;
  if (result.ok) return result.value;
  leaveIfSignedOut(url, result.refusal);
  return undefined;
}

export type Refused = { readonly refusal: Refusal };

/** A refused form stays on its page and says why. One that wants a surer sign-in leads there, and back. */
export function refused(event: Pick<RequestEvent, "url">, refusal: Refusal): ActionFailure<Refused> {
  leaveIfSignedOut(event.url, refusal);
  const { stepUp } = refusal;
  if (stepUp !== undefined)
    redirect(
      303,
      `/sign-in?${new URLSearchParams({ to: event.url.pathname, acr: stepUp.acr, max_age: String(stepUp.maxAgeS) })}`,
    );
  return fail(refusal.status, { refusal });
}

const signInFor = (url: URL): string => `/sign-in?to=${encodeURIComponent(url.pathname + url.search)}`;

function leaveIfSignedOut(url: URL, refusal: Refusal): void {
  if (refusal.code === "session_over") redirect(303, signInFor(url));
}

/** A field of a form as text, trimmed; empty when it was not sent. */
export function textIn(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
}
