import type { Refusals } from "./index.ts";

export const de: Refusals = {
  families: {
    missing: [
      "An dieser Adresse ist nichts von Ihnen.",
      "Gehen Sie zurück und folgen Sie einem Verweis der Liste: vielleicht ist es umgezogen oder beendet.",
    ],
    form: [
      "Etwas, das eingegeben wurde, ist nicht lesbar.",
      "Prüfen Sie die Felder und senden Sie noch einmal.",
    ],
    forbidden: [
      "Das dürfen Sie nicht.",
      "Bitten Sie den Eigentümer des Kontos oder der Organisation, es zu tun oder Ihnen zu erlauben.",
    ],
    signIn: [
      "Dafür müssen Sie neu zeigen, dass Sie es sind.",
      "Melden Sie sich neu an und wiederholen Sie es.",
    ],
    program: [
      "Ein Programm hat Remit auf eine Weise gefragt, die nicht gilt.",
      "Nichts wurde geändert. Wer das Programm schreibt, braucht den Code und die Anfragenummer unten.",
    ],
    agent: [
      "Der Agent hat auf eine Weise bezahlt, die nicht hält.",
      "Nichts wurde ausgegeben. Lassen Sie den Agenten den Kauf neu beginnen; wer ihn betreibt, braucht den Code unten.",
    ],
    merchant: [
      "Beim Händler stimmt etwas nicht.",
      "Nichts wurde ausgegeben. Nur der Händler kann es beheben; versuchen Sie einen anderen oder später.",
    ],
    mandate: [
      "Das Mandat deckt das nicht.",
      "Nichts wurde ausgegeben. Geben Sie dem Agenten ein anderes Mandat, wenn er das kaufen soll.",
    ],
    stopped: [
      "Das ist zurzeit angehalten.",
      "Heben Sie zuerst die Sperre auf oder setzen Sie es fort, wenn Sie das wollen.",
    ],
    payment: [
      "Die Zahlung kam nicht zustande.",
      "Sehen Sie Ihre Zahlungsmittel an und wählen Sie nötigenfalls ein anderes.",
    ],
    taken: ["Dieser Name oder diese Adresse ist vergeben.", "Wählen Sie etwas anderes."],
    full: [
      "Es gibt so viele, wie es geben darf.",
      "Beenden Sie etwas, das nicht gebraucht wird, oder wechseln Sie den Tarif.",
    ],
    changed: [
      "Es ist nicht mehr, wie es beim Öffnen dieser Seite war.",
      "Laden Sie die Seite neu und sehen Sie nach, bevor Sie es wiederholen.",
    ],
    over: ["Das ist beendet und bleibt es.", "Beginnen Sie neu, wenn Sie es noch brauchen."],
    once: [
      "Das wurde schon gesendet.",
      "Senden Sie es nicht noch einmal: laden Sie die Seite neu und sehen Sie, wie es ausging.",
    ],
    wait: [
      "Remit kann gerade nicht antworten. Nichts wurde geändert.",
      "Warten Sie einen Moment und versuchen Sie es noch einmal.",
    ],
    elsewhere: [
      "Ein anderer Server hat nicht geantwortet, wie er sollte.",
      "Was Sie sehen, ist vielleicht veraltet. Versuchen Sie es gleich noch einmal.",
    ],
    ours: [
      "Bei uns ist etwas fehlgeschlagen.",
      "Versuchen Sie es noch einmal; schlägt es wieder fehl, senden Sie uns die Anfragenummer unten.",
    ],
    proof: [
      "Ein Beweis hält nicht.",
      "Verlassen Sie sich nicht auf das, was er zeigen sollte. Bewahren Sie die Datei auf und sagen Sie es Ihrem Betreiber.",
    ],
  },
  codes: {
    session_over: ["Sie sind abgemeldet.", "Melden Sie sich wieder an; Sie kommen hierher zurück."],
    agent_frozen: [
      "Der Agent ist gesperrt, oder alles ist es.",
      "Heben Sie die Sperre auf der Seite Agenten auf, wenn er wieder kaufen soll.",
    ],
    agent_suspended: [
      "Der Betreiber hat den Agenten angehalten.",
      "Ihm kann nichts erlaubt werden, bis sein Betreiber ihn fortsetzt.",
    ],
    agent_decommissioned: [
      "Der Agent wurde von seinem Betreiber geschlossen.",
      "Richten Sie einen anderen ein.",
    ],
    already_settled: [
      "Das ist schon bezahlt.",
      "Zahlen Sie nicht noch einmal: der Beleg steht unter Aktivität.",
    ],
    approval_answered: [
      "Diese Frage ist schon beantwortet, vielleicht auf einem anderen Gerät.",
      "Laden Sie die Seite neu: sie zeigt die Antwort, die endgültig ist.",
    ],
    approval_denied: [
      "Sie haben diesen Kauf abgelehnt.",
      "Nichts wurde ausgegeben. Sollte er doch sein, lassen Sie den Agenten neu fragen.",
    ],
    approval_expired: [
      "Die Frage ist zu alt.",
      "Nichts wurde ausgegeben. Der Agent kann noch einmal fragen.",
    ],
    approval_limit_reached: [
      "Zu viele Fragen dieses Agenten warten.",
      "Beantworten Sie zuerst die wartenden.",
    ],
    approval_required: ["Dieser Kauf wartet auf Ihre Antwort.", "Antworten Sie unter Freigaben."],
    authentication_pending: [
      "Ihre Bank hat diese Zahlung noch nicht bestätigt.",
      "Bestätigen Sie sie zuerst bei Ihrer Bank, dann hier.",
    ],
    authentication_required: [
      "Ihre Bank will wissen, dass Sie es sind.",
      "Bestätigen Sie die Zahlung unter Freigaben bei Ihrer Bank, oder nehmen Sie eine andere Karte.",
    ],
    card_declined: [
      "Die Karte wurde abgelehnt.",
      "Nichts wurde ausgegeben. Fügen Sie eine andere hinzu oder fragen Sie die Bank dieser Karte.",
    ],
    payment_declined: [
      "Die Zahlung wurde abgelehnt.",
      "Nichts wurde ausgegeben. Versuchen Sie ein anderes Zahlungsmittel.",
    ],
    instrument_missing: ["Es gibt kein Zahlungsmittel.", "Fügen Sie unter Zahlungsmittel eine Karte hinzu."],
    charge_capture_too_late: [
      "Die Zeit für diese Zahlung ist vorbei.",
      "Der Betrag ging zurück. Der Agent kann neu kaufen.",
    ],
    charge_in_progress: [
      "Wie dieser Kauf ausging, steht noch nicht fest.",
      "Warten Sie einen Moment: es klärt sich von selbst, ein einziges Mal.",
    ],
    charge_mandate_revoked: [
      "Sie haben das Mandat dieses Kaufs widerrufen.",
      "Darunter wird nichts mehr genommen.",
    ],
    charge_offer_amount_exceeds_mandate: [
      "Der Preis ist höher, als das Mandat für einen Kauf erlaubt.",
      "Nichts wurde ausgegeben. Geben Sie ein Mandat mit höherer Grenze, wenn es das wert ist.",
    ],
    dispute_exists: [
      "Zu diesem Kauf läuft schon ein Einspruch.",
      "Lesen Sie ihn; ein weiterer geht erst, wenn er vorbei ist.",
    ],
    dispute_not_possible: [
      "Gegen diesen Kauf ist kein Einspruch möglich.",
      "Das geht nur bei dem, was bezahlt, nicht zurückgegeben und nicht zu lange her ist.",
    ],
    dispute_state_conflict: [
      "Der Einspruch ist inzwischen weiter.",
      "Laden Sie die Seite neu und sehen Sie, wo er steht.",
    ],
    email_taken: ["Mit dieser E-Mail-Adresse gibt es ein Konto.", "Melden Sie sich stattdessen an."],
    forbidden: [
      "Das dürfen Sie nicht.",
      "Bitten Sie den Eigentümer des Kontos oder der Organisation, es zu tun oder Ihnen zu erlauben.",
    ],
    idempotency_conflict: [
      "Dieses Formular wurde schon mit anderen Werten gesendet.",
      "Laden Sie die Seite neu und füllen Sie es neu aus.",
    ],
    idempotency_in_flight: ["Das läuft noch.", "Warten Sie einen Moment und laden Sie die Seite neu."],
    insufficient_scope: [
      "Das darf dieses Portal nicht in Ihrem Namen.",
      "Melden Sie sich ab und wieder an, und erlauben Sie dem Portal, worum es bittet.",
    ],
    insufficient_user_authentication: [
      "Dafür müssen Sie sich neu mit einem zweiten Faktor anmelden.",
      "Melden Sie sich mit Passkey oder Authenticator-App neu an.",
    ],
    internal_error: [
      "Bei uns ist etwas fehlgeschlagen.",
      "Versuchen Sie es noch einmal; schlägt es wieder fehl, senden Sie uns die Anfragenummer unten.",
    ],
    invalid_request: [
      "Etwas im Formular stimmt nicht.",
      "Prüfen Sie Beträge, Daten und Adressen, und senden Sie noch einmal.",
    ],
    invitation_invalid: [
      "Die Einladung ist benutzt, zu alt oder für jemand anderen.",
      "Bitten Sie um eine neue und öffnen Sie sie mit der Adresse, an die sie ging.",
    ],
    mandate_cap_exceeded: [
      "Vom Mandat ist nicht genug übrig.",
      "Nichts wurde ausgegeben. Geben Sie ein weiteres, wenn der Agent weitermachen soll.",
    ],
    mandate_category_not_allowed: [
      "Das Mandat deckt diese Art von Händlern nicht.",
      "Nichts wurde ausgegeben. Geben Sie ein anderes, wenn es das soll.",
    ],
    mandate_expired: [
      "Dieses Mandat ist abgelaufen.",
      "Geben Sie ein neues, wenn der Agent weitermachen soll.",
    ],
    mandate_merchant_not_allowed: [
      "Das Mandat deckt diesen Händler nicht.",
      "Nichts wurde ausgegeben. Geben Sie eines, das ihn nennt, wenn Sie ihm trauen.",
    ],
    mandate_revoked: [
      "Dieses Mandat wurde widerrufen und bleibt es.",
      "Geben Sie ein neues, wenn Sie es sich anders überlegt haben.",
    ],
    mandate_suspended: [
      "Dieses Mandat ist angehalten.",
      "Setzen Sie es auf seiner Seite fort, wenn der Agent wieder kaufen soll.",
    ],
    mandate_uses_exhausted: [
      "Das Mandat war für einen Kauf, und der ist getan.",
      "Geben Sie für den nächsten ein weiteres.",
    ],
    mandate_velocity_exceeded: [
      "Die Grenze für diesen Zeitraum ist erreicht.",
      "Mit dem nächsten Zeitraum geht es von selbst weiter.",
    ],
    mandate_would_widen: [
      "Das würde mehr erlauben als jetzt.",
      "Ein Mandat lässt sich nur einschränken: geben Sie ein neues, um mehr zu erlauben.",
    ],
    not_found: [
      "An dieser Adresse ist nichts von Ihnen.",
      "Gehen Sie zurück und folgen Sie einem Verweis der Liste: vielleicht ist es umgezogen oder beendet.",
    ],
    outbound_failed: [
      "Ein anderer Server hat nicht geantwortet, wie er sollte.",
      "Was Sie sehen, ist vielleicht veraltet. Versuchen Sie es gleich noch einmal.",
    ],
    passkey_refused: [
      "Der Passkey wurde nicht angenommen.",
      "Nehmen Sie einen, der unter Sicherheit steht, und versuchen Sie es noch einmal.",
    ],
    step_up_refused: [
      "Das haben nicht Sie bestätigt.",
      "Nichts wurde erlaubt. Bestätigen Sie es mit Ihrem Passkey.",
    ],
    precondition_failed: [
      "Es wurde inzwischen geändert, vielleicht auf einem anderen Gerät.",
      "Laden Sie die Seite neu, sehen Sie nach und ändern Sie es noch einmal.",
    ],
    rate_limited: ["Zu viele Anfragen in kurzer Zeit.", "Warten Sie einen Moment."],
    refund_refused: [
      "Die Rückzahlung wurde abgelehnt, und nichts kam zurück.",
      "Erheben Sie vom Beleg aus Einspruch, wenn sie Ihnen zusteht.",
    ],
    rule_category_blocked: [
      "Eine Ihrer Regeln sperrt diese Art von Händlern.",
      "Nichts wurde ausgegeben. Ändern Sie sie unter Regeln, wenn Sie das nicht wollen.",
    ],
    rule_limit_exceeded: [
      "Eine Ihrer Grenzen über alle Mandate ist erreicht.",
      "Mit dem nächsten Zeitraum geht es weiter, oder erhöhen Sie sie unter Regeln.",
    ],
    rule_merchant_blocked: [
      "Eine Ihrer Regeln sperrt diesen Händler.",
      "Nichts wurde ausgegeben. Ändern Sie sie unter Regeln, wenn Sie das nicht wollen.",
    ],
    setup_token_invalid: [
      "Das Token ist benutzt oder zu alt.",
      "Erstellen Sie auf der Seite Agenten ein neues.",
    ],
    temporarily_unavailable: [
      "Remit kann gerade nicht antworten. Nichts wurde geändert.",
      "Warten Sie einen Moment und versuchen Sie es noch einmal.",
    ],
    unavailable: [
      "Remit kann gerade nicht antworten. Nichts wurde geändert.",
      "Warten Sie einen Moment und versuchen Sie es noch einmal.",
    ],
  },
};
