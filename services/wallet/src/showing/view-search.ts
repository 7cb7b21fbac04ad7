/** What says where one is in a list, and not which list it is. */
const places = ["page", "cursor", "delivery"];

/** What of an address a view is: its filter, its order and its columns. */
export function viewIn(search: string): string {
  const words = [...new URLSearchParams(search)];
  const kept = words.filter(([key, value]) => value !== "" && !places.includes(key));
  return new URLSearchParams(kept).toString();
}

/** Whether an address shows a view, in whatever order its words stand. */
export const isOfView = (search: string, view: string): boolean => sorted(viewIn(search)) === sorted(view);

function sorted(search: string): string {
  const query = new URLSearchParams(search);
  query.sort();
  return query.toString();
}
