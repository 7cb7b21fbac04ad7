import type { Money } from "../en/money.ts";

export const money: Money = {
  money: {
    title: "支払い方法",
    lead: "あなたの委任の範囲で、エージェントが支払いに使うものです。店にもエージェントにもカードは見えません。",
    cards: "カード",
    empty: "カードはまだありません。",
    emptyHow: "カードがなければ、カード払いの購入は断られ、何も確保されません。",
    default: "委任に指定がなければこれを使います",
    add: "カードを追加",
    addWhy: "この環境はサンドボックスです。これらのカードはここだけのもので、実際のお金は動きません。",
    testCard: "テストカード",
    tests: {
      pm_card_visa: "支払えます",
      pm_card_mastercard: "支払えます",
      pm_card_amex: "支払えます",
      pm_card_authenticationRequired: "銀行の確認があります",
      pm_card_chargeDeclined: "断られます",
    },
    save: "このカードを保存",
    done: (card) => `${card}を保存しました。`,
  },
};
