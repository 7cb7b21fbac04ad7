import type { Problems } from "../en/problems.ts";

export const problems: Problems = {
  problem: {
    title: "Diese Seite kann nicht gezeigt werden",
    notFound: "Eine solche Seite gibt es nicht",
    back: "Zurück zum Anfang",
    remedy: "Was hilft",
    codes: {
      not_found: "An dieser Adresse ist nichts von Ihnen.",
      session_over: "Sie sind abgemeldet. Melden Sie sich wieder an.",
      unavailable: "Remit kann gerade nicht antworten. Nichts wurde geändert.",
      temporarily_unavailable: "Remit kann gerade nicht antworten. Nichts wurde geändert.",
      outbound_failed:
        "Ein anderer Server hat nicht geantwortet, wie er sollte. Was Sie sehen, ist vielleicht veraltet; versuchen Sie es gleich noch einmal.",
      rate_limited: "Zu viele Anfragen in kurzer Zeit. Warten Sie einen Moment.",
      invalid_request: "Etwas im Formular stimmt nicht.",
      mandate_revoked: "Dieses Mandat wurde widerrufen und bleibt es.",
      mandate_expired: "Dieses Mandat ist abgelaufen.",
      mandate_would_widen: "Das würde mehr erlauben als jetzt. Ein Mandat lässt sich nur einschränken.",
      approval_answered: "Diese Frage ist schon beantwortet, vielleicht auf einem anderen Gerät.",
      approval_expired: "Die Frage ist zu alt. Der Agent kann noch einmal fragen.",
      agent_suspended: "Der Betreiber hat den Agenten angehalten. Ihm kann jetzt nichts erlaubt werden.",
      insufficient_user_authentication: "Dafür müssen Sie sich neu mit einem zweiten Faktor anmelden.",
      insufficient_scope: "Das darf dieses Portal nicht in Ihrem Namen.",
      idempotency_conflict:
        "Dieses Formular wurde schon mit anderen Werten gesendet. Laden Sie die Seite neu.",
    },
  },
};
