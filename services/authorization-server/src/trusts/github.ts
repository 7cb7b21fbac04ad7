import { secondMs } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { isJsonObject, Problem, parseJson } from "@remit/protocol";

/** Where GitHub, or an Enterprise Server, issues tokens to workflows and tells what repositories there are. */
export type Github = { readonly issuer: string; readonly jwksUri: string; readonly api: string };

export type RepositoryIds = { readonly repository_id: string; readonly repository_owner_id: string };

type Deps = { readonly github: Pick<Github, "api">; readonly githubOutbound: Pick<Outbound, "request"> };

/**
 * Which repository has this name at this moment. Names change hands and ids do not (A13), so this is asked once, when
 * somebody decides to trust it. A repository that has another name by now is not taken for the one that was meant.
 */
export async function idsOf({ github, githubOutbound }: Deps, repository: string): Promise<RepositoryIds> {
  const answer = await githubOutbound.request({
    method: "GET",
    url: `${github.api}/repos/${repository}`,
    headers: { accept: "application/vnd.github+json", "user-agent": "remit" },
    timeoutMs: 10 * secondMs,
    bodyBytesMax: 256 * 1024,
  });
  if (answer.status === 404 || answer.status === 301)
    throw refused("GitHub shows nobody a repository of this name. Name repositoryId and repositoryOwnerId.");
  const found = answer.status === 200 ? parseJson(Buffer.from(answer.body).toString("utf8")) : undefined;
  const owner = isJsonObject(found) ? found["owner"] : undefined;
  if (!isJsonObject(found) || !isJsonObject(owner) || !isId(found["id"]) || !isId(owner["id"]))
    throw new Problem("outbound_failed", { private: { status: answer.status } });
  const { full_name: name } = found;
  if (typeof name !== "string" || name.toLowerCase() !== repository.toLowerCase())
    throw refused("The repository has another name by now.");
  return { repository_id: String(found["id"]), repository_owner_id: String(owner["id"]) };
}

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0;

const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
