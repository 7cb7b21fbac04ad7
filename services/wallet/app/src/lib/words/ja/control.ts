import type { Control } from "../en/control.ts";

export const control: Control = {
  history: {
    you: "あなた",
    remit: "Remit",
    change: "変更",
    by: "操作した人",
    when: "日時",
    entry: "監査記録",
    dates: "日付",
    undo: "元に戻す",
    what: {
      "mandate.issued": "委任",
      "mandate.narrowed": "縮小",
      "mandate.suspended": "一時停止",
      "mandate.resumed": "再開",
      "mandate.revoked": "取り消し",
      "mandate.expired": "期限切れ",
      "mandate.exhausted": "使い切り",
    },
  },
  exports: {
    title: "ほかのプロトコルへの提供",
    lead: "この委任の一部は、Remit に確認しない場所で使えます。発行者が使用額を伝えるまで、全額が確保されます。",
    as: "形式",
    standing: "状態",
    until: "期限",
    used: "使用額",
    revoke: "返還を求める",
    kinds: {
      ap2: "AP2 支払い委任",
      acp: "ACP 許可",
      spt: "共有支払いトークン",
      x402: "x402 の目安",
    },
    states: {
      held: "確保中",
      revoking: "返還を請求中",
      closed: "終了",
      advisory: "目安のみ",
    },
  },
  templates: {
    title: "次のいずれかから始めて、自由に変更できます。",
    names: {
      reading: "読書と調査",
      errands: "日々の買い物",
      project: "プロジェクト",
    },
    words: (amount: string, each: string, days: string) =>
      `${days} 日間で ${amount} まで、1 回 ${each} まで。`,
    asked: (amount: string) => `${amount} を超えると確認します。`,
    unasked: "確認はありません。",
  },
  privacy: {
    title: "プライバシー",
    lead: "保管されているあなたの情報と、その持ち出し方です。",
    export: "すべて持ち出す",
    exportWhy:
      "あなたについて保管しているすべてを 1 つのファイルにします。委任、購入、領収書、回答、カードの下 4 桁、送った通知を含みます。秘密や鍵は含みません。もう一度サインインを求められることがあります。",
    exportDo: "ダウンロード",
    elsewhere:
      "あなたのアカウントは組織に属しています。保管された情報の書き出しと消去は、組織の管理者が行います。",
    erase: "ポータルの保管情報を消去",
    consequences: [
      "すべての端末とメールアドレスを消去します。再び有効にするまで通知は届きません。",
      "送った通知の一覧はすぐに消去されます。",
      "委任、領収書、監査記録は残ります。許可と支払いの証拠であり、法律により長年の保管が求められます。",
      "エージェントと委任は続きます。止めるには、凍結するか委任を取り消してください。",
    ],
    eraseTitle: "ポータルが保管するあなたの情報を消去しますか?",
    eraseWhy: "元に戻せません。",
    eraseDo: "消去する",
    word: "消去",
    forgotten: "消去しました。",
  },
};
