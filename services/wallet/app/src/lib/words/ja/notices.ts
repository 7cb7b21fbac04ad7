import type { Notices } from "../en/notices.ts";

export const notices: Notices = {
  notices: {
    title: "通知",
    lead: "Remit のページを開いていないときに、エージェントの確認やお金の動きを知る方法です。",
    here: "この端末",
    hereLead:
      "この端末でサインインしている間は、どのエージェントが、どこで、いくらの確認を求めているかをブラウザーが通知します。サインインしていないときは、確認を求めていることだけを伝えます。通知を運ぶ者が名前や金額を読むことはできません。",
    turnOn: "この端末で通知を受け取る",
    turnOff: "この端末での通知をやめる",
    on: "この端末に通知します。",
    unsupported:
      "このブラウザーは通知を表示できません。スマートフォンでは先に Remit をホーム画面に追加するか、下でメールを選んでください。",
    denied:
      "このブラウザーは Remit の通知を拒否しています。ブラウザーの設定でこのサイトの通知を許可してから、このページを開き直してください。",
    failed:
      "ブラウザーのプッシュサービスに接続できませんでした。少し待ってもう一度試すか、下でメールを選んでください。",
    devices: "通知する端末",
    since: "登録日",
    mail: "メール",
    mailLead: (to: string) => `宛先: ${to}。確認のメールは 20 秒待ち、その間に返答すると送信されません。`,
    about: "通知する内容",
    questions: "エージェントの確認",
    money: "お金の動き",
    save: "保存",
    saved: "保存しました。",
    remove: "削除",
    lately: "送った通知",
    nothing: "まだありません。",
    nothingHow: "エージェントが確認を求めると、何をどの方法で送ったかが 30 日間ここに残ります。",
    what: "内容",
    when: "日時",
    way: "方法",
    became: "結果",
    kinds: {
      question: "確認",
      capture: "支払い",
      refund: "返金",
    },
    ways: {
      mail: "メール",
      push: "端末",
    },
    states: {
      waiting: "まもなく送信",
      sending: "送信中",
      sent: "送信済み",
      late: "不要になりました",
      refused: "送信できませんでした",
      unknown: "届いた可能性があります",
    },
    inbox: "送信されるはずだったメール",
    inboxLead:
      "この環境にはメールサーバーがないため、メールをここに保管します。表示されるのはご自分宛てだけです。",
    inboxEmpty: "まだメールはありません。",
    paidTo: (amount, merchant) => `${merchant}に${amount}を支払いました`,
    cameBack: (amount, merchant) => `${merchant}から${amount}が返金されました`,
    offer: "エージェントの確認を通知で受け取る",
  },
};
