import type { Charts } from "../en/charts.ts";

export const charts: Charts = {
  charts: {
    title: (currency) => `${currency} の支出`,
    byAgent: "エージェント別",
    byMerchant: "店別",
    byCategory: "店の種類別",
    noCategory: "種類なし",
    daysAlt: (total, from, to) => `${from}から${to}までの支出は${total}、日ごとの内訳。`,
    from: "開始日",
    to: "終了日",
    clear: "すべて表示",
    nothing: "該当するものはありません。",
    nothingHow: "条件を外すか、別の期間を選んでください。",
    perDay: (amount) => `一日あたり約${amount}。`,
    empties: (day) => `このままだと、${day}に残りがなくなります。`,
    lasts: "このままなら、期限まで足ります。",
    month: (spent, expected) => `今月 ${spent}、このままだと月末に ${expected}`,
  },
};
