export type Cell = string | bigint | number | null;

/**
 * One line of RFC 4180. A number stands bare, so that a spreadsheet can count with it; a text in quotation marks, and what a
 * spreadsheet would take for a formula is made text.
 */
export const csvLine = (cells: readonly Cell[]): string => `${cells.map(written).join(",")}\r\n`;

/** A sign and digits, perhaps with a point: of our own making, and never a formula. */
const decimal = /^-?\d+(?:\.\d+)?$/;

function written(cell: Cell): string {
  if (cell === null) return '""';
  const text = String(cell);
  if (decimal.test(text)) return text;
  // A blank before the sign does not keep every spreadsheet from reading a formula.
  const plain = /^\s*[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return `"${plain.replaceAll('"', '""')}"`;
}
