/** What a project is made from. Only `title` comes from people, and stands where nothing is run. */
export type Facts = {
  readonly apiUrl: string;
  readonly agentId: string;
  /** What the project is called, in letters that every language and file system takes. */
  readonly slug: string;
  /** The agent's name in one printable line. */
  readonly title: string;
  /** What the agent may do with a token that is bound to no key. */
  readonly scopes: readonly string[];
};

/** `.env.example`: the same for every language. The secret is for whoever runs it. */
export const envExample = ({ apiUrl, agentId, scopes }: Facts): string => `# Copy to .env, which git ignores.
AGENTIDP_API_URL=${apiUrl}
AGENTIDP_CLIENT_ID=${agentId}
AGENTIDP_CLIENT_SECRET=
AGENTIDP_SCOPE="${scopes.join(" ")}"
`;

type About = { readonly needs: string; readonly run: readonly string[]; readonly where: string };

export const readme = (
  facts: Facts,
  { needs, run, where }: About,
): string => `# ${escapeMarkdown(facts.title)}

A program for the agent \`${facts.agentId}\`: it gets a token from ${facts.apiUrl} and asks what is known of it
(\`/agent-info\`). ${where}

Needs ${needs}

1. Make a secret: \`POST ${facts.apiUrl}/api/v1/agents/${facts.agentId}/credentials\` shows it once.
2. \`cp .env.example .env\`, and write the secret after \`AGENTIDP_CLIENT_SECRET=\`.
3. ${run.map((command) => `\`${command}\``).join(", then ")}

The organization must allow bearer tokens (\`PUT /api/v1/organization/bearer-tokens\`)${
  facts.scopes.length > 0
    ? "."
    : ", and the agent needs a\nscope that such a token may carry (such as `agents:read`): write it after `AGENTIDP_SCOPE=`."
}

The token is kept in memory and renewed 60 s before it ends. Errors have \`code\`, \`httpStatus\` and \`details\`.
`;

/** So that a name is a name: no link, no image, no HTML, no heading of its own. */
const escapeMarkdown = (text: string): string =>
  text.replace(/[\\`*_{}[\]()#+\-.!|~<>&"'@:/]/g, (one) => `&#${one.charCodeAt(0)};`);

/** One line of printable characters: whatever could end a line or turn its direction is gone. */
export function titleOf(name: string): string {
  const printable = name
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/\s+/g, " ")
    .trim();
  const line = Array.from(printable).slice(0, 120).join("").trim();
  return line === "" ? "Agent" : line;
}

export function slugOf(name: string): string {
  const letters = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return `agent-${letters === "" ? "program" : letters}`;
}
