import type { Language } from "../refusals/index.ts";

/** What a notice says. No name, no amount: it may stand on a locked screen, and passes through others' hands. */
export type Sentence = { readonly title: string; readonly body: string };

type Book = {
  readonly question: Sentence;
  readonly capture: Sentence;
  readonly refund: Sentence;
  readonly several: (count: number) => Sentence;
  readonly open: string;
  readonly why: (settings: string) => string;
};

const books: Readonly<Record<Language, Book>> = {
  en: {
    question: {
      title: "An agent asks you something",
      body: "It waits for your answer. Nothing is spent until you say yes.",
    },
    capture: { title: "An agent has paid", body: "A purchase was paid from one of your mandates." },
    refund: { title: "Money came back", body: "A purchase of one of your agents was refunded." },
    several: (count) => ({
      title: "Your agents moved money",
      body: `${count} purchases were paid or refunded.`,
    }),
    open: "Open it in your wallet:",
    why: (settings) => `You asked to be told of this. Change what you are told of here: ${settings}`,
  },
  de: {
    question: {
      title: "Ein Agent fragt Sie etwas",
      body: "Er wartet auf Ihre Antwort. Bis Sie Ja sagen, wird nichts ausgegeben.",
    },
    capture: { title: "Ein Agent hat bezahlt", body: "Ein Kauf wurde aus einem Ihrer Mandate bezahlt." },
    refund: { title: "Geld kam zurück", body: "Ein Kauf eines Ihrer Agenten wurde erstattet." },
    several: (count) => ({
      title: "Ihre Agenten haben Geld bewegt",
      body: `${count} Käufe wurden bezahlt oder erstattet.`,
    }),
    open: "In Ihrer Wallet öffnen:",
    why: (settings) => `Sie wollten das erfahren. Was Sie erfahren, ändern Sie hier: ${settings}`,
  },
  es: {
    question: {
      title: "Un agente le pregunta algo",
      body: "Espera su respuesta. No se gasta nada hasta que diga que sí.",
    },
    capture: { title: "Un agente ha pagado", body: "Se pagó una compra con uno de sus mandatos." },
    refund: { title: "Ha vuelto dinero", body: "Se reembolsó una compra de uno de sus agentes." },
    several: (count) => ({
      title: "Sus agentes movieron dinero",
      body: `Se pagaron o reembolsaron ${count} compras.`,
    }),
    open: "Ábralo en su cartera:",
    why: (settings) => `Usted pidió que se le avisara. Cambie aquí de qué se le avisa: ${settings}`,
  },
  ja: {
    question: {
      title: "エージェントが確認を求めています",
      body: "あなたの返答を待っています。承認するまで支払いは行われません。",
    },
    capture: { title: "エージェントが支払いました", body: "委任の範囲で購入が支払われました。" },
    refund: { title: "返金がありました", body: "エージェントの購入が返金されました。" },
    several: (count) => ({
      title: "エージェントがお金を動かしました",
      body: `${count} 件の購入が支払われたか返金されました。`,
    }),
    open: "ウォレットで開く:",
    why: (settings) => `この通知はご希望により送信しています。設定の変更: ${settings}`,
  },
};

export const bookOf = (language: Language): Book => books[language];
