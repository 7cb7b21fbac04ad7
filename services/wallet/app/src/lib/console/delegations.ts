import type { OrganizationAnswer } from "../../../../src/api/index.ts";

export type Link = OrganizationAnswer<"delegations">["data"][number];

/** One agent in the picture: where it stands, and from whom it holds what. */
export type Knot = {
  readonly id: string;
  readonly agent: string;
  readonly column: number;
  readonly row: number;
  /** The link that made it; the first of a chain has none. */
  readonly link: Link | undefined;
  readonly from: string | undefined;
};

export type Picture = { readonly knots: readonly Knot[]; readonly columns: number; readonly rows: number };

/**
 * Each chain reads from left to right: its first delegator, then whom it handed something, one column a link. A row ends
 * where a branch ends, so that no two lines cross.
 */
export function treeOf(links: readonly Link[]): Picture {
  const below = new Map<string | null, Link[]>();
  for (const link of links) {
    const known = links.some(({ chainId }) => chainId === link.parentId);
    const parent = known ? link.parentId : null;
    below.set(parent, [...(below.get(parent) ?? []), link]);
  }
  const knots: Knot[] = [];
  let row = 0;
  const place = (link: Link, column: number, from: string): void => {
    knots.push({ id: link.chainId, agent: link.delegateeAgentId, column, row, link, from });
    const children = below.get(link.chainId) ?? [];
    for (const [index, child] of children.entries()) {
      if (index > 0) row += 1;
      place(child, column + 1, link.chainId);
    }
  };
  const roots = Map.groupBy(below.get(null) ?? [], ({ delegatorAgentId }) => delegatorAgentId);
  for (const [agent, firsts] of roots) {
    knots.push({ id: agent, agent, column: 0, row, link: undefined, from: undefined });
    for (const [index, link] of firsts.entries()) {
      if (index > 0) row += 1;
      place(link, 1, agent);
    }
    row += 1;
  }
  return { knots, columns: Math.max(0, ...knots.map(({ column }) => column)) + 1, rows: row };
}
