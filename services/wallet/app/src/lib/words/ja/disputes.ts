import type { Disputes } from "../en/disputes.ts";

export const disputes: Disputes = {
  dispute: {
    title: "問題がありますか",
    lead: "この購入に問題があれば、ここで伝えてください。店が答え、署名された領収書が証拠になります。",
    begin: "この購入に異議を申し立てる",
    open: "異議を申し立てる",
    reason: "問題の内容",
    statement: "何があったか、あなたの言葉で",
    howMuch: (all) => `金額(空欄なら全額 ${all})`,
    reasons: {
      not_delivered: "届いていない",
      not_as_described: "説明と違う",
      unauthorized: "許可していない",
      duplicate: "二重に支払われた",
      wrong_amount: "金額が違う",
      other: "その他",
    },
    state: "異議",
    states: {
      needs_response: "店の回答待ち",
      under_review: "審査中",
      won: "店の主張が認められました",
      lost: "あなたの主張が認められました",
      withdrawn: "取り下げ",
    },
    atNetwork: "終了：銀行が判断します",
    amount: "対象額",
    opened: "申し立て",
    respondBy: "店の回答期限",
    refund: "返金額",
    withdraw: "取り下げる",
    done: { opened: "異議を申し立てました。店に伝えられました。", withdrawn: "異議を取り下げました。" },
  },
};
