import { type Route, route } from "@remit/platform/http";
import { pollMethod, pushMethod, SsfConfiguration } from "@remit/protocol/contracts";
import { addresses } from "./streams.http.ts";

/** What receivers begin with (SSF 1.0 §7). */
export function configurationRoute({ issuer }: { readonly issuer: string }): Route {
  const document: SsfConfiguration = {
    spec_version: "1_0",
    issuer,
    jwks_uri: `${issuer}/oauth/jwks.json`,
    delivery_methods_supported: [pushMethod, pollMethod],
    configuration_endpoint: issuer + addresses.streams,
    status_endpoint: issuer + addresses.status,
    add_subject_endpoint: issuer + addresses.addSubject,
    remove_subject_endpoint: issuer + addresses.removeSubject,
    verification_endpoint: issuer + addresses.verify,
    authorization_schemes: [{ spec_urn: "urn:ietf:rfc:6749" }, { spec_urn: "urn:ietf:rfc:9449" }],
    default_subjects: "ALL",
  };
  return route({
    method: "GET",
    path: "/.well-known/ssf-configuration",
    summary: "Where streams of signals are managed (Shared Signals Framework 1.0)",
    needs: "public",
    answers: { 200: SsfConfiguration },
    handle: () => ({
      status: 200,
      headers: { "cache-control": "public, max-age=300" },
      body: document,
    }),
  });
}
