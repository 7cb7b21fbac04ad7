import type { Money } from "../en/money.ts";

export const money: Money = {
  money: {
    form: "カードを専用フォームで入力",
    formWhy: "カード番号はブラウザーから決済ネットワークへ直接送られ、Remit には表示されません。",
    goThere: "フォームへ進む",
    nowhere: "決済ネットワークのフォームをここから開けません。この環境の管理者にお尋ねください。",
    unfinished:
      "カードは保存されませんでした。フォームが完了しなかったか、銀行が拒否しました。いつでもやり直せます。",
    makeDefault: "このカードを使う",
    remove: "削除",
    removeTitle: (card: string) => `${card} を削除しますか?`,
    removeWhy:
      "このカードへの請求は行われなくなります。このカードを指定した委任は、再開するまで一時停止します。",
    removeDo: "削除する",
    changed: {
      default: "今後、指定のない支払いにはこのカードを使います。",
      removed: "削除しました。",
    },
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
      pm_card_chargeDeclined: "断られます",
    },
    save: "このカードを保存",
    done: (card) => `${card}を保存しました。`,
  },
};
