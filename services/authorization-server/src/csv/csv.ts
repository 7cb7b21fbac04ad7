/** RFC 4180, each cell in quotation marks. Whatever a spreadsheet would take for a formula is made text. */
export function csvOf<N extends string>(
  columns: readonly N[],
  rows: readonly Readonly<Record<N, string | readonly string[] | null>>[],
): string {
  const lines = rows.map((row) => columns.map((name) => cell([row[name] ?? ""].flat().join(" "))).join(","));
  return `${[columns.join(","), ...lines].join("\r\n")}\r\n`;
}

// A blank before the sign does not keep every spreadsheet from reading a formula.
const cell = (value: string): string =>
  `"${(/^\s*[=+\-@]|^[\t\r\n]/.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`;
