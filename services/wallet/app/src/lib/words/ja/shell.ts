import type { Shell } from "../en/shell.ts";

export const shell: Shell = {
  app: {
    name: "Remit",
    skip: "本文へ移動",
    title: (page) => `${page} · Remit`,
    menu: "ページ",
    signedInAs: (who) => `${who} としてサインイン中`,
    organizations: "組織",
    signOut: "サインアウト",
    signIn: "サインイン",
    theme: { label: "表示", system: "システムに合わせる", light: "紙", dark: "墨" },
    language: "言語",
    testMoney: "テスト用のお金です。",
    testMoneyWhy: "ここでは実際のお金は動きません。",
    close: "閉じる",
    cancel: "キャンセル",
    request: (id) => `リクエスト ${id}`,
    inAgentsWords: "エージェント自身の言葉",
    unverified: "この名前は誰も確認していません。",
    older: "以前の記録",
    none: "–",
  },
  nav: {
    home: "ホーム",
    mandates: "委任",
    approvals: "承認",
    activity: "取引",
    agents: "エージェント",
    rules: "ルール",
    money: "支払い方法",
    security: "セキュリティ",
    waiting: (count) => `${count} 件が回答待ちです`,
  },
  out: {
    title: "サインアウトしました",
    lead: "ポータルからサインアウトしました。",
    ended: "この端末または別の端末でセッションが終了しました。失われたものはありません。",
    again: "もう一度サインイン",
    refusedTitle: "サインインしていません",
    refused: {
      access_denied: "ポータルは許可されませんでした。何も変更されていません。",
      sign_in_unknown:
        "このサインインは古いか、別のブラウザーで始まったものです。ここからやり直してください。",
      sign_in_mixed_up: "回答は別の相手からのものでした。何も受け入れていません。",
      other: "サインインできませんでした。少し待ってからお試しください。",
    },
    welcome: "エージェントの支出と、そのブレーキ。",
    welcomeLead:
      "Remit は AI エージェントに身元と予算と領収書を与えます。ここでは、いくらまで使えるかを決め、購入したものを確かめ、ひと押しですべてを止められます。",
  },
};
