import type { ApprovalBody, MandateBody } from "@remit/protocol/contracts";

type Asked = Extract<ApprovalBody, { kind: "charge" }>["purchase"];
type Rules = Pick<MandateBody, "step_up">;

/** Which of a mandate's own rules put this question, by their places among them; none where another mandate or a rule of the wallet did. */
export const triggersOf = (
  { because, amount_minor }: Pick<Asked, "because" | "amount_minor">,
  { step_up }: Rules,
): readonly number[] =>
  step_up.flatMap((rule, at) => {
    const isMet =
      "above_minor" in rule
        ? because === "above_limit" && amount_minor > rule.above_minor
        : because === "first_purchase_at_merchant";
    return isMet ? [at] : [];
  });
