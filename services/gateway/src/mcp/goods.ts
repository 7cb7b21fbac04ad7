import type { JsonObject } from "@remit/protocol";
import type { UpstreamAnswer } from "../proxy/index.ts";
import { answerIn, type RpcAnswer, type RpcId } from "./messages.ts";

/** No status of HTTP: the tool has failed, and its answer tells how. */
const toolFailed = 600;

const jsonFields = [["Content-Type", "application/json"]] as const;

/**
 * What a tool's answer comes to: goods for a result that says of itself that it is no error, and for nothing else. The
 * request's id is left out, since the same goods may answer another request later.
 */
export const judgeTool =
  (id: RpcId) =>
  (answer: UpstreamAnswer): UpstreamAnswer => {
    // A session that has ended, say: HTTP has said so already.
    if (answer.status >= 400) return answer;
    const found = answerIn(answer, id);
    if (found === undefined) return whole(toolFailed, noAnswer);
    if ("error" in found || found.result["isError"] === true) return whole(toolFailed, found);
    // Neither an error nor a result of a tool: not to be delivered, since nobody could be charged for it.
    if (!isResult(found.result)) return whole(toolFailed, noAnswer);
    return whole(answer.status, found);
  };

/** MCP, "Tool Result": `content` is a list, and `isError` a flag where it stands. */
const isResult = ({ content, isError = false }: JsonObject): boolean =>
  Array.isArray(content) && isError === false;

const noAnswer: RpcAnswer = { error: { code: -32_603, message: "The tool has not answered." } };

const whole = (status: number, found: RpcAnswer): UpstreamAnswer => ({
  status,
  fields: jsonFields,
  body: Buffer.from(JSON.stringify(found)),
});

/** The tool's answer of a judged one; undefined where the server has refused by HTTP. */
export function judged({ status, body }: UpstreamAnswer): RpcAnswer | undefined {
  if (status >= 400 && status !== toolFailed) return undefined;
  // As `judgeTool` has written it.
  return JSON.parse(Buffer.from(body).toString()) as RpcAnswer;
}
