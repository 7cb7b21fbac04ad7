import type { Security } from "../en/security.ts";

export const security: Security = {
  security: {
    title: "Sicherheit",
    lead: "Wie Sie sich anmelden und wo Sie gerade angemeldet sind.",
    methods: "Wie Sie sich anmelden",
    passkeys: "Passkeys",
    password: "Passwort",
    app: "Authenticator-App",
    codes: "Übrige Wiederherstellungscodes",
    set: "Eingerichtet",
    notSet: "Nicht eingerichtet",
    none: "Keine",
    manage: "Anmeldung ändern",
    applications: "Anwendungen mit Zugang",
    manageElsewhere:
      "Diese Seiten gehören dem Autorisierungsserver: Dieses Portal sieht nie ein Passwort oder einen Passkey.",
    sessions: "Wo Sie angemeldet sind",
    device: "Gerät",
    address: "Adresse",
    lastSeen: "Zuletzt gesehen",
    current: "dieses hier",
    end: "Dort abmelden",
    endOthers: "Überall sonst abmelden",
    done: "Dort abgemeldet.",
    lastUsed: (when) => `zuletzt benutzt ${when}`,
  },
};
