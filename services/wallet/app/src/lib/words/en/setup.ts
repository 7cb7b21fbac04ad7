export const setup = {
  setup: {
    title: "Set up an agent",
    lead: "An agent registers itself with a token that is good once. Its keys are made where it runs and never leave that place.",
    name: "What do you call it?",
    nameHint: "Only you see this name until the agent tells its own.",
    make: "Make the token",
    run: "Run this where the agent lives",
    runWhy: "It makes the agent’s keys there and registers it as yours.",
    copy: "Copy",
    copied: "Copied",
    scan: "Show it as a QR code",
    qr: "The command as a QR code",
    once: (time: string) => `Shown this once. It is good for one agent, until ${time}.`,
    wait: "See it come alive",
    waiting: (name: string) => `Waiting for ${name} …`,
    there: (name: string) => `${name} is here.`,
    over: "Nobody used the token in time.",
    again: "Make another",
    then: "Give it a mandate",
    thenWhy: "It may spend nothing until you do.",
  },
  live: {
    asks: "An agent asks you something",
    offline: "Not connected: what you see may be behind.",
    slow: "It is on its way. Wait here: pressing again does nothing.",
    lost: "No answer came, as the connection is broken or slow. It may have been done all the same.",
    lostOnce: "Send it again from here: it is done once, however often you send it.",
    lostElse: "Load this page again and look, before you send it once more.",
  },
};

export type Setup = typeof setup;
