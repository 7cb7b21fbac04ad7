import { isJsonObject, type JsonObject } from "@remit/protocol";

/** The object of a good answer; what a bad one says becomes an error. */
export async function objectFrom(response: Response): Promise<JsonObject> {
  const answer: unknown = await response.json();
  if (response.ok && isJsonObject(answer)) return answer;
  const words = isJsonObject(answer)
    ? [answer["detail"], answer["title"], answer["error_description"], answer["error"]]
    : [];
  const why = words.find((word) => typeof word === "string");
  throw new Error(
    `${new URL(response.url).pathname} answered ${response.status}${why === undefined ? "" : `: ${why}`}`,
  );
}
