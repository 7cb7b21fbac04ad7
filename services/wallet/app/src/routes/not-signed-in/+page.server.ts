import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = ({ url, setHeaders }) => {
  setHeaders({ "cache-control": "no-store" });
  const because = url.searchParams.get("because");
  const known = ["access_denied", "sign_in_unknown", "sign_in_mixed_up"] as const;
  return { because: known.find((one) => one === because) ?? ("other" as const) };
};
