/** Some rows, and where the next ones begin. */
export type CsvPage = {
  readonly rows: readonly (readonly string[])[];
  readonly next: string | null | undefined;
};

/**
 * A table as RFC 4180 has it, to its last row: written as it is read, so that its length needs no limit, and broken off where
 * a page cannot be had, so that nobody takes a part for the whole. What refuses the first page is answered as of any page.
 */
export async function csvOf(
  columns: readonly string[],
  name: string,
  pageFrom: (cursor: string | undefined) => Promise<CsvPage>,
): Promise<Response> {
  let page = await pageFrom(undefined);
  let text = linesOf([columns, ...page.rows]);
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        controller.enqueue(new TextEncoder().encode(text));
        if (page.next === null || page.next === undefined) return controller.close();
        try {
          page = await pageFrom(page.next);
        } catch (cause) {
          throw new Error("the rest of a table could not be had", { cause });
        }
        text = linesOf(page.rows);
      },
    },
    // Nothing is asked for that nobody reads.
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${name}"`,
    },
  });
}

const linesOf = (rows: readonly (readonly string[])[]): string =>
  rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");

/** A spreadsheet would compute what begins like a formula (OWASP, CSV injection); a blank before it does not keep every one from it. */
function cell(text: string): string {
  const safe = /^\s*[=+\-@]|^[\t\r\n]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
