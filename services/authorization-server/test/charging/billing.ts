import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, newId } from "@remit/kernel";
import type { Instruction, PublicJwk } from "@remit/protocol";
import { verifyInstruction } from "@remit/protocol/node";

/** How the next call of a verb goes wrong: the word is lost, its answer is lost, billing says so, or it hangs there. */
export type Fault =
  | "lost"
  | "answer_lost"
  | "500"
  | "declined"
  | "requires_action"
  | "halted"
  | "no_instrument"
  | "stuck"
  | "refused"
  | "exceeds";

type Row = {
  id: string;
  charge: string;
  generation: number;
  status: string;
  amount: number;
  captured: number;
  refunds: Map<string, Refunded>;
  decline?: string;
};

type Refunded = {
  readonly amount: number;
  readonly status: "succeeded" | "refused" | "failed";
  /** Over a chain, why the merchant's transfer was not taken for the refund. */
  readonly because?: "transfer_not_matching";
};

/** A billing at the HTTP edge: it checks instructions, keeps payments, and fails when told to. */
export type FakeBilling = {
  readonly origin: string;
  readonly payments: ReadonlyMap<string, Row>;
  /** Verbs that took effect, in order: `hold chg_…`. */
  readonly done: readonly string[];
  /** Every request, also those without effect. */
  readonly asked: readonly string[];
  /** Every instruction, in order. */
  readonly told: readonly Instruction[];
  fail(verb: string, fault: Fault, times?: number): void;
  /** From now on this verb reaches us and is not acted on until the returned function is called. */
  stall(verb: string): () => void;
  /** The least that a card can be charged, in minor units; nothing unless said. */
  least: number;
  /** The holder of the card confirms this charge's payment at the issuer. */
  confirm(charge: string): void;
  /** Its bank sends back what was refunded of this charge last. */
  sendBack(charge: string): string;
  close(): Promise<void>;
};

export async function fakeBilling(by: {
  readonly issuer: string;
  readonly keys: () => readonly PublicJwk[];
  readonly clock: Clock;
}): Promise<FakeBilling> {
  const state = {
    payments: new Map<string, Row>(),
    done: [] as string[],
    asked: [] as string[],
    told: [] as Instruction[],
    faults: new Map<string, Fault[]>(),
    stalled: new Map<string, Promise<void>>(),
  };
  const limits = { least: 0 };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => reply(response, 400, { detail: String(error) }));
  });
  const origin = await listening(server);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", origin);
    if (request.method === "GET") {
      state.asked.push("read");
      const fault = state.faults.get("read")?.shift();
      if (fault !== undefined) return void request.socket.destroy();
      const found = [...state.payments.values()].filter(
        (row) => row.charge === url.searchParams.get("charge"),
      );
      return reply(response, 200, { data: found.map(bodyOf) });
    }
    const { instruction } = JSON.parse(await textOf(request));
    const trusted = { issuer: by.issuer, audience: origin, keys: by.keys(), now: by.clock.now() };
    const order = verifyInstruction(instruction, trusted);
    state.told.push(order);
    state.asked.push(order.op === "hold" ? `hold ${order.charge}` : order.op);
    await state.stalled.get(order.op);
    const fault = state.faults.get(order.op)?.shift();
    if (fault === "lost") return void request.socket.destroy();
    if (fault === "500") return reply(response, 500, { code: "internal_error" });
    if (fault === "exceeds") return reply(response, 409, { code: "charge_refund_exceeds_captured" });
    if (fault === "halted") return reply(response, 409, { code: "payouts_halted" });
    if (fault === "no_instrument") return reply(response, 402, { code: "instrument_missing" });
    const tooLittle = order.op === "hold" && order.amount_minor < limits.least;
    const row = perform(state, order, tooLittle ? "declined" : fault);
    if (row === undefined) return reply(response, 409, { code: "charge_state_conflict" });
    if (fault === "answer_lost") return void request.socket.destroy();
    return reply(response, 200, bodyOf(row));
  }

  return {
    origin,
    ...state,
    get least() {
      return limits.least;
    },
    set least(minor) {
      limits.least = minor;
    },
    confirm: (charge) => {
      for (const row of state.payments.values())
        if (row.charge === charge && row.status === "requires_action") row.status = "authorized";
    },
    sendBack: (charge) => {
      const row = [...state.payments.values()].find((one) => one.charge === charge);
      const [refund = "", made] = [...(row?.refunds ?? [])].at(-1) ?? [];
      if (made !== undefined) row?.refunds.set(refund, { ...made, status: "failed" });
      return refund;
    },
    fail: (verb, fault, times = 1) => {
      state.faults.set(
        verb,
        Array.from({ length: times }, () => fault),
      );
    },
    stall: (verb) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      state.stalled.set(verb, promise);
      return () => {
        state.stalled.delete(verb);
        resolve();
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function perform(
  state: { payments: Map<string, Row>; done: string[] },
  order: Instruction,
  fault: Fault | undefined,
): Row | undefined {
  const key = `${order.charge}.${order.generation}`;
  const row = state.payments.get(key) ?? newRow(order);
  const known = state.payments.has(key);
  state.payments.set(key, row);
  switch (order.op) {
    case "hold":
      if (known) return row;
      if (fault === "stuck") break;
      row.status = fault === "declined" || fault === "requires_action" ? fault : "authorized";
      if (fault === "declined") row.decline = "card_declined";
      break;
    case "release":
      if (row.status === "captured") return undefined;
      if (row.status === "released") return row;
      row.status = "released";
      break;
    case "capture":
      if (row.status === "captured") return row;
      if (row.status !== "authorized") return undefined;
      row.status = fault === "declined" ? "released" : "captured";
      row.captured = fault === "declined" ? 0 : order.amount_minor;
      break;
    case "refund":
      if (row.refunds.has(order.refund ?? "")) return row;
      row.refunds.set(order.refund ?? "", {
        amount: order.amount_minor,
        status: fault === "refused" ? "refused" : "succeeded",
        ...(fault === "refused" && order.transaction !== undefined
          ? { because: "transfer_not_matching" as const }
          : {}),
      });
      break;
  }
  state.done.push(`${order.op} ${order.charge}`);
  return row;
}

const newRow = (order: Instruction): Row => ({
  id: newId("payment"),
  charge: order.charge,
  generation: order.generation,
  status: "authorizing",
  amount: order.amount_minor,
  captured: 0,
  refunds: new Map(),
});

const bodyOf = (row: Row) => ({
  id: row.id,
  charge: row.charge,
  generation: row.generation,
  status: row.status,
  rail: "card",
  reference: row.status === "authorizing" ? null : `pi_${row.id.slice(4)}`,
  amount_minor: row.amount,
  captured_minor: row.captured,
  refunded_minor: [...row.refunds.values()].reduce(
    (sum, { amount, status }) => sum + (status === "succeeded" ? amount : 0),
    0,
  ),
  refunds: [...row.refunds]
    .toReversed()
    .map(([id, { amount, ...refund }]) => ({ id, amount_minor: amount, ...refund })),
  currency: "EUR",
  ...(row.decline === undefined ? {} : { decline_code: row.decline }),
});

export function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

export async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

export async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is never a path.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
