export { keepPresented, openPresented, type Presented } from "./presented.ts";

export const presentedTables = { charge_presentations: "tenant" } as const;
