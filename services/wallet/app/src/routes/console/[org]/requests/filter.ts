import { oneOf, wordIn } from "#lib/console/server.ts";
import { momentsOf } from "../../../../../../src/showing/index.ts";

/** What of the request log the address asks for. */
export function filterIn(url: URL) {
  const { since, until } = momentsOf({ since: wordIn(url, "from"), until: wordIn(url, "to") });
  return {
    status: wordIn(url, "status"),
    actor: wordIn(url, "actor"),
    problem: wordIn(url, "problem"),
    via: oneOf(url, "via", ["api", "portal"] as const),
    from: since,
    before: until,
  };
}
