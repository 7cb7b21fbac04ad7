/** What sums of spending may be by. */
export const groupings = ["agent", "merchant", "category", "day", "mandate"] as const;
export type Grouping = (typeof groupings)[number];
