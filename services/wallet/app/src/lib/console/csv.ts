/** A table as RFC 4180 has it. A spreadsheet would compute what begins like a formula (OWASP, CSV injection). */
export function csvOf(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  name: string,
): Response {
  const lines = [columns, ...rows].map((row) => row.map(cell).join(","));
  return new Response(`${lines.join("\r\n")}\r\n`, {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${name}"`,
    },
  });
}

function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
