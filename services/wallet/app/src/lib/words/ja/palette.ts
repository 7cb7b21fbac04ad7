import type { Palette } from "../en/palette.ts";

export const palette: Palette = {
  palette: {
    open: "検索",
    title: "探す・行う",
    hint: "ページ、名前、ID",
    found: "見つかったもの",
    actions: "操作",
    pages: "移動",
    reversible: "いつでも解除できます",
    searching: "検索中",
    none: (typed: string) => `「${typed}」という名前のものはありません。ID は全体を入力すると見つかります。`,
    count: (count: string) => `候補 ${count} 件`,
    keys: "↑ ↓ 選択 · Enter 開く · Esc 閉じる",
    kinds: {
      agent: "エージェント",
      mandate: "委任",
      charge: "購入",
      merchant: "店舗",
      approval: "承認",
      offer: "オファー",
      webhook: "Webhook",
      entry: "監査記録",
      request: "リクエスト",
      dispute: "異議",
      shop: "店舗",
    },
  },
};
