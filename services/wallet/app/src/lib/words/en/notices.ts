export const notices = {
  notices: {
    title: "Notifications",
    lead: "How you hear that an agent asks, or that money moved, while no page of Remit is open.",
    here: "On this device",
    hereLead:
      "Your browser shows a note: which agent asks, for how much and where, as long as you are signed in here. Otherwise it says only that one asks. Nobody who carries the note can read names or amounts.",
    turnOn: "Tell me on this device",
    turnOff: "Stop on this device",
    on: "This device is told.",
    unsupported:
      "This browser cannot show notifications. On a phone, first add Remit to the home screen; or choose e-mail below.",
    denied:
      "This browser refuses notifications from Remit. Allow them in its settings for this site, then open this page again.",
    failed:
      "The push service of this browser could not be reached. Try again in a moment, or choose e-mail below.",
    devices: "Devices that are told",
    since: "since",
    mail: "E-mail",
    mailLead: (to: string) =>
      `To ${to}. A letter about a question waits 20 seconds, and is not written if you answer meanwhile.`,
    about: "Tell me about",
    questions: "Questions of agents",
    money: "Money that moved",
    save: "Save",
    saved: "Saved.",
    remove: "Remove",
    lately: "What you were told",
    nothing: "Nothing yet.",
    nothingHow: "When an agent asks, what was sent to you, by which way, stands here for 30 days.",
    what: "What",
    when: "When",
    way: "By",
    became: "What became of it",
    kinds: {
      question: "A question",
      capture: "A payment",
      refund: "A refund",
    },
    ways: {
      mail: "E-mail",
      push: "Device",
    },
    states: {
      waiting: "is about to be sent",
      sending: "on its way",
      sent: "sent",
      late: "no longer needed",
      refused: "could not be sent",
      unknown: "may have arrived",
    },
    inbox: "Letters that would have been sent",
    inboxLead: "This instance has no mail server, so it keeps letters here. You see yours alone.",
    inboxEmpty: "No letter yet.",
    paidTo: (amount: string, merchant: string) => `${amount} paid to ${merchant}`,
    cameBack: (amount: string, merchant: string) => `${amount} came back from ${merchant}`,
    offer: "Be told when an agent asks",
  },
};

export type Notices = typeof notices;
