import { describe, expect, test } from "vitest";
import { payloadOf } from "../jose/index.ts";
import { holds, sha256b64url } from "../node/index.ts";
import { contentOf, examineClosed, holderOf, twoHops } from "./hops.ts";

/** AP2's conformance vectors for Delegate SD-JWT (`ap2-delegate-sd-jwt/v1`): `single-hop-payment-chain`. */
const published =
  "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogImV4YW1wbGUrc2Qtand0IiwgImtpZCI6ICJ1c2VyLXJvb3QifQ.eyJkZWxlZ2F0ZV9wYXlsb2FkIjogW3siLi4uIjogIm5UUWN2dzBFTklGS3JhdUFUT2ROQTUxdktLVEtjRndnc21UWG5EbDZQNncifV0sICJfc2RfYWxnIjogInNoYS0yNTYifQ.cHaOnaymkftP9OlOGEDlxC56PCYIu7CrVxSiRxQnh24R3fjYiQKBntC3_1cxMyBR2VR8IIsXNtfTo96yAcP7Dg~WyJCN09hQ1QtSUpXa3dEdlpUMHVQOVNnIiwgInBheW1lbnRfYW1vdW50IiwgeyJhbW91bnQiOiAyNTAwLCAiY3VycmVuY3kiOiAiVVNEIn1d~WyJNclNuTVJzY3JZcDl0REVXRVc1OThnIiwgeyJfc2QiOiBbIktHTFlKU3AtWHZPUVNUUXVBWTFzaXNqejNNYTAtTm5kTXY4aHpMT1duTkEiLCAiT0I5a0ZadURVWGx2c09HMTViSGdmOV9WUVpOdVJZR2pQWTk4aG12LXVqbyJdLCAidmN0IjogIm1hbmRhdGUucGF5bWVudC5vcGVuLjEiLCAiY29uc3RyYWludHMiOiBbXSwgImNuZiI6IHsiandrIjogeyJjcnYiOiAiUC0yNTYiLCAia2lkIjogImFnZW50LXNhIiwgImt0eSI6ICJFQyIsICJ4IjogImJZU0xMVm11MjI5bHVna1M2dnpzVDdyVkdNSkxsR0E3cjVxYU80MWRaeG8iLCAieSI6ICJHVFdndXFsem9Md0d5dmZkcVZYTGFrTjNaWVFvNjNJQ0F4dTBvWVJ5Y2tVIn19fV0~~eyJhbGciOiAiRVMyNTYiLCAidHlwIjogImtiK3NkLWp3dCIsICJraWQiOiAiYWdlbnQtc2EifQ.eyJkZWxlZ2F0ZV9wYXlsb2FkIjogW3siLi4uIjogIjR6X3dqWWIxcVFMLWdBYXhsamJia1oxbThHZWhOQlp0TDZVa2RRNVdaQ0kifV0sICJpYXQiOiAxNzg1MjY4NjAyLCAiYXVkIjogIm1lcmNoYW50IiwgIm5vbmNlIjogIm1lcmNoYW50LW5vbmNlLXNpbmdsZSIsICJzZF9oYXNoIjogIkp5dVBvRnNtQkpGS244UXVyTTRWMEVTNVZRbDZUNkVfcmVzdnhLR3NSM3MiLCAiX3NkX2FsZyI6ICJzaGEtMjU2In0.40aQWQKjx6I_OL1qLDwS2j1HVDCUGclAW9nyWA5NyOSde9sWXchMb4t5RR8RHAk6vAzzXR4dv03ZCZFrnaj6Gw~WyJla01UOHhUYWd1OUN3MS1MSTM0SXpRIiwgeyJ2Y3QiOiAibWFuZGF0ZS5wYXltZW50LjEiLCAidHJhbnNhY3Rpb25faWQiOiAidHhfc2luZ2xlX2hvcCIsICJwYXllZSI6IHsiaWQiOiAibS0xIiwgIm5hbWUiOiAiQWNtZSBTdG9yZSJ9LCAicGF5bWVudF9hbW91bnQiOiB7ImFtb3VudCI6IDI1MDAsICJjdXJyZW5jeSI6ICJVU0QifSwgInBheW1lbnRfaW5zdHJ1bWVudCI6IHsiaWQiOiAicGktMSIsICJ0eXBlIjogImNyZWRpdCJ9fV0~";

describe("a chain of mandates as AP2 publishes one", () => {
  const examine = (text: string) => {
    const [open, closed] = twoHops(text, sha256b64url);
    const content = contentOf(payloadOf(open.jws) ?? {}, open, sha256b64url);
    const holder = holderOf(content);
    return { content, closed: examineClosed(closed, { open, holder, digest: sha256b64url }) };
  };

  test("reads as AP2 says, and its links and signature hold", () => {
    const { content, closed } = examine(published);
    expect(content).toMatchObject({ vct: "mandate.payment.open.1", payment_amount: { amount: 2_500 } });
    expect(content).not.toHaveProperty("payee");
    expect(closed.content).toMatchObject({ vct: "mandate.payment.1", transaction_id: "tx_single_hop" });
    expect(holds(closed.check)).toBe(true);
  });

  test("with fewer of its disclosures is another chain than the one that was closed", () => {
    const [jws, ...rest] = published.split("~");
    expect(() => examine([jws, ...rest.slice(1)].join("~"))).toThrow(
      expect.objectContaining({ code: "export_mandate_invalid" }),
    );
  });

  test.each(["", "~", "a~b~~c", `${published}~${published}`, published.replace("~~", "~")])(
    "of another form is none",
    (text) => {
      expect(() => examine(text)).toThrow(expect.objectContaining({ code: "export_mandate_invalid" }));
    },
  );
});
