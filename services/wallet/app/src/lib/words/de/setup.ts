import type { Setup } from "../en/setup.ts";

export const setup: Setup = {
  setup: {
    title: "Einen Agenten einrichten",
    lead: "Ein Agent meldet sich mit einem Token an, das ein einziges Mal gilt. Seine Schlüssel entstehen dort, wo er läuft, und verlassen diesen Ort nie.",
    name: "Wie nennen Sie ihn?",
    nameHint: "Diesen Namen sehen nur Sie, bis der Agent seinen eigenen nennt.",
    make: "Token erstellen",
    run: "Führen Sie das dort aus, wo der Agent läuft",
    runWhy: "Es erzeugt dort die Schlüssel des Agenten und meldet ihn als Ihren an.",
    copy: "Kopieren",
    copied: "Kopiert",
    scan: "Als QR-Code zeigen",
    qr: "Der Befehl als QR-Code",
    once: (time) => `Nur dieses eine Mal zu sehen. Gilt für einen Agenten, bis ${time}.`,
    wait: "Zusehen, wie er lebendig wird",
    waiting: (name) => `Warten auf ${name} …`,
    there: (name) => `${name} ist da.`,
    over: "Niemand hat das Token rechtzeitig benutzt.",
    again: "Ein neues erstellen",
    then: "Ein Mandat geben",
    thenWhy: "Bis dahin darf er nichts ausgeben.",
  },
  live: {
    asks: "Ein Agent fragt Sie etwas",
    offline: "Nicht verbunden: was Sie sehen, kann veraltet sein.",
    slow: "Es ist unterwegs. Warten Sie hier: nochmals zu drücken bewirkt nichts.",
    lost: "Es kam keine Antwort: die Verbindung ist unterbrochen oder langsam. Es kann trotzdem geschehen sein.",
    lostOnce: "Senden Sie es von hier noch einmal: es geschieht einmal, wie oft Sie es auch senden.",
    lostElse: "Laden Sie diese Seite neu und sehen Sie nach, bevor Sie es noch einmal senden.",
  },
};
