import type { Notices } from "../en/notices.ts";

export const notices: Notices = {
  notices: {
    title: "Benachrichtigungen",
    lead: "Wie Sie erfahren, dass ein Agent fragt oder Geld bewegt wurde, während keine Seite von Remit offen ist.",
    here: "Auf diesem Gerät",
    hereLead:
      "Ihr Browser zeigt einen Hinweis: welcher Agent fragt, um wie viel und wo, solange Sie hier angemeldet sind. Sonst sagt er nur, dass einer fragt. Wer den Hinweis befördert, erfährt weder Namen noch Beträge.",
    turnOn: "Auf diesem Gerät benachrichtigen",
    turnOff: "Auf diesem Gerät aufhören",
    on: "Dieses Gerät wird benachrichtigt.",
    unsupported:
      "Dieser Browser kann keine Benachrichtigungen zeigen. Legen Sie Remit auf einem Telefon zuerst auf den Startbildschirm, oder wählen Sie unten E-Mail.",
    denied:
      "Dieser Browser lehnt Benachrichtigungen von Remit ab. Erlauben Sie sie in seinen Einstellungen für diese Seite und öffnen Sie diese Seite neu.",
    failed:
      "Der Push-Dienst dieses Browsers war nicht erreichbar. Versuchen Sie es gleich noch einmal, oder wählen Sie unten E-Mail.",
    devices: "Geräte, die benachrichtigt werden",
    since: "seit",
    mail: "E-Mail",
    mailLead: (to: string) =>
      `An ${to}. Ein Brief zu einer Frage wartet 20 Sekunden und wird nicht geschrieben, wenn Sie inzwischen antworten.`,
    about: "Benachrichtigen über",
    questions: "Fragen von Agenten",
    money: "Bewegtes Geld",
    save: "Speichern",
    saved: "Gespeichert.",
    remove: "Entfernen",
    lately: "Was Ihnen gesagt wurde",
    nothing: "Noch nichts.",
    nothingHow: "Wenn ein Agent fragt, steht hier 30 Tage lang, was Ihnen auf welchem Weg geschickt wurde.",
    what: "Was",
    when: "Wann",
    way: "Über",
    became: "Was daraus wurde",
    kinds: {
      question: "Eine Frage",
      capture: "Eine Zahlung",
      refund: "Eine Erstattung",
    },
    ways: {
      mail: "E-Mail",
      push: "Gerät",
    },
    states: {
      waiting: "wird gleich gesendet",
      sending: "unterwegs",
      sent: "gesendet",
      late: "nicht mehr nötig",
      refused: "konnte nicht gesendet werden",
      unknown: "ist vielleicht angekommen",
    },
    inbox: "Briefe, die gesendet worden wären",
    inboxLead:
      "Diese Instanz hat keinen Mailserver und bewahrt Briefe deshalb hier auf. Sie sehen nur Ihre eigenen.",
    inboxEmpty: "Noch kein Brief.",
    paidTo: (amount, merchant) => `${amount} an ${merchant} bezahlt`,
    cameBack: (amount, merchant) => `${amount} von ${merchant} zurück`,
    offer: "Erfahren, wenn ein Agent fragt",
  },
};
