import type { Rules } from "../en/rules.ts";

export const rules: Rules = {
  rules: {
    title: "ルール",
    lead: "すべての委任にまとめて適用する決まりです。委任の内容にかかわらず、購入のたびに確認されます。",
    limits: "全体の上限",
    limitsWhy: "すべてのエージェント、または一つのエージェントが、期間内に全委任で使える額です。",
    noLimit: "ありません。委任ごとの上限だけです。",
    ask: "確認する場合",
    askWhy: "この額を超える購入はあなたの承認を待ちます。",
    noAsk: "委任に定めがある場合だけ確認します。",
    blocked: "購入しない相手",
    blockedWhy: "どのエージェントも支払えない店、または店の種類です。",
    noneBlocked: "ありません。",
    everyAgent: "すべてのエージェント",
    whose: "対象",
    period: "期間",
    amount: { limit: "上限額(任意)", threshold: "これを超えたら確認" },
    count: "購入回数の上限(任意)",
    address: "店のアドレス",
    category: "種類(例: gambling)",
    kindOf: (category) => `種類「${category}」のすべての店`,
    add: {
      limit: "上限を追加",
      threshold: "金額を決める",
      merchant: "店を禁じる",
      category: "店の種類を禁じる",
    },
    set: "このルールにする",
    remove: "外す",
    done: "今からこのルールになります。",
  },
};
