export const security = {
  security: {
    title: "Security",
    lead: "How you sign in, and where you are signed in now.",
    methods: "How you sign in",
    passkeys: "Passkeys",
    password: "Password",
    app: "Authenticator app",
    codes: "Recovery codes left",
    set: "Set",
    notSet: "Not set",
    none: "None",
    manage: "Change how you sign in",
    applications: "Applications you let in",
    manageElsewhere:
      "These pages are the authorization server’s own: this portal never sees a password or a passkey.",
    sessions: "Where you are signed in",
    device: "Device",
    address: "Address",
    lastSeen: "Last seen",
    current: "this one",
    end: "Sign out there",
    endOthers: "Sign out everywhere else",
    done: "Signed out there.",
    lastUsed: (when: string) => `last used ${when}`,
  },
};

export type Security = typeof security;
