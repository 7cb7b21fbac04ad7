import { isJsonObject, type JsonObject } from "@remit/protocol";
import { AnswerRefused } from "../refusals.ts";

/** The object of a good answer, an empty one when it has no content; what a bad one says becomes an error. */
export async function objectFrom(response: Response): Promise<JsonObject> {
  if (response.status === 204) return {};
  const answer: unknown = await response.json();
  if (response.ok && isJsonObject(answer)) return answer;
  const said = (...members: readonly string[]): string | undefined =>
    members
      .map((member) => (isJsonObject(answer) ? answer[member] : undefined))
      .find((word) => typeof word === "string");
  const why = said("detail", "title", "error_description", "error");
  throw new AnswerRefused(
    `${new URL(response.url).pathname} answered ${response.status}${why === undefined ? "" : `: ${why}`}`,
    { code: said("code", "error"), remedy: said("remedy") },
  );
}
