import { type Id, newId } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

type Item = Readonly<Record<string, unknown>>;
type Page = { readonly data: readonly Item[]; readonly next_cursor: string | null };

const page = async (tenant: Id<"tenant"> | "platform", path: string): Promise<Page> => {
  // A tenant of the test, or the operator's own.
  const answer = await stage.call("GET", path, { scope: "billing:read", tenant: tenant as Id<"tenant"> });
  expect(answer.status).toBe(200);
  return answer.body as never; // as its contract has it, which the edge has checked
};

/** The ids on every page; between two pages something happens. */
async function walk(
  tenant: Id<"tenant"> | "platform",
  path: string,
  between: () => Promise<unknown>,
): Promise<unknown[]> {
  const ids: unknown[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const more: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const { data, next_cursor }: Page = await page(tenant, `${path}limit=2${more}`);
    expect(data.length).toBeLessThanOrEqual(2);
    ids.push(...data.map(({ id }) => id));
    cursor = next_cursor;
    await between();
  }
  return ids;
}

const openCase = async (): Promise<string> => {
  const id = newId("case");
  await stage.database.asAdmin(
    "insert into reconciliation_cases (tenant_id, id, kind, object_id, asset, ours, opened_at) values ('platform', $1, 'refund_failed', $1, 'EUR/2', 5, now())",
    [id],
  );
  return id;
};

describe("a list is read page by page, whatever is added meanwhile", () => {
  test("reconciliation cases, newest first, all or the open ones", async () => {
    const opened: string[] = [];
    for (let count = 0; count < 5; count++) opened.unshift(await openCase());
    const resolved = String(opened[3]);
    await stage.database.asAdmin(
      "update reconciliation_cases set resolved_at = now(), resolved_by = 'x', note = 'x' where id = $1",
      [resolved],
    );
    expect(await walk(platformTenant, "/api/v1/reconciliation-cases?", openCase)).toEqual(opened);
    const open = await walk(
      platformTenant,
      "/api/v1/reconciliation-cases?state=open&",
      async () => undefined,
    );
    expect(open.slice(-4)).toEqual(opened.filter((id) => id !== resolved));
    expect((await page(platformTenant, "/api/v1/reconciliation-cases?state=resolved")).data).toMatchObject([
      { id: resolved },
    ]);
  });

  test("payout accounts, of all merchants or of one, and each says whether it is in effect", async () => {
    const tenant = newId("tenant");
    const ask = async (merchant = newId("merchant")): Promise<Item> => {
      const body = { merchant };
      return (await stage.call("POST", "/api/v1/payout-accounts", { scope: "offers:write", tenant, body }))
        .body;
    };
    for (let count = 0; count < 5; count++) await ask();
    const { data: all } = await page(tenant, "/api/v1/payout-accounts");
    expect(all).toHaveLength(5);
    expect(await walk(tenant, "/api/v1/payout-accounts?", async () => undefined)).toEqual(
      all.map(({ id }) => id),
    );
    expect(
      (await page(tenant, `/api/v1/payout-accounts?merchant=${String(all[2]?.["merchant"])}`)).data,
    ).toEqual([all[2]]);
    expect(await page(newId("tenant"), `/api/v1/payout-accounts?cursor=${String(all[0]?.["id"])}`)).toEqual({
      data: [],
      next_cursor: null,
    });
  });

  test("a page has a length, and no more than 500", async () => {
    for (const limit of ["0", "501", "many"])
      for (const path of ["payout-accounts", "invoices", "reconciliation-cases"])
        expect(
          (
            await stage.call("GET", `/api/v1/${path}?limit=${limit}`, {
              scope: "billing:read",
              tenant: newId("tenant"),
            })
          ).status,
        ).toBe(400);
  });
});
