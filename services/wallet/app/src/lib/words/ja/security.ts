import type { Security } from "../en/security.ts";

export const security: Security = {
  security: {
    title: "セキュリティ",
    lead: "サインインの方法と、現在サインインしている場所です。",
    methods: "サインインの方法",
    passkeys: "パスキー",
    password: "パスワード",
    app: "認証アプリ",
    codes: "残りの回復コード",
    set: "設定済み",
    notSet: "未設定",
    none: "なし",
    manage: "サインインの方法を変更",
    applications: "許可したアプリケーション",
    manageElsewhere:
      "これらは認可サーバーのページです。このポータルがパスワードやパスキーを見ることはありません。",
    sessions: "サインインしている場所",
    device: "機器",
    address: "アドレス",
    lastSeen: "最終利用",
    current: "この機器",
    end: "そこからサインアウト",
    endOthers: "ほかのすべてからサインアウト",
    done: "サインアウトしました。",
    lastUsed: (when) => `最終利用 ${when}`,
  },
};
