import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Instant, newId, toRfc3339 } from "@remit/kernel";
import {
  type PrivateJwk,
  type ProblemCode,
  peekOffer,
  priceOf,
  problems,
  publicJwkOf,
} from "@remit/protocol";
import { CaptureCharge, type ChargeBody, type CreateCharge } from "@remit/protocol/contracts";
import { generateJwk } from "@remit/protocol/node";

/** What the fake does instead of its work: refuse, answer 500, forget the request, or lose the answer of what it did. */
export type Trouble = ProblemCode | "500" | "lose_request" | "lose_answer";

export type ChargeCall = {
  readonly op: "create" | "read" | "capture" | "commit" | "release";
  readonly key: string | undefined;
  readonly body: unknown;
};

/** The authorization server as the gateway sees it: keys, tokens, and a charge API that keeps its own rules. */
export type FakeIssuer = {
  readonly origin: string;
  readonly key: PrivateJwk;
  readonly charges: Map<string, ChargeBody>;
  readonly calls: ChargeCall[];
  /** Asked before each call; undefined lets it through. */
  trouble: (call: ChargeCall) => Trouble | undefined | Promise<Trouble | undefined>;
  /** Until when a principal is asked about a new charge; undefined when nobody is. */
  asks: () => Instant | undefined;
  close(): Promise<void>;
};

const operationOf = (method: string | undefined, path: string): ChargeCall["op"] => {
  if (method === "GET") return "read";
  if (path.endsWith("/capture")) return "capture";
  if (path.endsWith("/commit")) return "commit";
  return path.endsWith("/release") ? "release" : "create";
};

export async function startIssuer(): Promise<FakeIssuer> {
  const key = generateJwk("ES256");
  const kept = new Map<string, { digest: string; charge: ChargeBody }>();
  const server = createServer((req, res) => void serve(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer: FakeIssuer = {
    // A server that listens on a port has an address of this shape.
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key,
    charges: new Map(),
    calls: [],
    trouble: () => undefined,
    asks: () => undefined,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await bodyOf(req);
    const answer = (status: number, json: unknown): void => {
      res.writeHead(status, {
        "content-type": status < 400 ? "application/json" : "application/problem+json",
      });
      res.end(JSON.stringify(json));
    };
    if (req.url === "/.well-known/jwks.json") return answer(200, { keys: [publicJwkOf(key)] });
    if (req.url === "/oauth/token")
      return answer(200, { access_token: "at", token_type: "DPoP", expires_in: 300 });
    const call: ChargeCall = {
      op: operationOf(req.method, req.url ?? ""),
      key: req.headers["idempotency-key"]?.toString(),
      body: body === "" ? undefined : JSON.parse(body),
    };
    issuer.calls.push(call);
    const trouble = await issuer.trouble(call);
    if (trouble === "lose_request") return void req.socket.destroy();
    if (trouble === "500") return answer(500, {});
    if (trouble !== undefined && trouble !== "lose_answer")
      return answer(problems[trouble].status, problemOf(trouble));
    const done = perform(
      call,
      req.url ?? "",
      createHash("sha256").update(`${req.url} ${body}`).digest("hex"),
    );
    if (trouble === "lose_answer") return void req.socket.destroy();
    return typeof done === "string"
      ? answer(problems[done].status, problemOf(done))
      : answer(done.status === "pending_approval" ? 202 : call.op === "create" ? 201 : 200, done);
  }

  function perform(call: ChargeCall, url: string, digest: string): ChargeBody | ProblemCode {
    if (call.op === "read") return issuer.charges.get(url.split("/")[4] ?? "") ?? "not_found";
    if (call.key === undefined) return "idempotency_key_required";
    const before = kept.get(`${url} ${call.key}`);
    if (before !== undefined)
      return before.digest === digest
        ? (issuer.charges.get(before.charge.id) ?? before.charge)
        : "idempotency_conflict";
    const charge =
      call.op === "create"
        ? create(call.body as CreateCharge, issuer.asks())
        : move(url.split("/")[4] ?? "", call.op, call.body);
    if (typeof charge === "string") return charge;
    issuer.charges.set(charge.id, charge);
    kept.set(`${url} ${call.key}`, { digest, charge });
    return charge;
  }

  function move(id: string, op: "capture" | "commit" | "release", body: unknown): ChargeBody | ProblemCode {
    const charge = issuer.charges.get(id);
    if (charge === undefined) return "not_found";
    if (charge.status === (op === "capture" ? "captured" : "released")) return charge;
    const allowed = ["authorized", "capturing", "committed"].includes(charge.status);
    if (!allowed) return "charge_state_conflict";
    if (op !== "capture") return { ...charge, status: op === "release" ? "released" : "committed" };
    const { amount_minor: wanted } = CaptureCharge.parse(body);
    if (wanted !== undefined && wanted > charge.amount_minor) return "invalid_request";
    const captured_minor = wanted ?? charge.amount_minor;
    return { ...charge, status: "captured", captured_minor, receipt: `eyJ.${charge.id}.sig` };
  }

  return issuer;
}

function create(order: CreateCharge, until: Instant | undefined): ChargeBody {
  const offer = peekOffer(typeof order.offer === "string" ? order.offer : "");
  return {
    id: newId("charge"),
    status: until === undefined ? "authorized" : "pending_approval",
    ...(until === undefined ? {} : { approve_by: toRfc3339(until), approval_id: newId("approval") }),
    mandate_id: newId("mandate"),
    agent_id: newId("agent"),
    merchant_id: offer.merchant,
    amount_minor: Number(priceOf(offer).units),
    currency: offer.currency,
    rail: "card",
    payment_reference: "pi_1",
    generation: 1,
    livemode: false,
    created_at: "2026-01-01T00:00:00Z",
  };
}

const problemOf = (code: ProblemCode): object => ({
  type: `/docs/problems/${code}`,
  title: problems[code].title,
  status: problems[code].status,
  code,
  request_id: newId("request"),
  remaining: 5,
});

async function bodyOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer); // no encoding is set, so chunks are buffers
  return Buffer.concat(chunks).toString();
}
