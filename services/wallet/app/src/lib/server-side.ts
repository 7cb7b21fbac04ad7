import { type ActionFailure, error, fail, type RequestEvent, redirect } from "@sveltejs/kit";
import type { Api, Refusal, Result } from "../../../src/api/index.ts";
import { refusalIn } from "../../../src/refusals/index.ts";
import type { View } from "../../../src/views/index.ts";
import type { Told } from "./told.ts";

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
  const { status, code, detail, requestId = event.locals.platform.requestId } = result.refusal;
  const [message, remedy] = refusalIn(event.locals.locale, code, status);
  error(status, message, { code, requestId, remedy, ...(detail === undefined ? {} : { detail }) });
}

/** At an address where this person has nothing. */
export function nothingHere({ locals: { locale, platform } }: Pick<RequestEvent, "locals">): never {
  const [message, remedy] = refusalIn(locale, "not_found", 404);
  error(404, message, { code: "not_found", requestId: platform.requestId, remedy });
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

export type Refused = { readonly refusal: Told };

/** A refused form stays on its page and says why. One that wants a surer sign-in leads there, and back. */
export function refused(
  event: Pick<RequestEvent, "url" | "locals">,
  refusal: Refusal,
): ActionFailure<Refused> {
  leaveIfSignedOut(event.url, refusal);
  const { stepUp } = refusal;
  if (stepUp !== undefined) redirect(303, stepUpFor(event.url.pathname, stepUp));
  const { locale, platform } = event.locals;
  const { code, status, detail, requestId = platform.requestId } = refusal;
  const [said, remedy] = refusalIn(locale, code, status);
  return fail(status, {
    refusal: { code, said, remedy, requestId, ...(detail === undefined || detail === "" ? {} : { detail }) },
  });
}

/** A form that no API is asked about, since what it says cannot be read; `typed` is what. */
export const misfilled = (
  event: Pick<RequestEvent, "url" | "locals">,
  typed?: string,
): ActionFailure<Refused> =>
  refused(event, {
    code: "invalid_request",
    status: 400,
    title: "",
    ...(typed === undefined ? {} : { detail: typed }),
  });

/** To a surer sign-in, and back to `to`. */
export const stepUpFor = (to: string, { acr, maxAgeS }: NonNullable<Refusal["stepUp"]>): string =>
  `/sign-in?${new URLSearchParams({ to, acr, max_age: String(maxAgeS) })}`;

export const signInFor = (url: URL): string => `/sign-in?to=${encodeURIComponent(url.pathname + url.search)}`;

function leaveIfSignedOut(url: URL, refusal: Refusal): void {
  if (refusal.code === "session_over") redirect(303, signInFor(url));
}

/** The named filters of the list at this address. */
export const viewsOf = async ({
  locals,
  url,
}: Pick<RequestEvent, "locals" | "url">): Promise<readonly View[]> =>
  (await locals.platform.signedIn?.views.of(url.pathname)) ?? [];

/** A field of a form as text, trimmed; empty when it was not sent. */
export function textIn(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
}
