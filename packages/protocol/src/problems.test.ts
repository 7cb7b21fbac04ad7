import { describe, expect, test } from "vitest";
import { isProblemCode, Problem, problems, toOAuthError, toProblemJson } from "./problems.ts";

describe("the catalogue of refusals", () => {
  test("codes are in alphabetical order and spelt as one word", () => {
    const codes = Object.keys(problems);
    expect(codes).toEqual([...codes].sort());
    for (const code of codes) expect(code).toMatch(/^[a-z][a-z0-9_]*$/);
  });

  test("every refusal says what to do, in a status that is an error", () => {
    for (const [code, { status, title, remedy }] of Object.entries(problems)) {
      expect(status, code).toBeGreaterThanOrEqual(400);
      expect(status, code).toBeLessThan(600);
      expect(title.length, code).toBeGreaterThan(8);
      expect(remedy, code).toMatch(/\.$/);
    }
  });

  test.each(["toString", "__proto__", "constructor", ""])("%s is no code", (code) =>
    expect(isProblemCode(code)).toBe(false),
  );
});

describe("a problem on the wire", () => {
  const problem = new Problem("mandate_cap_exceeded", {
    detail: "12.00 USD are left.",
    private: { mandate: "secret" },
    extra: { remaining: 1200, status: 200, code: "ok", request_id: "forged" },
  });

  test("extra members never hide the standard ones, and what is private stays here", () => {
    const json = toProblemJson(problem, "req_1", "https://as.example");
    expect(json).toMatchObject({
      type: "https://as.example/docs/problems/mandate_cap_exceeded",
      status: 402,
      code: "mandate_cap_exceeded",
      detail: "12.00 USD are left.",
      remaining: 1200,
      request_id: "req_1",
    });
    expect(JSON.stringify(json)).not.toContain("secret");
  });

  test("without an origin the type is relative", () => {
    expect(toProblemJson(new Problem("not_found"), "req_1").type).toBe("/docs/problems/not_found");
  });

  test("an OAuth error has a registered code and a description that fits a header", () => {
    const error = toOAuthError(new Problem("setup_token_invalid", { detail: 'said "no"\r\nX: y\\' }));
    expect(error).toEqual({
      error: "invalid_token",
      error_description: "said 'no'''X: y'",
      code: "setup_token_invalid",
    });
    expect(toOAuthError(new Problem("invalid_grant")).error).toBe("invalid_grant");
    expect(toOAuthError(new Problem("mandate_revoked")).error).toBe("access_denied");
    expect(toOAuthError(new Problem("offer_malformed")).error).toBe("invalid_request");
    expect(toOAuthError(new Problem("internal_error")).error).toBe("server_error");
    expect(toOAuthError(new Problem("unavailable")).error).toBe("temporarily_unavailable");
  });
});
