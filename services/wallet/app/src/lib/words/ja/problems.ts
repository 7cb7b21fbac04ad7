import type { Problems } from "../en/problems.ts";

export const problems: Problems = {
  problem: {
    title: "このページを表示できません",
    notFound: "そのようなページはありません",
    back: "最初に戻る",
    remedy: "対処",
    codes: {
      not_found: "このアドレスにあなたのものはありません。",
      session_over: "サインアウトしています。もう一度サインインしてください。",
      unavailable: "Remit は今応答できません。何も変更されていません。",
      temporarily_unavailable: "Remit は今応答できません。何も変更されていません。",
      outbound_failed:
        "別のサーバーが正しく応答しませんでした。表示が古い可能性があります。少し待ってからお試しください。",
      rate_limited: "短時間にリクエストが多すぎます。少しお待ちください。",
      invalid_request: "フォームの内容に誤りがあります。",
      mandate_revoked: "この委任は取り消されており、元には戻りません。",
      mandate_expired: "この委任は期限切れです。",
      mandate_would_widen: "それでは今より多く許可することになります。委任は狭めることしかできません。",
      approval_answered: "この質問にはすでに、おそらく別の機器で回答されています。",
      approval_expired: "質問が古すぎます。エージェントはもう一度尋ねることができます。",
      agent_suspended: "エージェントは運営者により停止されています。今は何も許可できません。",
      insufficient_user_authentication: "第二の要素を使って、もう一度サインインする必要があります。",
      insufficient_scope: "このポータルがあなたの名で行えることではありません。",
      idempotency_conflict: "このフォームは別の値で送信済みです。ページを読み込み直してください。",
    },
  },
};
