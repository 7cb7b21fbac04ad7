/** Where one can go in an organization's name. The first place of each side has no name in the address. */
export const consolePlaces = {
  fleet: ["", "agents", "delegations", "audit"],
  use: ["analytics", "plan", "offers"],
  trust: ["compliance", "federation", "directory"],
  organization: ["members", "keys", "requests", "webhooks", "settings"],
} as const;

export const merchantPlaces = {
  money: ["", "charges", "disputes", "payouts", "statements"],
  bills: ["invoices", "fees"],
} as const;

export type Side = "console" | "merchant";
export type ConsolePlace = (typeof consolePlaces)[keyof typeof consolePlaces][number];
export type MerchantPlace = (typeof merchantPlaces)[keyof typeof merchantPlaces][number];
export type Group = keyof typeof consolePlaces | keyof typeof merchantPlaces;

/** Every place of a side, group by group. */
export const placesOf = (side: Side): { group: Group; places: readonly string[] }[] =>
  Object.entries(side === "console" ? consolePlaces : merchantPlaces).map(([group, places]) => ({
    // The keys of the two objects above.
    group: group as Group,
    places,
  }));
