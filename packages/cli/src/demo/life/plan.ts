import type { CreateAgent } from "@remit/protocol/contracts";

/** How long the story is. */
export const daysOfLife = 30;

type Described = Pick<CreateAgent, "agentType" | "deploymentEnv" | "capabilities" | "owner"> & {
  readonly name: string;
  readonly version: string;
  readonly isPublic?: boolean;
};

/** The fleet: what a small company of researchers might run. */
export const fleet: readonly Described[] = [
  {
    name: "Desk orchestrator",
    agentType: "orchestrator",
    version: "3.1.0",
    deploymentEnv: "production",
    owner: "platform-team",
    capabilities: ["task:plan", "task:delegate"],
    isPublic: true,
  },
  {
    name: "Filing reader",
    agentType: "extractor",
    version: "2.4.1",
    deploymentEnv: "production",
    owner: "research",
    capabilities: ["filing:read", "table:extract"],
    isPublic: true,
  },
  {
    name: "News summariser",
    agentType: "summarizer",
    version: "1.9.0",
    deploymentEnv: "production",
    owner: "research",
    capabilities: ["news:read", "text:summarise"],
  },
  {
    name: "Claims classifier",
    agentType: "classifier",
    version: "1.2.3",
    deploymentEnv: "production",
    owner: "claims",
    capabilities: ["claim:classify"],
  },
  {
    name: "Résumé screener",
    agentType: "screener",
    version: "0.9.0",
    deploymentEnv: "staging",
    owner: "talent-team",
    capabilities: ["resume:read", "candidate:rank"],
  },
  {
    name: "Ticket router",
    agentType: "router",
    version: "1.0.4",
    deploymentEnv: "production",
    owner: "support",
    capabilities: ["ticket:route"],
  },
  {
    name: "Price watcher",
    agentType: "monitor",
    version: "2.0.0",
    deploymentEnv: "production",
    owner: "procurement",
    capabilities: ["price:read"],
  },
  {
    name: "Uptime monitor",
    agentType: "monitor",
    version: "1.1.0",
    deploymentEnv: "production",
    owner: "platform-team",
    capabilities: ["status:read"],
  },
  {
    name: "Invoice matcher",
    agentType: "custom",
    version: "0.4.0",
    deploymentEnv: "staging",
    owner: "finance",
    capabilities: ["invoice:match"],
  },
  {
    name: "Translation bench",
    agentType: "custom",
    version: "0.1.0",
    deploymentEnv: "development",
    owner: "research",
    capabilities: ["text:translate"],
  },
  {
    name: "Old news reader",
    agentType: "summarizer",
    version: "0.8.2",
    deploymentEnv: "production",
    owner: "research",
    capabilities: ["news:read"],
  },
  {
    name: "Inbox triage",
    agentType: "router",
    version: "0.2.0",
    deploymentEnv: "development",
    owner: "support",
    capabilities: ["mail:read"],
  },
];

/** Which of the fleet are at work, every how many days; by their place above. */
export const work: readonly (readonly [number, number])[] = [
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 3],
  [5, 5],
  [6, 2],
];

type Sold = { readonly name: string; readonly price: string; readonly description: string };

/** What the shop sells beside its report. Everything is made by the sandbox's upstream. */
export const shelf: readonly Sold[] = [
  { name: "weather", price: "0.40", description: "The weather over the North Sea" },
  { name: "filings", price: "3.50", description: "Company filings, one at a time" },
  { name: "news", price: "1.20", description: "What the papers say, in a page" },
];

export const offerOf = (
  { name, price, description }: Sold,
  at: { readonly merchant: string; readonly upstream: string },
): object => ({
  name,
  merchant: at.merchant,
  upstream: at.upstream,
  strip_prefix: `/${name}`,
  currency: "USD",
  price,
  pay_with: ["mandate"],
  routes: [{ path: `/${name}/*`, methods: ["GET"], gate: "paid" }],
  description,
});

export const pathOf = (name: string): string => `/${name}/demo/report`;

/** Agents of other people, who buy: what each may spend, and what of the shelf it buys on which days of the month. */
export const buyers = [
  {
    name: "Research assistant",
    purpose: "Filings and papers for the quarterly review",
    amount_minor: 20_000,
    per_charge_minor: 2_000,
    buys: [
      { what: "filings", every: 2 },
      { what: "news", every: 3 },
    ],
  },
  {
    name: "Sailing planner",
    purpose: "The weather, every morning",
    amount_minor: 4_000,
    per_charge_minor: 500,
    buys: [{ what: "weather", every: 1 }],
  },
  {
    name: "Morning briefing",
    purpose: "One report a week",
    amount_minor: 10_000,
    per_charge_minor: 1_500,
    step_up: [{ above_minor: 900 }],
    buys: [{ what: "news", every: 2 }],
  },
] as const;
